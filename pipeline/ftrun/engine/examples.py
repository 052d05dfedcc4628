"""What a training file must look like: JSONL chat rows, read line by line, and the default of n_epochs.

Both the server (before a job is queued) and the backends read files through this.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ftrun.engine.backends import Rejected

FEWEST_EXAMPLES = 10
ROLES = ("system", "developer", "user", "assistant")
ROW_KEYS = frozenset({"messages"})
# what other servers of the protocol train on, in words for whoever tries it here
ELSEWHERE = {
    "tools": "tools",
    "parallel_tool_calls": "tools",
    "functions": "functions",
    "function_call": "functions",
    "input": "preferences (DPO)",
    "preferred_output": "preferences (DPO)",
    "non_preferred_output": "preferences (DPO)",
    "prompt": "prompts and completions",
    "completion": "prompts and completions",
}
MESSAGE_KEYS = frozenset({"role", "content", "name", "weight"})


def read_examples(path: Path, *, param: str) -> Iterator[list[dict[str, Any]]]:
    """Yield each row's messages; raise Rejected with the line (from 1) of the first that can't be used."""
    for _, messages in enumerate_examples(path, param=param):
        yield messages


def enumerate_examples(path: Path, *, param: str) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yield (line, messages) as `read_examples` does."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, _Row(number, param).messages(line)


def count_examples(path: Path, *, param: str) -> int:
    """Validate a whole file and return its number of examples; raise Rejected if there are too few."""
    count, last = 0, 0
    for line, _ in enumerate_examples(path, param=param):
        count, last = count + 1, line
    fewest = FEWEST_EXAMPLES if param == "training_file" else 1
    if count < fewest:
        raise Rejected(
            f"The {param} ends at line {last} with {count} example{'' if count == 1 else 's'}; "
            f"it needs at least {fewest}.",
            code="too_few_examples",
            param=param,
        )
    return count


def default_epochs(examples: int) -> int:
    """Return what n_epochs "auto" means: 3, more for small files (at most 25), fewer for very big ones."""
    if 3 * examples < 100:
        return max(1, min(25, 100 // examples))
    if 3 * examples > 25_000:
        return max(1, 25_000 // examples)
    return 3


class _Row:
    """One line of a file, for messages that name it."""

    def __init__(self, number: int, param: str) -> None:
        self.number, self.param = number, param

    def reject(self, message: str) -> NoReturn:
        raise Rejected(f"Line {self.number} of the {self.param}: {message}", param=self.param)

    def messages(self, line: bytes) -> list[dict[str, Any]]:
        row = self._json(line)
        for key in row if isinstance(row, dict) else ():
            if key in ELSEWHERE:
                words = f'it has "{key}", but this version of the engine does not train on {ELSEWHERE[key]}'
                self.reject(f'{words}: it takes chats, rows with "messages" alone.')
        if not isinstance(row, dict) or not isinstance(row.get("messages"), list):
            self.reject('it must be a JSON object with a list "messages".')
        if unknown := sorted(row.keys() - ROW_KEYS):
            self.reject(f'"{unknown[0]}" is not supported by this engine; only "messages" is.')
        messages: list[dict[str, Any]] = row["messages"]
        for index, message in enumerate(messages):
            self._check(f"messages[{index}]", message)
        if not any(message["role"] == "assistant" and message.get("weight") != 0 for message in messages):
            self.reject("there is no assistant message to learn from.")
        return messages

    def _json(self, line: bytes) -> Any:
        try:
            return json.loads(line.decode("utf-8-sig" if self.number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            self.reject(f"it is not UTF-8 (byte {error.start + 1}).")
        except (ValueError, RecursionError) as error:
            self.reject(f"it is not JSON: {error}.")

    def _check(self, place: str, message: Any) -> None:
        if not isinstance(message, dict):
            self.reject(f"{place} must be an object.")
        if message.get("role") not in ROLES:
            self.reject(f"{place}.role must be one of {', '.join(ROLES)}, not {message.get('role')!r}.")
        if unknown := sorted(message.keys() - MESSAGE_KEYS):
            self.reject(f"{place}.{unknown[0]} is not supported by this engine.")
        content = _joined(message.get("content"))
        if not isinstance(content, str) or not _is_text(content):
            self.reject(f"{place}.content must be a text, or parts of the type 'text'.")
        message["content"] = content
        weight = message.get("weight")
        if weight is not None and (message["role"] != "assistant" or weight not in (0, 1)):
            self.reject(f"{place}.weight must be 0 or 1 and stand at an assistant message.")


def _joined(content: Any) -> Any:
    """Return content in parts as one text, as the chat endpoint joins it; what else it is unchanged."""
    if not isinstance(content, list) or not content:
        return content
    texts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
    whole = len(texts) == len(content) and all(isinstance(text, str) for text in texts)
    return "".join(map(str, texts)) if whole else content


def _is_text(content: str) -> bool:
    """Say whether `content` can be written as UTF-8: JSON may smuggle in half a surrogate pair."""
    return content.isascii() or not any("\ud800" <= character <= "\udfff" for character in content)
