"""The data: sources become rows, rows chat examples, examples the files of a split; checked and priced.

Importing this costs nothing; the work is imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import date

    from ftrun.data.examples.making import RowRenderer
    from ftrun.data.pipeline.checking import CheckResult
    from ftrun.data.readers.sources import SourceFile
    from ftrun.data.types import Prepared
    from ftrun.errors import Problem
    from ftrun.experiment.model import Experiment
    from ftrun.experiment.target import Target

Announce = Callable[[str], None]


def source_files(experiment: Experiment, *, download: bool = True) -> tuple[SourceFile, ...]:
    """Return the files of all sources in reading order; DataError has every path that can't be used.

    Without `download` a dataset of the hub is one file that need not exist.
    """
    from ftrun.data.readers.sources import source_files as resolve

    return resolve(experiment, download=download)


def content_hash(file: SourceFile) -> str:
    """Return the SHA-256 of a file's bytes, of a database's rows, or of the name of a dataset's commit."""
    from ftrun.data.pipeline.inputs import content_hash as hash_of

    return hash_of(file)


def prepare_inputs(experiment: Experiment) -> dict[str, Any]:
    """Return, ready for JSON, all that can change the prepared files: content hashes, data and prompt keys.

    Renders nothing. A touched but equal file and a moved project give the same value.
    """
    from ftrun.data.pipeline.inputs import prepare_inputs as inputs

    return inputs(experiment)


def severity_inputs(experiment: Experiment) -> dict[str, Any]:
    """Return, ready for JSON, how bad findings are taken; ConfigError if it names a check there is not."""
    if not experiment.data.checks and not experiment.data.pii:
        return {}
    from ftrun.data.pipeline.severity import severity_inputs as inputs

    return inputs(experiment)


def prepare(
    experiment: Experiment,
    folder: Path,
    announce: Announce | None = None,
    *,
    renderer: RowRenderer | None = None,
) -> Prepared:
    """Write train.jsonl, validation.jsonl and test.jsonl into `folder`, and sources.jsonl with their places.

    DataError has every problem of the rows; then nothing is written. `announce` is told which file is read.
    """
    from ftrun.data.pipeline.preparing import prepare as write

    return write(experiment, folder, announce, renderer=renderer)


def check(experiment: Experiment, prepared: Prepared | Path) -> CheckResult:
    """Count, check and price the prepared files (given as such, or by their folder)."""
    from ftrun.data.pipeline.checking import check as look

    return look(experiment, prepared)


def examine(
    experiment: Experiment, announce: Announce | None = None, *, folder: Path | None = None
) -> CheckResult:
    """Check without preparing: the result holds every error and what the good rows say.

    Writes nothing, or the good rows into `folder`, so that they can be shown.
    """
    from ftrun.data.pipeline.checking import examine as look

    return look(experiment, announce, folder=folder)


def browsable(
    experiment: Experiment, folder: Path, problems: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield at most 200 examples of the prepared files for people to leaf through, as JSON values.

    `problems` are those of `check --json`; the examples at their places are among them.
    """
    from ftrun.data.pipeline.browsable import browsable as choose

    return choose(experiment, folder, problems)


def target_problems(experiment: Experiment, day: date | None = None) -> Iterator[Problem]:
    """Yield warnings about the target as of `day` (default: today): a model that shuts down, old prices."""
    from ftrun.cost.availability import target_problems as judge
    from ftrun.data.diagnostics.codes import CODES

    for problem in judge(experiment, day):
        problem.hint = CODES[problem.code].fix
        yield problem


def recalled(experiment: Experiment, folder: Path) -> frozenset[str]:
    """Return the ids of the eval prompts that the training file in `folder` asks; none without the file."""
    path = folder / "train.jsonl"
    if not experiment.evaluation.prompts or not path.is_file():
        return frozenset()
    import json

    from ftrun.data.quality.overlap import recalled as look

    with path.open("rb") as lines:
        return look(experiment.evaluation.prompts, map(json.loads, lines))


def price(
    experiment: Experiment,
    *,
    examples: int,
    train_tokens: int,
    train: bool = True,
    evaluate: bool = True,
    answered: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Any]:
    """Return the estimate of `plan --json` and `check --json`; `usd` is None where no price is known.

    `train_tokens` are those of one epoch. `train` and `evaluate` say which of the two is still to be paid,
    `answered` the ids of prompts that a candidate has answered.
    """
    from ftrun.cost.prices import price as estimate

    return estimate(
        experiment,
        examples=examples,
        train_tokens=train_tokens,
        train=train,
        evaluate=evaluate,
        answered=answered,
    )


def train_usd(experiment: Experiment, tokens: int) -> float | None:
    """Return what training on so many tokens, epochs counted, costs; None: unknown price."""
    from ftrun.cost.prices import train_usd as cost

    return cost(experiment, tokens)


def answers_usd(target: Target, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return what so many tokens read and written cost, at the tuned model's price; None: unknown price."""
    from ftrun.cost.prices import answers_usd as cost

    return cost(target, prompt_tokens, completion_tokens)


def request_usd(target: Target, messages: Sequence[Mapping[str, Any]], longest: int | None) -> float | None:
    """Return what one request costs at most, answered with `longest` tokens; None: unknown price."""
    from ftrun.cost.prices import request_usd as cost

    return cost(target, messages, longest)


def billed_tokens(
    target: Target, messages: Sequence[Mapping[str, Any]], text: str, told: Mapping[str, Any]
) -> dict[str, int]:
    """Return the tokens that a request is billed for: as the server `told`, or else as counted here."""
    from ftrun.cost.prices import billed_tokens as count

    return count(target, messages, text, told)


__all__ = [
    "answers_usd",
    "billed_tokens",
    "browsable",
    "check",
    "content_hash",
    "examine",
    "prepare",
    "prepare_inputs",
    "price",
    "recalled",
    "request_usd",
    "severity_inputs",
    "source_files",
    "target_problems",
    "train_usd",
]
