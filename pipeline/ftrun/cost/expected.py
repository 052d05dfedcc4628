"""What an evaluation will cost at most, from counts: before the data are prepared nobody knows which rows are
asked. Rows count at their usual length, answers at their full one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ftrun.cost.candidates import priced_target, shown_rows
from ftrun.cost.models import encoding_of
from ftrun.cost.price_table import price_of
from ftrun.cost.requests import LONGEST_ANSWER, Messages, request_tokens
from ftrun.cost.tokens import text_counter
from ftrun.experiment.model import CandidateSpec, EvalPrompt, Experiment
from ftrun.experiment.target import Target

MILLION = 1_000_000


class Rows(NamedTuple):
    """How many examples a prepared file has, and how many tokens in all."""

    examples: int = 0
    tokens: int = 0

    @property
    def usual(self) -> int:
        """Return the tokens of the usual example."""
        return self.tokens // max(1, self.examples)


NO_ROWS = Rows()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked besides `eval.prompts`: the test split, and the general-ability set."""

    test: Rows = NO_ROWS
    general: Sequence[EvalPrompt] = ()


NOTHING = Asked()


def who_is_asked(experiment: Experiment) -> dict[str, Target]:
    """Return, by candidate, the target that is paid for its answers; those that are recorded cost nothing."""
    found = {one.name: priced_target(experiment, one) for one in experiment.evaluation.candidates}
    return {name: target for name, target in found.items() if target is not None}


def expected_usd(experiment: Experiment, train: Rows, asked: Asked) -> float | None:
    """Return what all answers cost at most; None if a price is unknown."""
    evaluation = experiment.evaluation
    if not evaluation.asks:
        return 0.0
    targets = who_is_asked(experiment)
    prices = {name: price_of(target) for name, target in targets.items()}
    if None in prices.values():
        return None
    if all(one is not None and one.input == one.output == 0 for one in prices.values()):
        return 0.0
    longest = int(evaluation.sampling.get("max_tokens") or LONGEST_ANSWER)
    questions = _question_tokens(experiment, train, asked)
    usd = 0.0
    for spec in evaluation.candidates:
        known = prices.get(spec.name)
        if known is not None:
            read = sum(questions) + len(questions) * _shown_tokens(spec, train)
            usd += (read * known.input + len(questions) * longest * known.output) * evaluation.repeat
    return round(usd / MILLION, 6)


def _shown_tokens(spec: CandidateSpec, train: Rows) -> int:
    """Return the tokens of the training rows that are shown with each question."""
    return shown_rows(spec) * train.usual


def _question_tokens(experiment: Experiment, train: Rows, asked: Asked) -> list[int]:
    """Return the tokens of each question."""
    evaluation = experiment.evaluation
    test = (
        asked.test.examples if evaluation.test_set is True else min(evaluation.test_set, asked.test.examples)
    )
    taught = min(evaluation.recall_sample, train.examples)
    rows = [asked.test.usual] * test + [train.usual] * taught
    return [*_prompt_tokens(experiment, train), *rows, *_tokens(experiment, asked.general)]


def _prompt_tokens(experiment: Experiment, train: Rows) -> list[int]:
    """Return the tokens of each of `eval.prompts`; a system prompt that is in the rows is as long as one."""
    prompts, system = experiment.evaluation.prompts, experiment.prompt.system
    each = text_counter(encoding_of(experiment.target).name)([system.text])[0] if system else train.usual
    counted = zip(prompts, _tokens(experiment, prompts), strict=True)
    return [tokens + (0 if one.own_system or one.messages is not None else each) for one, tokens in counted]


def _tokens(experiment: Experiment, prompts: Sequence[EvalPrompt]) -> list[int]:
    return request_tokens(experiment.target, [(_question(one), one.tools) for one in prompts])


def _question(prompt: EvalPrompt) -> Messages:
    if prompt.messages is not None:
        return prompt.messages
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*system, {"role": "user", "content": prompt.user or ""}]
