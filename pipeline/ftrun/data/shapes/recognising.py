"""Which shape a row has, so that `ftrun init` can write it and `ftrun check` can name it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from ftrun.data.shapes.rows import (
    ANSWER,
    ASKED,
    BETTER,
    HISTORY,
    TEXTS,
    TURNS,
    WORSE,
    Shaped,
    batch_parts,
    shaped,
    turns_key,
)
from ftrun.data.shapes.tools import calls_of
from ftrun.data.shapes.turns import is_talk, turns_in
from ftrun.data.shapes.values import ShapeFault, as_text, decoded, first_of
from ftrun.protocol.faults import Fault

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
        asked = first_of(row, (*TURNS, *ASKED))
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
    key = turns_key(row)
    if key is not None and (turns_in(row[key]) or key in TEXTS):
        text = as_text(row[key])
        yield ("hermes" if any(tag in text for tag in TAGS) else "chat"), key


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
    return (content or None), message.get("tool_calls") or None, message.get("tool_call_id")


WORDS = {
    "hermes": "`{column}` has tool calls in tags, as Hermes writes them",
    "alpaca": "`{column}` is a list of what was said before",
    "preferences": "the rows are preferences whose prompts or answers are lists of turns",
    "xlam": "the rows have `query`, `tools` and `answers`, as xLAM writes calls of functions",
    "batch": "the rows are requests with their responses",
}


def described(row: Mapping[str, Any], method: str) -> Fault | None:
    """Return the fault that a row has a shape which its source doesn't name; None if it has none."""
    if isinstance(row.get("conversations"), list) and "messages" not in row:
        words = "the row has `conversations`, as ShareGPT writes them, not `messages`"
        found = shape_of(row)
        shape = "chat" if found is None else found.shape
        return Fault("sharegpt", words, hint=_tip(shape, method))
    found = shape_of(row)
    if found is None:
        return None
    if found.shape != "chat":
        words = WORDS[found.shape].format(column=found.column)
        return Fault("other_shape", words, hint=_tip(found.shape, method))
    for name in (found.column, "tools"):
        if isinstance(row.get(name), str) and isinstance(decoded(row[name]), list):
            hint = "Write the list itself, or add `shape: chat` to the source, which reads it."
            return Fault("other_shape", f"`{name}` is a text that holds JSON, not a list", hint=hint)
    words = f"`{found.column}` is a conversation in another form than the API's `messages`"
    return Fault("other_shape", words, hint=_tip(found.shape, method))


def _tip(shape: str, method: str) -> str:
    if shape == "preferences" and method != "dpo":
        return "Add `shape: preferences` to the source, and set `train.method: dpo`."
    return f"Add `shape: {shape}` to the source."
