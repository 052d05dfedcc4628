"""Which texts of a row are its question and its answer, and how new texts become a row.

A row is made of columns that the prompt's templates name, or it is a ready chat, whose last question and
last answer count.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ftrun.errors import ConfigError
from ftrun.experiment.model import Experiment, Prompt, Template

Fields = dict[str, str]
QUESTION, ANSWER = "question", "answer"  # what the texts of a ready chat are called


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTexts:
    """The texts of a row: `question` is reworded, `answers` are learned; `names` are all, in order."""

    question: str
    answers: tuple[str, ...]
    names: tuple[str, ...]
    chat: bool = False

    def fields_of(self, values: Mapping[str, Any]) -> Fields | None:
        """Return the texts of a row, None if its question or an answer is not text."""
        if self.chat:
            found = _turns_of(values)
            fields = found and {QUESTION: found[0]["content"], ANSWER: found[1]["content"]}
        else:
            fields = {name: values[name] for name in self.names if isinstance(values.get(name), str)}
        return fields if fields and not self.missing(fields) else None

    def rest_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the other values of a row; the whole row of a chat, whose texts are replaced."""
        if self.chat:
            return dict(values)
        return {name: value for name, value in values.items() if name not in (self.fields_of(values) or {})}

    def row(self, rest: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
        """Return the row made of `rest` and the texts `fields`."""
        if not self.chat:
            return {**fields, **rest}
        row = copy.deepcopy(dict(rest))
        turns = _turns_of(row)
        if turns is not None:
            turns[0]["content"], turns[1]["content"] = fields[QUESTION], fields[ANSWER]
        return row

    def missing(self, fields: Mapping[str, str]) -> list[str]:
        """Return the names of the texts that are needed and empty."""
        return [name for name in (self.question, *self.answers) if not fields.get(name, "").strip()]


def row_texts_of(experiment: Experiment) -> RowTexts:
    """Return which texts the rows have; ConfigError if it is unclear which text is the question."""
    turns = list(_templates(experiment.prompt))
    if not turns:
        return RowTexts(question=QUESTION, answers=(ANSWER,), names=(QUESTION, ANSWER), chat=True)
    from ftrun.experiment.templates.syntax import columns_of  # imports jinja2

    asked = [name for role, one in turns if role == "user" for name in columns_of(experiment, one)]
    answers = [name for role, one in turns if role == "assistant" for name in columns_of(experiment, one)]
    answers = [name for name in dict.fromkeys(answers) if name not in asked]
    question = _question(experiment, list(dict.fromkeys(asked)))
    names = tuple(dict.fromkeys((question, *asked, *answers)))
    return RowTexts(question=question, answers=tuple(answers), names=names)


def _question(experiment: Experiment, asked: list[str]) -> str:
    given = experiment.data.augment.question
    if given is not None and given not in asked:
        message = f"data.augment.question: no template of a user message uses the column {given!r}"
        raise ConfigError(message, code="question", hint=f"They use: {', '.join(asked) or 'none'}.")
    if given is None and len(asked) != 1:
        columns = ", ".join(asked) or "no column"
        raise ConfigError(
            f"the templates of the user messages use {columns}: which of them is the question?",
            code="question",
            hint=f"Set it: data: {{augment: {{question: {asked[-1] if asked else 'COLUMN'}}}}}.",
        )
    return given or asked[0]


def _templates(prompt: Prompt) -> Iterator[tuple[str, Template]]:
    outputs = (prompt.assistant, prompt.preferred, prompt.non_preferred)
    for role, one in (("user", prompt.user), *(("assistant", output) for output in outputs)):
        if one is not None:
            yield role, one
    for message in prompt.messages or ():
        yield from ((message.role, one) for one in _leaves(message.content))


def _leaves(tree: Any) -> Iterator[Template]:
    """Yield the templates of a content, which is one or a list of parts that hold some."""
    if isinstance(tree, Template):
        yield tree
    elif isinstance(tree, (Mapping, tuple)):
        for one in tree.values() if isinstance(tree, Mapping) else tree:
            yield from _leaves(one)


def _turns_of(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the last question and the answer that ends a chat; None where they are not two texts."""
    messages = values.get("messages")
    if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
        return None
    users = [one for one in messages if one.get("role") == "user"]
    if not users or messages[-1].get("role") != "assistant":
        return None
    pair = users[-1], messages[-1]
    return pair if all(isinstance(one.get("content"), str) for one in pair) else None
