"""Trying a draft before it is written: the check of `ftrun check` over all rows, and questions from them."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ftrun.cost.tokens import text_counter
from ftrun.data.pipeline.checking import examine
from ftrun.errors import FtrunError, Problem
from ftrun.evaluation.asked.system_prompt import most_common_system
from ftrun.experiment import build_experiment, read_document
from ftrun.files import make_folder, write_atomic
from ftrun.targets.known_languages import language_note

MOST_TOKENS, FEWEST_TOKENS, STEP = 1024, 64, 32
FEWEST_LABEL_TOKENS = 8
USUAL_TOKENS = 256
QUANTILE = 0.95
EACH = 3  # questions that were held out, and that are taught
LONGEST_QUESTION, LONGEST_ANSWER = 200, 1200  # characters
MOST_READ = 20_000  # lines of a prepared file
Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalQuestion:
    """A question of the data: `user`, or whole `messages`; `system` is its own prompt if `own_system`."""

    id: str
    user: str | None
    messages: Messages
    system: str | None
    own_system: bool
    reference: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a draft is like: what is wrong, what its model doesn't know, and what it should ask.

    `tested` is the size of the test split.
    """

    errors: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    questions: tuple[EvalQuestion, ...] = ()
    max_tokens: int = USUAL_TOKENS
    tested: int = 0


def try_draft(
    draft: str, prompts: Mapping[str, str], data: Path, *, answer_field: str | None, labels: bool = False
) -> Trial:
    """Check a draft whose source has the absolute path of `data`, and choose questions.

    `prompts` are files beside the draft. `answer_field` names what a grader compares answers with; `labels`:
    the answers are labels, so that a few tokens are enough.
    """
    with tempfile.TemporaryDirectory(prefix="ftrun-init-") as folder:
        path = Path(folder).resolve() / "draft.yaml"
        for name, text in prompts.items():
            make_folder((path.parent / name).parent)
            write_atomic(path.parent / name, text)
        write_atomic(path, draft)
        made = path.parent / "made"
        make_folder(made)
        try:
            experiment = replace(build_experiment(read_document(path)), project=Path(data.resolve().anchor))
            result = examine(experiment, folder=made)
        except FtrunError as error:
            return Trial(errors=error.problems)
        taught = list(_examples(made / "train.jsonl"))
        tested = list(_examples(made / "test.jsonl"))
        held_out = list(_examples(made / "validation.jsonl"))  # `test_set` asks the others
    system = experiment.prompt.system
    by_row = system is not None and "{{" in system.text
    return Trial(
        errors=result.errors,
        # the usual case for us, and every check and run says it
        notes=() if result.language == "ja" else tuple(language_note(experiment, result.language)),
        questions=tuple(_questions(taught, held_out, answer_field, by_row=by_row)),
        max_tokens=_max_tokens(
            [_parts(one, answer_field)[1] or "" for one in (*taught, *held_out, *tested)],
            FEWEST_LABEL_TOKENS if labels else FEWEST_TOKENS,
        ),
        tested=len(tested),
    )


def _examples(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            for line, _ in zip(lines, range(MOST_READ), strict=False):
                yield json.loads(line)


def _parts(example: Mapping[str, Any], field: str | None) -> tuple[Messages, str | None]:
    """Return what is asked in an example, and the answer in the data."""
    if "input" in example:  # a preference
        preferred = example.get("preferred_output") or [{}]
        return example["input"]["messages"], preferred[-1].get("content")
    messages = example.get("messages") or []
    if field is not None:
        return messages, str(example[field]) if field in example else None
    if not messages or messages[-1].get("role") != "assistant":
        return messages, None
    return messages[:-1], messages[-1].get("content")


def _questions(
    taught: Sequence[Mapping[str, Any]],
    held_out: Sequence[Mapping[str, Any]],
    field: str | None,
    *,
    by_row: bool,
) -> Iterator[EvalQuestion]:
    usual = most_common_system([*taught, *held_out])
    asked: set[str] = set()
    for name, examples in (("held-out", held_out), ("taught", taught)):
        found = [one for one in (_parts(example, field) for example in examples) if _is_askable(*one)]
        short = [one for one in found if len(one[0][-1]["content"]) <= LONGEST_QUESTION] or found
        single = [one for one in short if "\n" not in one[0][-1]["content"].strip()] or short
        distinct = {one[0][-1]["content"]: one for one in single if one[0][-1]["content"] not in asked}
        chosen = list(_spread(list(distinct.values()), EACH))
        asked |= {messages[-1]["content"] for messages, _ in chosen}
        for number, (messages, answer) in enumerate(chosen, 1):
            yield _question(f"{name}-{number}", messages, answer, usual, by_row=by_row)


def _is_askable(messages: Messages, answer: str | None) -> bool:
    """Return whether a conversation is of texts alone, ends with a question, its answer not too long."""
    if not messages or any(
        not isinstance(one.get("content"), str)
        or one.get("role") not in ("system", "developer", "user", "assistant")
        or one.get("tool_calls")
        for one in messages
    ):
        return False
    if messages[-1]["role"] != "user" or not messages[-1]["content"].strip():
        return False
    return answer is None or (isinstance(answer, str) and len(answer) <= LONGEST_ANSWER)


def _question(
    name: str, messages: Messages, answer: str | None, usual: str | None, *, by_row: bool
) -> EvalQuestion:
    head = [one for one in messages if one["role"] in ("system", "developer")]
    rest = [one for one in messages if one not in head]
    system = str(head[0]["content"]) if head else None
    if len(rest) > 1 or len(head) > 1:
        kept = [{key: one[key] for key in ("role", "content")} for one in messages]
        return EvalQuestion(
            id=name, user=None, messages=kept, system=None, own_system=False, reference=answer or None
        )
    return EvalQuestion(
        id=name,
        user=str(messages[-1]["content"]),
        messages=(),
        system=system,
        own_system=by_row or system != usual,
        reference=answer or None,
    )


def _spread(items: Sequence[Any], wanted: int) -> Iterator[Any]:
    number = min(wanted, len(items))
    for index in range(number):
        yield items[(2 * index + 1) * len(items) // (2 * number)]


def _max_tokens(answers: Sequence[str], fewest: int) -> int:
    """Return how long answers may get: twice what nearly all answers of the data need."""
    lengths = [
        max(2 * tokens, _small_model(text)) for text, tokens in zip(answers, _tokens(answers), strict=True)
    ]
    if not lengths:
        return USUAL_TOKENS
    long = sorted(lengths)[math.ceil(QUANTILE * len(lengths)) - 1]
    step = min(STEP, fewest)
    return max(fewest, min(MOST_TOKENS, step * math.ceil(long / step)))


def _tokens(answers: Sequence[str]) -> list[int]:
    return text_counter("o200k_base")(list(answers)) if answers else []


def _small_model(text: str) -> int:
    """Return the most tokens that small models, which know few words of other scripts, need for a text."""
    return 0 if text.isascii() else len(text.encode())
