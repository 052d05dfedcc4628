"""What a run costs: epochs, billed tokens and US$, from the dated table prices.json."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ftrun.cost.models import encoding_of, family
from ftrun.cost.tokens import count_examples, text_counter
from ftrun.experiment.model import EvalPrompt, Experiment
from ftrun.experiment.target import Price, Target

TABLE = Path(__file__).with_name("prices.json")
OPENAI_HOSTS = frozenset(("api.openai.com", "eu.api.openai.com", "us.api.openai.com"))
MILLION = 1_000_000
BY_TIME = "OpenAI bills reinforcement by the hour, which can't be told beforehand"
LONGEST_ANSWER = 32_768  # tokens of an answer that nothing limits: what GPT-4.1 gives at most
MOST_TOKENS = 10_000_000  # of one request: no model reads or writes more, so a server that says so is wrong


def auto_epochs(examples: int) -> int:
    """Return what `n_epochs: auto` means for `examples`: 3; more of few (at most 25), fewer of very many."""
    if 3 * examples < 100:
        return min(25, 100 // max(1, examples))
    if 3 * examples > 25_000:
        return max(1, 25_000 // examples)
    return 3


def epochs(experiment: Experiment, examples: int) -> int:
    """Return the number of epochs that will be trained."""
    given = experiment.train.hyperparameters.get("n_epochs", "auto")
    return auto_epochs(examples) if given == "auto" else int(given)


def price_of(target: Target) -> Price | None:
    """Return the target's price: 0 for local, its own if given, the table's at OpenAI; None if unknown."""
    if target.provider == "local":
        return Price(train=0.0, input=0.0, output=0.0)
    if target.price is not None:
        return target.price
    if not at_openai(target):
        return None
    found = price_table()["models"].get(family(target.model))
    return None if found is None else Price(**found)


def at_openai(target: Target) -> bool:
    """Return whether OpenAI itself is asked, so that its prices and dates hold."""
    if target.provider != "openai":
        return False
    return target.base_url is None or urlsplit(target.base_url).hostname in OPENAI_HOSTS


def unknown_price(target: Target) -> str | None:
    """Return why no price is known, None if one is."""
    if price_of(target) is not None:
        return None
    if not at_openai(target):
        return "no price is known for this server"
    hour = price_table()["train_hour"].get(family(target.model))
    if hour is not None:
        return f"training {target.model} is billed by the hour (US${hour:g}), which can't be told beforehand"
    return f"no price is known for {target.model}"


@cache
def price_table() -> dict[str, Any]:
    """Return the table: `date`, `unit`, `source`, `models` and `train_hour`."""
    table: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return table


def price(
    experiment: Experiment,
    *,
    examples: int,
    train_tokens: int,
    train: bool = True,
    evaluate: bool = True,
    answered: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Any]:
    """Return the estimate as JSON values; `train_tokens` are one epoch's.

    What is not to be paid any more (`train`, `evaluate` False) counts 0 US$, as do the ids of prompts that a
    candidate has `answered`. None: no price is known.
    """
    n_epochs = epochs(experiment, examples)
    billable = train_tokens * n_epochs
    unknown = unknown_price(experiment.target)
    if unknown is None and train and _is_billed_by_time(experiment):
        unknown = BY_TIME
    if unknown is None and evaluate and experiment.evaluation.prompts:
        unknown = next(filter(None, map(unknown_price, _candidates(experiment))), None)
    encoding = encoding_of(experiment.target)
    paid = train_usd(experiment, billable) if train else 0.0
    eval_usd = _eval_usd(experiment, examples, train_tokens, answered or {}) if evaluate else 0.0
    rate = experiment.budget.yen_per_usd
    total = None if paid is None or eval_usd is None else round(paid + eval_usd, 6)
    return {
        "examples": examples,
        "train_tokens": train_tokens,
        "n_epochs": n_epochs,
        "billable_tokens": billable,
        "free": experiment.target.provider == "local",
        "usd": total,
        "train_usd": paid,
        "eval_usd": eval_usd,
        "yen": None if total is None or rate is None else round(total * rate, 2),
        "yen_per_usd": rate,
        "budget_usd": experiment.budget.usd,
        "unknown": unknown,
        "price_date": _price_date(experiment.target),
        "encoding": encoding.name,
        "exact": encoding.exact,
    }


def _is_billed_by_time(experiment: Experiment) -> bool:
    """Return whether the table's price of a token is not what training costs: graders take time."""
    target = experiment.target
    return experiment.train.method == "reinforcement" and target.price is None and at_openai(target)


def _price_date(target: Target) -> str | None:
    """Return the date of the table if the price is from it."""
    own = target.price is not None or not at_openai(target)
    return None if own or price_of(target) is None else str(price_table()["date"])


def train_usd(experiment: Experiment, tokens: int) -> float | None:
    """Return what training on so many tokens, epochs counted, costs; None: no price tells it."""
    if _is_billed_by_time(experiment):
        return None
    return _train_usd(price_of(experiment.target), tokens)


def answers_usd(target: Target, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return what so many tokens read and written cost, at the tuned model's price; None: unknown price."""
    known = price_of(target)
    if known is None:
        return None
    return round((prompt_tokens * known.input + completion_tokens * known.output) / MILLION, 6)


def request_usd(target: Target, messages: Sequence[Mapping[str, Any]], longest: int | None) -> float | None:
    """Return what one request costs at most, answered with `longest` tokens; None: unknown price."""
    known = price_of(target)
    if known is None:
        return None
    asked = _tokens_of(target, messages) if known.input else 0
    return (asked * known.input + (longest or LONGEST_ANSWER) * known.output) / MILLION


def billed_tokens(
    target: Target, messages: Sequence[Mapping[str, Any]], text: str, told: Mapping[str, Any]
) -> dict[str, int]:
    """Return the tokens that a request is billed for: the server's own count (`told`, 0 where it says none)
    or, where that is missing or can't be, the tokens of what was sent and of the answer as counted here.
    """
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    asked, said, total = (_count(told.get(name)) for name in names)
    if target.provider != "local":
        asked = asked or _tokens_of(target, messages)
        said = max(said, total - asked)  # some servers count the tokens of thinking in the sum alone
        said = said or (text_counter(encoding_of(target).name)([text])[0] if text else 0)
    return {"prompt_tokens": asked, "completion_tokens": said}


def _count(told: Any) -> int:
    """Return a count of tokens; 0 for what can't be one."""
    return told if isinstance(told, int) and 0 < told <= MOST_TOKENS else 0


def _tokens_of(target: Target, messages: Sequence[Mapping[str, Any]]) -> int:
    [tokens] = count_examples([{"messages": list(messages)}], text_counter(encoding_of(target).name))
    return tokens.total


def _train_usd(known: Price | None, billable: int) -> float | None:
    return None if known is None else round(billable * known.train / MILLION, 6)


def _candidates(experiment: Experiment) -> list[Target]:
    """Return the target once for each candidate, with its model: the tuned one costs what its base does."""
    target, models = experiment.target, experiment.evaluation.models
    return [target if name in ("tuned", "base") else replace(target, model=name) for name in models]


def _eval_usd(
    experiment: Experiment, examples: int, train_tokens: int, answered: Mapping[str, Collection[str]]
) -> float | None:
    """Return what the open questions cost at most: at the price of tuned models, answers at full length."""
    evaluation = experiment.evaluation
    if not evaluation.prompts:
        return 0.0
    prices = [price_of(one) for one in _candidates(experiment)]
    known = [one for one in prices if one is not None]
    if len(known) < len(prices):
        return None
    if all(one.input == one.output == 0 for one in known):
        return 0.0
    longest = int(evaluation.sampling.get("max_tokens") or LONGEST_ANSWER)
    asked = _asked_tokens(experiment, train_tokens // max(1, examples))
    usd = 0.0
    for name, one in zip(evaluation.models, known, strict=True):
        left = [tokens for prompt, tokens in asked.items() if prompt not in answered.get(name, ())]
        usd += sum(left) * one.input + len(left) * longest * one.output
    return round(usd / MILLION, 6)


def _asked_tokens(experiment: Experiment, usual_example: int) -> dict[str, int]:
    """Return the tokens of each question, by its id. `usual_example` stands for a system prompt that only
    rows have.
    """
    prompts = experiment.evaluation.prompts
    count = text_counter(encoding_of(experiment.target).name)
    counted = count_examples(({"messages": _question(one)} for one in prompts), count)
    system = experiment.prompt.system
    each = count([system.text])[0] if system else usual_example
    return {
        one.id: tokens.total + (0 if one.own_system or one.messages is not None else each)
        for one, tokens in zip(prompts, counted, strict=True)
    }


def _question(prompt: EvalPrompt) -> list[dict[str, Any]]:
    if prompt.messages is not None:
        return [dict(message) for message in prompt.messages]
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*system, {"role": "user", "content": prompt.user or ""}]
