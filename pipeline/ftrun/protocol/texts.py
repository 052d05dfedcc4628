"""The texts of a row, whatever its shape: where each is, who says it, and whether it is trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ftrun.protocol.faults import Example
from ftrun.protocol.plain_chats import chat_of
from ftrun.protocol.training_rows import is_completion, parts_of

NO_TEXT = frozenset(("role", "type", "weight", "id", "tool_call_id", "detail", "image_url", "tools"))


class Text(NamedTuple):
    """One text of a row: its field (such as messages[2].content), its speaker's role, and itself."""

    field: str
    role: str | None
    text: str


def is_answer(text: Text) -> bool:
    """Return whether the model should say this: an assistant's content, a part of it, or a completion."""
    content = text.role == "assistant" and text.field.rpartition(".")[2] in ("content", "text")
    return content or text.field == "completion"


class TrainedText(NamedTuple):
    """A text of a row: its path, who says it (role and name), and whether it is trained on.

    In a preference both outputs are: the model learns to prefer the first and to avoid the other.
    """

    path: str
    role: str
    text: str
    trained: bool
    name: str | None = None


def texts_of(row: Mapping[str, Any]) -> list[Text]:
    """Return the texts of a row in order; roles, ids, images and schemas of tools are not among them."""
    return list(_walk(row, "", None))


def _walk(value: Any, field: str, role: str | None) -> Iterator[Text]:
    if isinstance(value, str):
        yield Text(field, role, value)
    elif isinstance(value, Mapping):
        said_by = value.get("role")
        role = said_by if isinstance(said_by, str) else role
        for key, inner in value.items():
            if key not in NO_TEXT:
                yield from _walk(inner, f"{field}.{key}" if field else str(key), role)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{field}[{index}]", role)


def contents(row: Mapping[str, Any]) -> list[str]:
    """Return the bare texts of a row; fast for a plain chat."""
    chat = chat_of(row)
    return [one.text for one in _walk(row, "", None)] if chat is None else chat.texts


def dialogue(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return (role, text) of each message in order; of a preference, the preferred answer comes last."""
    messages = row.get("messages")
    if messages is None:
        given = row.get("input")
        messages = [*(given.get("messages", ()) if isinstance(given, Mapping) else ())]
        messages += [*(row.get("preferred_output") or ())]
    return [(str(one.get("role")), plain_text(one.get("content"))) for one in messages]


def last_question(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the text of the last user message, "" without one."""
    return next(
        (plain_text(one.get("content")) for one in reversed(messages) if one.get("role") == "user"), ""
    )


def plain_text(content: Any) -> str:
    """Return the text of a message's content, or of its parts; "" without one."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, (list, tuple)) else ()
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return "\n".join(text for text in texts if isinstance(text, str))


def trained_texts(row: Example) -> Iterator[TrainedText]:
    """Yield every text of a sound row in order: contents, calls, and images by their address.

    The assistant's contents and calls are trained on unless their `weight` is 0. In a preference only the two
    outputs are; in a row for a grader nothing is, since the model's own answers are graded.
    """
    if is_completion(row) and "messages" not in row:
        yield TrainedText("prompt", "prompt", row["prompt"], False)
        yield TrainedText("completion", "completion", row["completion"], True)
        return
    graded = "messages" in row and not any(one["role"] == "assistant" for one in row["messages"][-1:])
    for path, messages in parts_of(row):
        context = graded or path == "input.messages"
        for index, message in enumerate(messages):
            trained = message["role"] == "assistant" and message.get("weight") != 0 and not context
            yield from _message_texts(f"{path}[{index}]", message, trained)


def _message_texts(place: str, message: Mapping[str, Any], trained: bool) -> Iterator[TrainedText]:
    role, content, name = message["role"], message.get("content"), message.get("name")
    if isinstance(content, str) and content:
        yield TrainedText(f"{place}.content", role, content, trained, name)
    for number, part in enumerate(content if isinstance(content, list) else ()):
        where = f"{place}.content[{number}]"
        if part["type"] == "text":
            yield TrainedText(f"{where}.text", role, part["text"], trained, name)
        else:
            yield TrainedText(f"{where}.image_url", role, part["image_url"]["url"], False, name)
    for number, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        text = f"{function['name']}({function['arguments']})"
        yield TrainedText(f"{place}.tool_calls[{number}]", role, text, trained, name)
