"""Training rows by method: chats, prompt and completion, preferences, questions for a grader.

Each is what the fine-tuning API takes as a line of a file. What a provider can't do with a sound row is in
targets/training_rules.py.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any

from ftrun.protocol.faults import Example, Fault, shown
from ftrun.protocol.functions import Functions, functions_of
from ftrun.protocol.messages import MALFORMED, ending_faults, message_faults
from ftrun.protocol.plain_chats import chat_of, is_sound_example
from ftrun.protocol.spec import (
    CHAT_KEYS,
    COMPLETION_KEYS,
    LEGACY_KEYS,
    OUTPUTS,
    PICTURES,
    PREFERENCE_KEYS,
    RECORDINGS,
    Method,
)

WARNINGS = frozenset(("ignored_key", "late_system"))
IMAGE_KEYS, MEDIA_KEYS = frozenset(PICTURES.split()), frozenset(RECORDINGS.split())


def is_ready(values: Mapping[str, Any], method: Method) -> bool:
    """Return whether a row of data already is a training row and needs no templates."""
    if method == "dpo":
        return isinstance(values.get("input"), Mapping)
    return isinstance(values.get("messages"), list)


def other_method(values: Mapping[str, Any], method: Method) -> Fault | None:
    """Return the fault of a row that is not ready for `method` but for another one."""
    if method != "dpo" and is_ready(values, "dpo") and OUTPUTS[0] in values:
        hint = "Set `train.method: dpo`, or turn them into chats."
        return Fault("other_method", f"the rows are preferences, but the method is {method}", hint=hint)
    if method == "dpo" and is_ready(values, "supervised"):
        hint = "Remove `train.method`, or set both answers: prompt.preferred and prompt.non_preferred."
        return Fault("other_method", "the rows are chats, but the method is dpo", hint=hint)
    return None


def is_completion(row: Example) -> bool:
    """Return whether a row has the older shape, a text and its continuation."""
    return isinstance(row.get("prompt"), str) and isinstance(row.get("completion"), str)


def parts_of(row: Example) -> Iterator[tuple[str, Sequence[Mapping[str, Any]]]]:
    """Yield (path, messages) of every list of messages in a sound row; KeyError if it is damaged."""
    if "input" in row:
        yield "input.messages", row["input"]["messages"]
        for key in OUTPUTS:
            yield key, row[key]
    elif not is_completion(row):
        yield "messages", row["messages"]


def messages_of(row: Example) -> list[Mapping[str, Any]]:
    """Return all messages of a sound row; both answers of a preference, none of a completion."""
    if "messages" in row:
        return list(row["messages"])
    return [message for _, messages in parts_of(row) for message in messages]


def asked_of(row: Example) -> Mapping[str, Any]:
    """Return the mapping that holds `messages` and `tools`: the row itself, or a preference's `input`."""
    found: Mapping[str, Any] = row.get("input", row)
    return found


def training_row(values: Mapping[str, Any], method: Method) -> dict[str, Any]:
    """Return a ready row as it is written: without keys that the API doesn't know, except for a grader."""
    if method == "reinforcement":
        return dict(values)
    if method == "dpo":
        asked = values["input"]
        kept = {key: asked[key] for key in CHAT_KEYS if key in asked}
        return {"input": kept, **{key: values[key] for key in OUTPUTS if key in values}}
    keys = COMPLETION_KEYS if "messages" not in values else CHAT_KEYS
    return {key: values[key] for key in keys if key in values}


def row_faults(row: Example, method: Method) -> Iterator[Fault]:
    """Yield what is wrong with a training row."""
    if method == "dpo":
        yield from _preference_faults(row)
    elif method == "reinforcement":
        yield from _graded_faults(row)
    elif "messages" in row:
        yield from _chat_faults(row)
    else:
        yield from _completion_faults(row)


def key_faults(values: Mapping[str, Any], method: Method, used: Container[Any] = ()) -> Iterator[Fault]:
    """Yield a fault for each key of a ready row that the API doesn't know, unless it is in `used`."""
    known = PREFERENCE_KEYS if method == "dpo" else CHAT_KEYS if "messages" in values else COMPLETION_KEYS
    for key in values:
        if key in LEGACY_KEYS:
            yield Fault("legacy_functions", f"the row has `{key}`, the older form of tools")
        elif key not in known and key not in used and method != "reinforcement":
            yield from _ignored(str(key), values[key], known)
    asked = values.get("input")
    for key in asked if method == "dpo" and isinstance(asked, Mapping) else ():
        if key in LEGACY_KEYS:
            yield Fault("legacy_functions", f"the row has `input.{key}`, the older form of tools")
        elif key not in CHAT_KEYS:
            yield Fault("ignored_key", f"`input` has the key {key!r}; only `messages` and tools are used")


def _image_fix(name: str) -> str:
    return (
        'Write each into its message, for a target that takes images: "content": [{"type": "image_url", '
        '"image_url": {"url": "https://…"}}, {"type": "text", "text": "…"}]. '
        f"Or leave these rows out: `where: not ({name} | default(''))` on the source."
    )


def _ignored(key: str, value: Any, known: Sequence[str]) -> Iterator[Fault]:
    """Yield the fault of a key that has no effect; of pictures and recordings it says what that means."""
    plain = "".join(filter(str.isalpha, key)).casefold()
    name = key if key.isidentifier() else f"row[{key!r}]"
    if plain in IMAGE_KEYS | MEDIA_KEYS and not value:
        return
    if plain in IMAGE_KEYS:
        words = f"the rows have the key {key!r}, but its pictures are not used"
        yield Fault("ignored_key", words, hint=_image_fix(name))
    elif plain in MEDIA_KEYS:
        words = f"the rows have the key {key!r}, but its recordings are not used"
        fix = (
            f"Only texts and images can be taught: `where: not ({name} | default(''))` leaves these rows out."
        )
        yield Fault("ignored_key", words, hint=fix)
    else:
        listed = ", ".join(f"`{one}`" for one in known)
        yield Fault("ignored_key", f"the rows have the key {key!r}; only {listed} are used")


def _chat_faults(row: Example) -> Iterator[Fault]:
    chat = chat_of(row)
    if chat is not None and is_sound_example(chat):
        return
    malformed = not row["messages"]
    for fault in _asked_faults(row, ""):
        malformed = malformed or fault.code in MALFORMED
        yield fault
    if not malformed:
        yield from ending_faults(row["messages"])


def _asked_faults(asked: Mapping[str, Any], above: str) -> Iterator[Fault]:
    """Yield the faults of `messages` and the tools beside them."""
    functions = _functions(asked, above)
    yield from functions.faults if functions else ()
    parallel = asked.get("parallel_tool_calls", True)
    if not isinstance(parallel, bool):
        words = f"`{above}parallel_tool_calls` is {shown(parallel)}, not true or false"
        yield Fault("parallel_calls", words, hint="Write true or false, without quotes.")
    elif "parallel_tool_calls" in asked and functions is None and not _says_none(asked, above):
        words = f"`{above}parallel_tool_calls` is set without `tools`"
        yield Fault("parallel_calls", words, hint="Delete it, or add `tools` to the row.")
    yield from message_faults(
        asked.get("messages"),
        prefix=f"{above}messages",
        functions=functions,
        parallel=parallel is not False,
    )


def _functions(asked: Mapping[str, Any], above: str) -> Functions | None:
    if asked.get("tools") is None or _says_none(asked, above):
        return None
    return functions_of(asked["tools"], f"{above}tools")


def _says_none(asked: Mapping[str, Any], above: str) -> bool:
    """Return whether a preference has an empty list of tools, which is how OpenAI's guide writes it."""
    return above != "" and asked.get("tools") == []


def _completion_faults(row: Example) -> Iterator[Fault]:
    for key in COMPLETION_KEYS:
        value = row.get(key)
        if not isinstance(value, str):
            yield Fault("content_type", f"`{key}` is {shown(value)}, not a string")
    completion = row.get("completion")
    if isinstance(completion, str) and not completion.strip():
        yield Fault("empty_content", "`completion` is empty")


def _preference_faults(row: Example) -> Iterator[Fault]:
    asked = row.get("input")
    if not isinstance(asked, Mapping):
        words = f"is {shown(asked)}, not an object" if "input" in row else "is missing"
        yield Fault("preference", f"`input` {words}")
        return
    yield from _asked_faults(asked, "input.")
    if (last := _answered(asked)) is not None:
        words = "input.messages ends with an assistant message, but both answers have keys of their own"
        yield Fault("preference", words, f"input.messages[{last}]")
    functions = _functions(asked, "input.")
    for key in OUTPUTS:
        yield from _output_faults(key, row.get(key), functions)
    if row.get(OUTPUTS[0]) == row.get(OUTPUTS[1]) and isinstance(row.get(OUTPUTS[0]), list):
        yield Fault("equal_outputs", "`preferred_output` and `non_preferred_output` are the same")


def _output_faults(key: str, output: Any, functions: Functions | None) -> Iterator[Fault]:
    if not isinstance(output, list) or len(output) != 1 or _role(output[0]) != "assistant":
        words = f"is {shown(output)}; it must be a list of one assistant message" if output else "is missing"
        yield Fault("preference", f"`{key}` {words}")
        return
    yield from message_faults(output, prefix=key, functions=functions)
    if "weight" in output[0]:
        yield Fault("weight", f"{key}[0].weight has no meaning in a preference")


def _graded_faults(row: Example) -> Iterator[Fault]:
    yield from _asked_faults(row, "")
    if (last := _answered(row)) is not None:
        words = "the last message is from the assistant, but the model should answer by itself"
        yield Fault("last_is_assistant", words, f"messages[{last}]")


def _answered(asked: Mapping[str, Any]) -> int | None:
    """Return the index of the last message if it is the assistant's, else None."""
    messages = asked.get("messages")
    if isinstance(messages, list) and messages and _role(messages[-1]) == "assistant":
        return len(messages) - 1
    return None


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, Mapping) else None
