"""Turn eval cases that the tuned model failed into rows that await a correct answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ftrun.augment.entries import ReviewEntry, entry_id
from ftrun.augment.row_texts import ANSWER, QUESTION, Fields, RowTexts
from ftrun.errors import UsageError
from ftrun.evaluation.answer_files import ANSWERS, read_records
from ftrun.evaluation.answers import Record
from ftrun.experiment.model import Evaluation, Experiment, Template

TUNED = "tuned"
KEPT_APART = ("test", "general")  # sets of questions that nobody is to learn from
PLACE = "\ue000"  # takes the place of the question while its template is examined


def failed_cases(folder: Path, evaluation: Evaluation) -> list[Record]:
    """Return the answers of the tuned model that failed; UsageError if it was not evaluated yet.

    Questions of the test split stay out, or the next model would be tested on what it was taught; so do those
    about general abilities, which are not what it is for.
    """
    learner = learner_of(evaluation)
    records = [record for record in read_records(folder / ANSWERS) if record.candidate == learner]
    if not records:
        raise UsageError(
            "the tuned model has not been evaluated yet: there are no failures to learn from",
            code="no_answers",
            hint="Run `ftrun run CONFIG` first: it asks the eval prompts.",
        )
    failed = {
        record.prompt_id: record
        for record in reversed(records)
        if record.passed is False and record.set not in KEPT_APART
    }
    return list(reversed(failed.values()))


def learner_of(evaluation: Evaluation) -> str:
    """Return the candidate that is trained: the first that stands for the tuned model."""
    tuned = (one.name for one in evaluation.candidates if one.model == TUNED)
    return next(tuned, next(iter(evaluation.models), TUNED))


def entries_of(
    experiment: Experiment, row_texts: RowTexts, records: Sequence[Record], time: str, run: str
) -> tuple[list[ReviewEntry], list[str]]:
    """Return an entry for each failed case, and the ids of those that the columns can't represent."""
    found, left_out = [], []
    for record in records:
        made = _row(experiment, row_texts, record)
        if made is None:
            left_out.append(record.prompt_id)
            continue
        old, new, rest = made
        by = {"model": record.model, "prompt_id": record.prompt_id, "time": time, "run": run}
        entry = ReviewEntry(
            id=entry_id("failure", record.prompt_id, new, record.answer),
            status="pending",
            kind="failure",
            old=old,
            new=new,
            rest=rest,
            note="; ".join(record.failures),
            made=by,
        )
        found.append(entry)
    return found, left_out


def _row(
    experiment: Experiment, row_texts: RowTexts, record: Record
) -> tuple[Fields, Fields, dict[str, Any]] | None:
    """Return the texts with the wrong answer, those without one, and the rest of a row."""
    if row_texts.chat:
        messages = [dict(message) for message in record.messages]
        asked = {QUESTION: str(messages[-1]["content"])}
        rest = {"messages": [*messages, {"role": "assistant", "content": ""}]}
        return {**asked, ANSWER: record.answer}, {**asked, ANSWER: ""}, rest
    turns = [message for message in record.messages if message["role"] != "system"]
    question = _column(experiment, row_texts, str(turns[-1]["content"])) if len(turns) == 1 else None
    if question is None:
        return None
    empty = dict.fromkeys(row_texts.names, "") | {row_texts.question: question}
    wrong = {**empty, row_texts.answers[0]: record.answer} if row_texts.answers else dict(empty)
    return wrong, empty, {}


def _column(experiment: Experiment, row_texts: RowTexts, text: str) -> str | None:
    """Return the column of the question from which the user template renders `text`, or None."""
    template = experiment.prompt.user
    if template is None:  # several templates make up the conversation
        return None
    before, found, after = _rendered(experiment, row_texts, template, PLACE).partition(PLACE)
    middle = text[len(before) : len(text) - len(after)]
    whole = found and text.startswith(before) and text.endswith(after)
    # a template may change its column, so rendering it again is the test
    if whole and middle and _rendered(experiment, row_texts, template, middle) == text:
        return middle
    return None


def _rendered(experiment: Experiment, row_texts: RowTexts, template: Template, question: str) -> str:
    from ftrun.experiment.templates.rendering import render_alone

    names: dict[str, Any] = dict.fromkeys(row_texts.names, "") | {row_texts.question: question}
    return render_alone(
        experiment, template, "prompt.user", {**names, **experiment.prompt.vars, "row": names}
    )
