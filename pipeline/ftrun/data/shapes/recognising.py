"""Which shape a row has, so that `ftrun init` can write it and `ftrun check` can name it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ftrun.data.shapes.rows import (
    ANSWER,
    ASKED,
    BETTER,
    HISTORY,
    QUESTIONS_ONLY,
    TEXTS,
    TURNS,
    WORSE,
    Shaped,
    batch_parts,
    question_key,
    shaped,
    turns_key,
)
from ftrun.data.shapes.tools import calls_of
from ftrun.data.shapes.turns import is_talk, turns_in
from ftrun.data.shapes.values import ShapeFault, as_text, decoded, first_of, role_of
from ftrun.protocol.faults import Fault

TREES = (
    "each row is a tree of messages (`replies`)",
    'Write each conversation as a row: {"messages": [...]}.',
)
REQUESTS_ONLY = (
    "the rows are requests of a batch without their responses",
    'Join them by `custom_id`, as rows {"body": {...}, "response": {...}}.',
)
RESPONSES_ONLY = (
    "the rows are responses of a batch without their requests",
    'Join them by `custom_id`, as rows {"body": {...}, "response": {...}}.',
)
TAGS = ("<tool_call>", "<tools>", "<tool_response>")


class Found(NamedTuple):
    """The shape of a row. `column` is the one that says so."""

    shape: str
    column: str
    row: Shaped


def shape_of(row: Mapping[str, Any]) -> Found | None:
    """Return the shape of a row; None for rows of the API and for rows of columns, which templates take."""
    for name, column in _candidates(row):
        try:
            made = shaped(row, name)
        except ShapeFault:
            continue
        if _is_changed(row, made):
            return Found(name, column, made)
    return None


def _candidates(row: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    if isinstance(row.get("input"), Mapping) and isinstance(row["input"].get("messages"), list):
        return  # a preference of the API
    better, worse = first_of(row, BETTER), first_of(row, WORSE)
    if better is not None and worse is not None:
        asked = first_of(row, (*HISTORY, *TURNS, *ASKED))
        if any(is_talk(row[name]) for name in (better, worse, asked) if name is not None):
            yield "preferences", better
        return
    if all(part is not None for part in batch_parts(row)):
        yield "batch", "response"
    if isinstance(row.get("query"), str) and row.get("tools") and _holds_calls(row.get("answers")):
        yield "xlam", "answers"
    history = next((name for name in HISTORY if name in row and is_history(row[name])), None)
    if history is not None and first_of(row, ("instruction", *ASKED)) and first_of(row, ANSWER):
        yield "alpaca", history
        return
    if turns_key(row) is None and (key := question_key(row)) is not None:
        yield "chat", key
    key = turns_key(row)
    if key is not None and (turns_in(row[key]) or key in TEXTS):
        text = as_text(row[key])
        yield ("hermes" if any(tag in text for tag in TAGS) else "chat"), key


def useless(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why nothing can be learned from a row of a known kind, and what to do; None if it is not one."""
    turns, references = row.get("turns"), row.get("reference")
    if "question_id" in row and isinstance(turns, list) and all(isinstance(one, str) for one in turns):
        if isinstance(references, list) and len(references) == len(turns):
            return None
        return QUESTIONS_ONLY
    if isinstance(row.get("replies", decoded(row.get("prompt"))), (list, Mapping)) and _has_replies(row):
        return TREES
    request, response = batch_parts(row)
    if request is not None and response is None and "custom_id" in row:
        return REQUESTS_ONLY
    return RESPONSES_ONLY if response is not None and request is None and "custom_id" in row else None


def _has_replies(row: Mapping[str, Any]) -> bool:
    prompt = row.get("prompt")
    return "replies" in row or (isinstance(prompt, Mapping) and "replies" in prompt)


def is_history(value: Any) -> bool:
    """Return whether a value can be what was said before: a list of turns, which may be empty."""
    found = decoded(value)
    return found == [] or is_talk(found, texts=True)


def _holds_calls(value: Any) -> bool:
    try:
        return value is not None and bool(calls_of(value, "answers"))
    except ShapeFault:
        return False


def _is_changed(row: Mapping[str, Any], made: Shaped) -> bool:
    """Return whether the conversion did more than to leave out what a message has no use for."""
    if "messages" not in made.values or not isinstance(row.get("messages"), list):
        return True
    if row.get("tools") != made.values.get("tools"):
        return True
    old, new = row["messages"], made.values["messages"]
    if len(old) != len(new) or not all(isinstance(one, Mapping) for one in old):
        return True
    return any(
        one.get("role") != other["role"] or _said(one) != _said(other)
        for one, other in zip(old, new, strict=True)
    )


def _said(message: Mapping[str, Any]) -> tuple[Any, ...]:
    content = message.get("content")
    if isinstance(content, list) and all(
        isinstance(one, Mapping) and one.get("type") == "text" for one in content
    ):
        content = "".join(str(one.get("text")) for one in content)  # the API takes parts as well
    return (content or None), message.get("tool_calls") or None, message.get("tool_call_id")


WORDS = {
    "hermes": "`{}` has tool calls in tags, as Hermes writes them",
    "alpaca": "`{}` is a list of what was said before",
    "preferences": "the rows are preferences whose prompts or answers are lists of turns",
    "xlam": "the rows have `query`, `tools` and `answers`, as xLAM writes calls of functions",
    "batch": "the rows are requests with their responses",
}


def described(row: Mapping[str, Any], method: str) -> Fault | None:
    """Return the fault that a row has a shape which its source doesn't name; None if it has none."""
    if isinstance(row.get("conversations"), list) and "messages" not in row:
        words = "the row has `conversations`, as ShareGPT writes them, not `messages`"
        found = shape_of(row)
        if found is not None and (found.shape != "chat" or not _is_plain(row["conversations"])):
            return Fault("sharegpt", words, hint=_tip(found.shape, method))
        hint = "Add `shape: chat` to the source, or set `data.sharegpt: convert`: both make chats of them."
        return Fault("sharegpt", words, hint=hint)
    found = shape_of(row)
    if found is None:
        reason = useless(row)
        return None if reason is None else Fault("other_shape", reason[0], hint=reason[1])
    if found.shape != "chat":
        words = WORDS[found.shape].format(found.column)
        return Fault("other_shape", words, hint=_tip(found.shape, method))
    for name in (found.column, "tools"):
        if isinstance(row.get(name), str) and isinstance(decoded(row[name]), list):
            hint = "Write the list itself, or add `shape: chat` to the source, which reads it."
            return Fault("other_shape", f"`{name}` is a text that holds JSON, not a list", hint=hint)
    words = f"`{found.column}` is a conversation in another form than the API's `messages`"
    return Fault("other_shape", words, hint=_tip(found.shape, method))


def _is_plain(turns: Any) -> bool:
    """Return whether turns have nothing but texts of people and models."""
    return all(
        isinstance(one, Mapping)
        and isinstance(one.get("from"), str)
        and role_of(one["from"]) in ("system", "user", "assistant")
        for one in turns
    )


def _tip(shape: str, method: str) -> str:
    if shape == "preferences" and method != "dpo":
        return "Add `shape: preferences` to the source, and set `train.method: dpo`."
    return f"Add `shape: {shape}` to the source."
