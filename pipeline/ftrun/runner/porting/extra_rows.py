"""Files that porting makes next to the new experiment: rows without those that can't be used, rows with the
old model's answers, and the questions that are left to ask.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.data.pipeline.own_rows import BOM
from ftrun.data.readers.json_rows import canonical_line
from ftrun.errors import UsageError
from ftrun.evaluation.asked.row_samples import row_sample
from ftrun.evaluation.asked.samples import with_own_ids
from ftrun.experiment.evaluation import TUNED
from ftrun.experiment.model import EvalPrompt, Experiment
from ftrun.runner.porting.questions import OldAnswers
from ftrun.runner.porting.rows import RowFacts, kept_lines, ready_files
from ftrun.scoring.types import Sample

WITH_ANSWERS = "--with-answers"
MOST_ASKED = 200  # rows of a validation file
COMPLETE = (None, "stop")  # how an answer ended that was not cut


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFile:
    """A file to write: where, its content, and how the new experiment names it."""

    path: Path
    content: bytes
    named: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """Rows made of the old model's answers, and how many answers could not be used or repeat a row."""

    lines: tuple[bytes, ...]
    unused: int = 0
    repeated: int = 0


def made_file(experiment: Experiment, name: str, what: str, content: bytes) -> MadeFile:
    """Return a file in the data folder of the experiment."""
    named = f"data/{name}.{what}.jsonl"
    return MadeFile(path=experiment.file.parent / named, content=content, named=named)


def without_rows(experiment: Experiment, rows: RowFacts, name: str) -> dict[str, MadeFile]:
    """Return the files without rows that can't be used, by role."""
    ready = ready_files(experiment)
    return {
        role: made_file(experiment, name, role, kept_lines(ready[role], lines))
        for role, lines in rows.wrong.items()
        if rows.separable
    }


def refuse_answers_as_rows(experiment: Experiment, answers: OldAnswers | None) -> None:
    """Raise a UsageError where the old model's answers can't become training rows."""
    if answers is None:
        raise UsageError(
            f"{WITH_ANSWERS} needs recorded answers, and --without-old says that there are none", code="usage"
        )
    if not ready_files(experiment):
        raise UsageError(
            f"{WITH_ANSWERS} needs ready training rows (`data.verbatim`), as imported experiments have them",
            code="usage",
            hint="Export the rows as chats first (`ftrun data`), or leave out the option.",
        )


def answers_as_rows(answers: OldAnswers, ids: Collection[str], training: bytes) -> Added:
    """Return the old model's answers to these questions as rows, without those that a row says already."""
    known = {canonical_line(one.get("messages")) for one in rows_of(training)}
    questions = {str(one.get("id")): one for one in rows_of(answers.files.questions.read_bytes())}
    lines, unused, repeated = list[bytes](), 0, 0
    for one in rows_of(answers.files.answers.read_bytes()):
        key = str(one.get("prompt_id"))
        if key not in ids or one.get("candidate", TUNED) != TUNED or one.get("repeat", 0) != 0:
            continue
        messages = _asked(one, questions.get(key, {}))
        if not messages or not _usable(one):
            unused += 1
            continue
        chat = [*messages, {"role": "assistant", "content": one["answer"]}]
        if canonical_line(chat) in known:
            repeated += 1
            continue
        known.add(canonical_line(chat))
        lines.append(json.dumps({"messages": chat}, ensure_ascii=False).encode() + b"\n")
    return Added(lines=tuple(lines), unused=unused, repeated=repeated)


def _usable(answer: Mapping[str, Any]) -> bool:
    """Return whether an answer is a whole text: not refused, filtered, cut, or a call of tools."""
    text = answer.get("answer")
    whole = (
        answer.get("finish_reason") in COMPLETE and not answer.get("refusal") and not answer.get("tool_calls")
    )
    return whole and isinstance(text, str) and bool(text.strip())


def _asked(answer: Mapping[str, Any], question: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return what was asked, with the system prompt, as the answer's line or else the question says."""
    sent = answer.get("messages")
    if isinstance(sent, list) and sent:
        return list(sent)
    if isinstance(question.get("messages"), list):
        return list(question["messages"])
    user, system = question.get("user"), question.get("system")
    if not isinstance(user, str):
        return []
    head = [{"role": "system", "content": system}] if isinstance(system, str) else []
    return [*head, {"role": "user", "content": user}]


def with_rows(training: bytes, added: Added) -> bytes:
    """Return a training file with more rows at its end."""
    whole = training.removeprefix(BOM)
    end = b"" if whole.endswith(b"\n") or not whole else b"\n"
    return b"".join([whole, end, *added.lines])


def trained_ids(answers: OldAnswers, training: bytes) -> frozenset[str]:
    """Return the ids of the questions that a training row asks word for word, system prompt included."""
    chats = (one.get("messages") for one in rows_of(training))
    taught = {canonical_line(chat[:-1]) for chat in chats if isinstance(chat, list) and chat}
    return frozenset(
        str(one.get("id"))
        for one in rows_of(answers.files.questions.read_bytes())
        if canonical_line(_asked({}, one)) in taught
    )


def other_questions(answers: OldAnswers, ids: Collection[str]) -> bytes:
    """Return the file of questions without these."""
    found = answers.files.questions.read_bytes().splitlines(keepends=True)
    return b"".join(line for line in found if line.strip() and str(json.loads(line).get("id")) not in ids)


def own_questions(experiment: Experiment) -> tuple[EvalPrompt, ...]:
    """Return questions of the validation file: what can be asked where nothing was recorded."""
    path = ready_files(experiment).get("validation")
    if path is None:
        return ()
    lines = [line for line in path.read_bytes().removeprefix(BOM).splitlines() if line.strip()]
    chosen = set(sorted(range(len(lines)), key=lambda one: hashlib.sha256(lines[one]).digest())[:MOST_ASKED])
    graded = experiment.train.method == "reinforcement"
    rows = (one for index, line in enumerate(lines) if index in chosen for one in rows_of(line))
    samples = [row_sample(row, "prompts", "validation", graded=graded) for row in rows]
    return tuple(map(_prompt, with_own_ids(one for one in samples if isinstance(one, Sample))))


def _prompt(sample: Sample) -> EvalPrompt:
    return EvalPrompt(
        id=sample.id,
        messages=sample.messages,
        own_system=True,
        reference=sample.reference,
        expect=sample.expect,
        tools=sample.tools,
    )


def question_lines(prompts: Sequence[EvalPrompt]) -> bytes:
    """Return questions as lines of a file of them."""
    entries = (
        {
            "id": one.id,
            "messages": list(one.messages or ()),
            "reference": one.reference,
            "expect": one.expect,
            "tools": list(one.tools),
        }
        for one in prompts
    )
    return b"".join(
        json.dumps({key: value for key, value in entry.items() if value}, ensure_ascii=False).encode() + b"\n"
        for entry in entries
    )


def rows_of(content: bytes) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of lines; what is none is left to those who check the file."""
    for line in content.removeprefix(BOM).splitlines():
        try:
            one = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(one, dict):
            yield one
