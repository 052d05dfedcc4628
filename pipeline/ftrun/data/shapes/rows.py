"""Rows of each shape, and the rows of the fine-tuning API that they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ftrun.data.shapes.parts import text_of
from ftrun.data.shapes.tools import calls_of
from ftrun.data.shapes.turns import Talk, add_tools, is_talk, turns_in
from ftrun.data.shapes.values import ShapeFault, decoded, first_of
from ftrun.protocol.spec import CHAT_KEYS, OUTPUTS, SYSTEM_ROLES

Roles = Mapping[str, tuple[str, ...]] | None
# columns by what they hold: of each, the first that a row has a value for counts
TURNS = ("messages", "conversations", "conversation", "dialogue", "dialog", "dialogs", "turns", "chat",
         "chats", "thread", "contents", "request", "data")  # fmt: skip
ASKED = ("prompt", "input", "inputs", "query", "question", "instruction")
HISTORY = ("history", "chat_history", "conversation_history", "context_history")
ANSWER = ("response", "completion", "output", "answer", "ideal", "reply", "answers")
ANSWER_TO_MESSAGES = ("response", "completion", "reply")  # other names may be what a grader compares with
TEXTS = ("text", "transcript")
SYSTEM = ("system", "system_prompt", "systemInstruction", "system_instruction", "system_message", "developer")
TOOLS = ("tools", "functions", "tool_definitions", "available_tools")
BETTER, WORSE = (
    ("chosen", "preferred", "preferred_output"),
    ("rejected", "non_preferred", "non_preferred_output"),
)
BODIES = ("body", "request", "response", "contents")
COLUMNS = frozenset((*TURNS, *ASKED, *HISTORY, *ANSWER, *TEXTS, *SYSTEM, *TOOLS, *BETTER, *WORSE, *BODIES,
                     "context", "parallel_tool_calls"))  # fmt: skip
QUESTIONS_ONLY = (
    "`turns` has questions only, as MT-Bench does, so there is no answer to learn",
    "Ask them in `eval.prompts`, or add the answers.",
)
LIST_FIX = "Rename the column that holds the turns: `columns: {messages: COLUMN}` on the source."
ANSWER_FIX = "Delete the row, or make `chosen` and `rejected` differ in their last message only."


class Shaped(NamedTuple):
    """A converted row. `places` has, by the path of a message or its content, its place in the row of the
    file.
    """

    values: dict[str, Any]
    places: Mapping[str, str]


def shaped(values: Mapping[str, Any], shape: str, roles: Roles = None) -> Shaped:
    """Return what a row of this shape becomes; ShapeFault if it can't be converted."""
    return SHAPES[shape](values, roles)


def _chat(row: Mapping[str, Any], roles: Roles, *, tags: bool = False) -> Shaped:
    key = turns_key(row) or question_key(row)
    if key is None:
        raise ShapeFault(f"no column holds a list of turns; the row has {', '.join(map(str, row))}", LIST_FIX)
    talk, used = Talk(roles, tags=tags), [key]
    _open(talk, row, used)
    _add_asked(talk, row, key)
    if not talk.messages or talk.messages[-1]["role"] != "assistant":
        used += [_answered(talk, row, used)]
    return _finished(talk, row, used)


def _hermes(row: Mapping[str, Any], roles: Roles) -> Shaped:
    return _chat(row, roles, tags=True)


def _alpaca(row: Mapping[str, Any], roles: Roles) -> Shaped:
    history = next((name for name in HISTORY if name in row), None)
    question = first_of(row, [name for name in ("instruction", *ASKED) if isinstance(row.get(name), str)])
    if question is None:
        raise ShapeFault(f"no column asks; the row has {', '.join(map(str, row))}", "Fill in `instruction`.")
    talk, used = Talk(roles), [question]
    _open(talk, row, used)
    if history is not None:
        used.append(history)
        if decoded(row[history]):
            talk.add_all(row[history], history)
    more = [name for name in ("input", "context") if name != question and isinstance(row.get(name), str)]
    texts = [str(row[name]) for name in (question, *more) if str(row[name]).strip()]
    talk.say("user", "\n\n".join(texts), question)
    used += [*more, _answered(talk, row, [*used, *more])]
    return _finished(talk, row, used)


def _preferences(row: Mapping[str, Any], roles: Roles) -> Shaped:
    better, worse = first_of(row, BETTER), first_of(row, WORSE)
    if better is None or worse is None:
        raise ShapeFault(
            "the row has no `chosen` and `rejected`", "Rename them: `columns: {chosen: COLUMN}`."
        )
    talk, used = Talk(roles), [better, worse]
    _open(talk, row, used)
    history = next((name for name in HISTORY if name in row), None)
    if history is not None:
        used.append(history)
        if decoded(row[history]):
            talk.add_all(row[history], history)
    asked = first_of(row, [name for name in (*TURNS, *ASKED) if name not in used])
    if asked is not None:
        used.append(asked)
        _add_asked(talk, row, asked)
    values = [row[name] for name in (better, worse)]
    if asked is not None and isinstance(row[asked], str) and is_talk(row[asked]):
        values = [value.strip() if isinstance(value, str) else value for value in values]
    answers = [_conversation(one, name, roles) for one, name in zip(values, (better, worse), strict=True)]
    shared = _shared(*(one.messages for one in answers))
    if len(talk.messages) > 1 and talk.messages[-1] == answers[0].messages[-1]:
        del talk.messages[-1], talk.places[-1]  # UltraFeedback: `messages` repeats the chosen answer
    _begin_with(talk, answers[0], shared)
    return _pair(talk, answers, (better, worse), shared, row, used)


def _pair(
    talk: Talk,
    answers: list[Talk],
    names: tuple[str, str],
    shared: int,
    row: Mapping[str, Any],
    used: list[str],
) -> Shaped:
    """Return a preference; each conversation must have one answer after what both share."""
    places: dict[str, str] = {}
    outputs: dict[str, Any] = {}
    for output, name, answer in zip(OUTPUTS, names, answers, strict=True):
        rest = answer.messages[shared:]
        if len(rest) != 1 or rest[0]["role"] != "assistant":
            message = f"{name}[{shared}]: `{names[0]}` and `{names[1]}` differ before their last answers"
            raise ShapeFault(message, ANSWER_FIX)
        outputs[output] = [{key: value for key, value in rest[0].items() if key != "weight"}]
        places |= _places(output, answer, slice(shared, None))
    kept = _kept(row, used)
    asked = {"messages": talk.messages, **({"tools": talk.tools} if talk.tools else {})}
    if isinstance(row.get("parallel_tool_calls"), bool):
        asked["parallel_tool_calls"] = kept.pop("parallel_tool_calls", None)
    talk.keys |= answers[0].keys
    places |= _places("input.messages", talk)
    return Shaped(
        {**{key: one for key, one in kept.items() if key != "input"}, "input": asked, **outputs}, places
    )


def _shared(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> int:
    """Return with how many equal messages both begin; the last of each is its answer."""
    most = min(len(one), len(other)) - 1
    return next((index for index in range(most) if one[index] != other[index]), most)


def _begin_with(talk: Talk, answer: Talk, shared: int) -> None:
    """Make the messages that both answers begin with part of the prompt, which often has them already."""
    begins, places = answer.messages[:shared], answer.places[:shared]
    if not begins or talk.messages[-shared:] == begins:
        return
    system = [one for one in talk.messages if one["role"] in SYSTEM_ROLES]
    said = len(talk.messages) - len(system)
    if begins[0]["role"] in SYSTEM_ROLES:
        system = []
    if said <= 1 or talk.messages[len(talk.messages) - said :] == begins[:said]:  # they are the whole prompt
        talk.messages, talk.places = [*system, *begins], [*talk.places[: len(system)], *places]
    else:
        talk.messages, talk.places = [*talk.messages, *begins], [*talk.places, *places]


def _conversation(value: Any, name: str, roles: Roles) -> Talk:
    """Return the messages of `chosen` or `rejected`: a conversation, or one answer."""
    talk = Talk(roles)
    if is_talk(value):
        talk.add_all(value, name)
    elif isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        talk.say("assistant", value[0], name)
    else:
        talk.say("assistant", text_of(value), name)
    return talk


def _xlam(row: Mapping[str, Any], roles: Roles) -> Shaped:
    for name in ("query", "answers"):
        if row.get(name) in (None, "", []):
            raise ShapeFault(f"the row has no `{name}`", "Fill it in, or delete the row.")
    talk, used = Talk(roles), ["query", "answers"]
    _open(talk, row, used)
    talk.say("user", row["query"], "query")
    calls_of(row["answers"], "`answers`")
    talk.say("call", row["answers"], "answers")
    return _finished(talk, row, used)


def _batch(row: Mapping[str, Any], roles: Roles) -> Shaped:
    request, response = batch_parts(row)
    if request is None or response is None:
        missing = "request" if request is None else "response"
        raise ShapeFault(
            f"the row has no {missing}", "Join each request with its response: {body, response}."
        )
    talk = Talk(roles)
    _open(talk, request, [])
    asked = first_of(request, ("instructions",))
    if asked is not None:
        talk.say("system", request[asked], f"body.{asked}")
    key = "messages" if "messages" in request else "input"
    _add_asked(talk, request, key)
    talk.keys = {f"body.{place}": key for place, key in talk.keys.items()}
    talk.places = [f"body.{place}" for place in talk.places]
    _add_response(talk, response)
    return _finished(talk, row, list(row))


def _add_response(talk: Talk, response: Mapping[str, Any]) -> None:
    choices = response.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        talk.add_all([{"role": "assistant", **dict(choices[0].get("message") or {})}], "response.choices")
        return
    for index, item in enumerate(response.get("output") or ()):
        here = f"response.output[{index}]"
        if isinstance(item, Mapping) and item.get("type") == "function_call":
            talk.say("call", [{**item, "id": item.get("call_id", item.get("id"))}], here)
        elif isinstance(item, Mapping) and item.get("type", "message") == "message":
            talk.say("assistant", text_of(item.get("content")), here)


def batch_parts(row: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """Return the body of a request and that of its response, as the API's batches and logs keep them."""
    request, response = decoded(row.get("body", row.get("request"))), decoded(row.get("response"))
    if isinstance(request, Mapping) and isinstance(request.get("body"), Mapping):
        request = request["body"]
    if isinstance(response, Mapping) and isinstance(response.get("body"), Mapping):
        response = response["body"]
    asks = isinstance(request, Mapping) and ("messages" in request or "input" in request)
    answers = isinstance(response, Mapping) and ("choices" in response or "output" in response)
    return (request if asks else None), (response if answers else None)


def turns_key(row: Mapping[str, Any]) -> str | None:
    """Return the column that holds the turns of a conversation."""
    for names in (TURNS, HISTORY, ASKED, TEXTS):
        for name in names:
            if is_talk(row.get(name), texts=names in (TURNS, HISTORY)):
                return name
    return next((name for name in TURNS if name in row), None)


def question_key(row: Mapping[str, Any]) -> str | None:
    """Return the column with a question as a text, where the answer is a list of messages."""
    answer = first_of(row, ANSWER)
    if answer is None or isinstance(row[answer], str) or not is_talk(row[answer]):
        return None
    return first_of(row, [name for name in ASKED if name != answer and isinstance(row.get(name), str)])


def _open(talk: Talk, row: Mapping[str, Any], used: list[str]) -> None:
    """Take the system prompt and the tools of a row."""
    system = first_of(
        row, [name for name in SYSTEM if isinstance(decoded(row.get(name)), (str, Mapping, list))]
    )
    used += [name for name in SYSTEM if name in row]
    if system is not None:
        text = text_of(decoded(row[system]))
        if isinstance(text, str) and text.strip():
            talk.say("system", text, system)
    if isinstance(row.get("tool_config"), Mapping):
        used.append("tool_config")
    tools = add_tools(talk, row, TOOLS)
    used += [name for name in TOOLS if name == tools or not row.get(name) or decoded(row.get(name)) == []]


def _add_turns(talk: Talk, row: Mapping[str, Any], key: str) -> None:
    turns = turns_in(row[key])
    if key == "turns" and turns and "question_id" in row and all(isinstance(one, str) for one in turns):
        references = decoded(row.get("reference"))
        if not isinstance(references, list) or len(references) != len(turns):
            raise ShapeFault(*QUESTIONS_ONLY)
        turns = [list(pair) for pair in zip(turns, references, strict=True)]
        talk.add_all(turns, key)
        return
    system = talk.messages[0] if talk.messages else None
    talk.add_all(row[key], key)
    if system is not None and len(talk.messages) > 1 and talk.messages[1]["role"] in ("system", "developer"):
        del talk.messages[0], talk.places[0]  # the list brings its own, which mostly is the same


def _add_asked(talk: Talk, row: Mapping[str, Any], key: str) -> None:
    if is_talk(row[key]) or key not in ASKED:
        _add_turns(talk, row, key)
    else:
        talk.say("user", text_of(row[key]), key)


def _answered(talk: Talk, row: Mapping[str, Any], used: list[str]) -> str:
    """Add the answer that a column of its own holds, and return its name ("" if there is none)."""
    names = ANSWER_TO_MESSAGES if used[0] == "messages" else ANSWER
    name = first_of(row, [name for name in names if name not in used])
    if name is None:
        return next((name for name in names if name in row and name not in used), "")
    value = row[name]
    if isinstance(value, str) and isinstance(row.get(used[0]), str):
        value = value.strip()  # it followed the mark of who answers
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        value = value[0]  # OpenAI's evals list every right answer
    if is_talk(value):
        talk.add_all(value, name)
    else:
        talk.say("assistant", text_of(value), name)
    return name


def _finished(talk: Talk, row: Mapping[str, Any], used: list[str]) -> Shaped:
    values: dict[str, Any] = {"messages": talk.messages, **_kept(row, used)}
    if talk.tools:
        values["tools"] = talk.tools
    return Shaped(values, _places("messages", talk))


def _places(path: str, talk: Talk, part: slice = slice(None)) -> dict[str, str]:
    """Return the places of messages that become the list `path`, and of their contents."""
    found = {}
    for index, place in enumerate(talk.places[part]):
        found[f"{path}[{index}]"] = place
        if place in talk.keys:
            found[f"{path}[{index}].content"] = f"{place}.{talk.keys[place]}"
    return found


def _kept(row: Mapping[str, Any], used: list[str]) -> dict[str, Any]:
    """Return the columns that the conversion didn't use."""
    return {name: value for name, value in row.items() if name not in used and name not in CHAT_KEYS[:2]} | {
        name: value for name, value in row.items() if name == "tools" and name not in used and value
    }


SHAPES: Mapping[str, Callable[[Mapping[str, Any], Roles], Shaped]] = {
    "chat": _chat,
    "hermes": _hermes,
    "alpaca": _alpaca,
    "preferences": _preferences,
    "xlam": _xlam,
    "batch": _batch,
}
