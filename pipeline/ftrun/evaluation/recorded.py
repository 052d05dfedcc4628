"""Recorded answers: a file stands for a candidate, and nobody is asked.

A line needs `prompt_id` and `answer`; whole lines of answers.jsonl will do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.errors import DataError, Problem, UserError
from ftrun.evaluation.answers import Record, facts_of, whole_text
from ftrun.evaluation.rescued_files import is_changed, manifest_of
from ftrun.experiment.evaluation import TUNED
from ftrun.experiment.places import shown_path
from ftrun.files import digest
from ftrun.scoring.types import Message, Sample

SHOWN = 3  # ids in a message
MOST_PROBLEMS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnswer:
    """A line: which question, what was answered, and what else is known of it."""

    line: int
    prompt_id: str
    answer: str
    candidate: str | None = None
    model: str | None = None
    repeat: int = 0
    rest: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The answers of one candidate: those to present questions, and the ids of what is missing and extra.

    `model` is who answered, None where the file doesn't say. `taken`: whose answers they are, where the file
    has several candidates' and none of this name. `changed`: it is not what `ftrun rescue` recorded.
    """

    name: str
    file: Path
    records: tuple[Record, ...]
    model: str | None = None
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    taken: str | None = None
    changed: bool = False

    def notes(self) -> Iterator[str]:
        """Yield what to know of them; missing ones are counted elsewhere."""
        file = shown_path(self.file)
        if self.taken is not None:
            yield f"{self.name}: {file} has answers of several candidates; those of {self.taken} are used"
        if self.changed:
            yield f"{self.name}: {file} was changed after it was recorded: its checksum doesn't match"
        if self.extra:
            one = len(self.extra) == 1
            yield (
                f"{self.name}: {file} has answers to {len(self.extra)} question{'' if one else 's'} that "
                f"{'is' if one else 'are'} not asked and therefore ignored: {_some(self.extra)}"
            )


def read_recorded(name: str, file: Path, samples: Sequence[Sample]) -> Recorded:
    """Return the recorded answers of candidate `name`; DataError for lines that are none, UserError where no
    answer is to a present question.
    """
    lines, taken = _of_one_candidate(name, file, list(_lines(file)))
    _refuse_doubles(file, lines)
    asked = {sample.id: sample for sample in samples}
    ours = [line for line in lines if line.prompt_id in asked]
    if asked and not ours:
        raise _none_matches(name, file, lines, list(asked))
    answered = {line.prompt_id for line in lines}
    models = {line.model for line in ours if line.model}
    return Recorded(
        name=name,
        file=file,
        records=tuple(_record(name, asked[line.prompt_id], line) for line in ours),
        model=models.pop() if len(models) == 1 else None,
        missing=tuple(one for one in asked if one not in answered),
        extra=tuple(dict.fromkeys(line.prompt_id for line in lines if line.prompt_id not in asked)),
        taken=None if manifest_of(file) else taken,  # `ftrun rescue` records tuned and base
        changed=is_changed(file),
    )


def _record(name: str, sample: Sample, line: RecordedAnswer) -> Record:
    messages, usage, calls = (line.rest.get(one) for one in ("messages", "usage", "tool_calls"))
    seconds, refusal = line.rest.get("seconds"), line.rest.get("refusal")
    return Record(
        prompt_id=sample.id,
        candidate=name,
        model=line.model or "",
        messages=_chat(messages) or sample.messages,
        answer=whole_text(line.answer),
        passed=None,
        usage=usage if isinstance(usage, Mapping) else {},
        seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        # of a file, so that no question that is asked is ever answered by it
        cache_key=digest({"recorded": [name, sample.id, line.repeat, line.answer]}),
        refusal=refusal if isinstance(refusal, str) else None,
        tool_calls=tuple(one for one in calls if isinstance(one, Mapping)) if isinstance(calls, list) else (),
        repeat=line.repeat,
        **facts_of(sample),
    )


def _chat(messages: Any) -> tuple[Message, ...]:
    """Return the messages of a line, nothing if they are not a chat."""
    found = tuple(messages) if isinstance(messages, list) else ()
    sound = all(isinstance(one, Mapping) and isinstance(one.get("role"), str) for one in found)
    return found if sound and all("content" in one for one in found) else ()


def _lines(file: Path) -> Iterator[RecordedAnswer]:
    """Yield the answers of a file; DataError with the places of all lines that are none."""
    problems = []
    for number, text in enumerate(_bytes(file).removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not text.strip():
            continue
        found = _answer_in(number, text)
        if isinstance(found, RecordedAnswer):
            yield found
        else:
            problems.append(Problem(found, code="recorded_answers", file=shown_path(file), line=number))
    if problems:
        hint = 'Each line is a JSON object with at least "prompt_id" and "answer", both texts.'
        for problem in problems:
            problem.hint = hint
        raise DataError(problems[0].message, problems=problems[:MOST_PROBLEMS])


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(
            f"the recorded answers can't be read: {error.strerror}",
            code="recorded_answers",
            file=shown_path(file),
            hint="`answers:` is a file of JSON lines, relative to the experiment file.",
        ) from error


def _answer_in(number: int, text: bytes) -> RecordedAnswer | str:
    """Return the answer in a line, or what is wrong with the line."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        return "this line is not JSON"
    if not isinstance(values, dict):
        return "this line is not a JSON object"
    for key in ("prompt_id", "answer"):
        if not isinstance(values.get(key), str):
            return f"this line has no `{key}` that is a text"
    repeat = values.get("repeat", 0)
    candidate, model = (values.get(key) for key in ("candidate", "model"))
    return RecordedAnswer(
        line=number,
        prompt_id=values["prompt_id"],
        answer=values["answer"],
        candidate=candidate if isinstance(candidate, str) else None,
        model=model if isinstance(model, str) and model else None,
        repeat=repeat if isinstance(repeat, int) and repeat >= 0 else 0,
        rest=values,
    )


def _of_one_candidate(
    name: str, file: Path, lines: list[RecordedAnswer]
) -> tuple[list[RecordedAnswer], str | None]:
    """Return the lines of one candidate, and its name where it was chosen among several."""
    names = list(dict.fromkeys(line.candidate for line in lines))
    if len(names) < 2:
        return lines, None
    # a file of several candidates stands for the tuned one if it has none of the name
    chosen = name if name in names else TUNED if TUNED in names else None
    if chosen is None:
        held = ", ".join(repr(one) for one in names if one)
        raise UserError(
            f"the file has answers of several candidates ({held}), and none is called {name!r}",
            code="recorded_answers",
            file=shown_path(file),
            hint="Give the entry of `eval.models` the name of one of them, or keep the lines of one only.",
        )
    ours = [line for line in lines if line.candidate == chosen]
    return ours, None if chosen == name else chosen


def _refuse_doubles(file: Path, lines: Sequence[RecordedAnswer]) -> None:
    """Refuse two different answers to one question: which one counts is not for us to say."""
    seen: dict[tuple[str, int], RecordedAnswer] = {}
    for line in lines:
        first = seen.setdefault((line.prompt_id, line.repeat), line)
        if first is not line:
            raise DataError(
                f"{line.prompt_id!r} is answered here again (first in line {first.line})",
                code="recorded_answers",
                file=shown_path(file),
                line=line.line,
                hint="Keep one line, or number several answers to one question with `repeat`: 0, 1, …",
            )


def _none_matches(name: str, file: Path, lines: Sequence[RecordedAnswer], asked: Sequence[str]) -> UserError:
    theirs = f"they are for {_some([line.prompt_id for line in lines])}" if lines else "the file has none"
    return UserError(
        f"none of the recorded answers of {name!r} is to a question of this experiment: {theirs}, and the "
        f"questions are {_some(asked)}",
        code="recorded_answers",
        file=shown_path(file),
        hint="`prompt_id` must be the `id` of an eval prompt; answers.jsonl of a run has them.",
    )


def _some(ids: Sequence[str]) -> str:
    more = ", …" if len(ids) > SHOWN else ""
    return ", ".join(repr(one) for one in ids[:SHOWN]) + more
