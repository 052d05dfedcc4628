"""What a run costs: epochs, billed tokens and US$, from the dated table prices.json."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ftrun.cost.models import encoding_of, family
from ftrun.cost.tokens import count_examples, text_counter
from ftrun.experiment.model import EvalPrompt, Experiment
from ftrun.experiment.target import Price, Target
from ftrun.protocol.spec import default_epochs

TABLE = Path(__file__).with_name("prices.json")
OPENAI_HOSTS = frozenset(("api.openai.com", "eu.api.openai.com", "us.api.openai.com"))
MILLION = 1_000_000
LONGEST_ANSWER = 32_768  # tokens of an answer without a limit: the most that GPT-4.1 writes
MOST_TOKENS = 10_000_000  # of one request: no model reads or writes more, so a larger count is wrong
Messages = Sequence[Mapping[str, Any]]


@cache
def price_table() -> dict[str, Any]:
    """Return the table: `date`, `unit`, `source`, `models` and `train_hour`."""
    table: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return table


def at_openai(target: Target) -> bool:
    """Return whether the target is OpenAI itself, so that its prices and dates hold."""
    if target.provider != "openai":
        return False
    return target.base_url is None or urlsplit(target.base_url).hostname in OPENAI_HOSTS


def price_of(target: Target) -> Price | None:
    """Return the price per million tokens: 0 if local, the target's own, or the table's; None if unknown."""
    if target.provider == "local":
        return Price(train=0.0, input=0.0, output=0.0)
    if target.price is not None:
        return target.price
    if not at_openai(target):
        return None
    found = price_table()["models"].get(family(target.model))
    return None if found is None else Price(**found)


def unknown_price(target: Target) -> str | None:
    """Return why the target's price is unknown, None if it is known."""
    if price_of(target) is not None:
        return None
    if not at_openai(target):
        return "no price is known for this server"
    hour = price_table()["train_hour"].get(family(target.model))
    if hour is not None:
        return f"training {target.model} is billed by the hour (US${hour:g}), which can't be estimated"
    return f"no price is known for {target.model}"


def price(
    experiment: Experiment,
    *,
    examples: int,
    train_tokens: int,
    train: bool = True,
    evaluate: bool = True,
    answered: Mapping[str, Collection[str]] | None = None,
) -> dict[str, Any]:
    """Return the `estimate` of `plan --json` and `check --json`; its `usd` is None if a price is unknown.

    `train_tokens` are those of one epoch. `train` and `evaluate` say which of the two is still to be paid,
    `answered` which prompts (their ids) a candidate has answered already.
    """
    target, rate = experiment.target, experiment.budget.yen_per_usd
    given = experiment.train.hyperparameters.get("n_epochs", "auto")
    n_epochs = default_epochs(examples) if given == "auto" else int(given)
    billable = train_tokens * n_epochs
    unknown = unknown_price(target)
    if unknown is None and train and _is_billed_by_time(experiment):
        unknown = "OpenAI bills reinforcement by the hour, which can't be estimated"
    if unknown is None and evaluate and experiment.evaluation.prompts:
        unknown = next(filter(None, map(unknown_price, _candidates(experiment))), None)
    paid = train_usd(experiment, billable) if train else 0.0
    eval_usd = _eval_usd(experiment, examples, train_tokens, answered or {}) if evaluate else 0.0
    total = None if paid is None or eval_usd is None else round(paid + eval_usd, 6)
    from_table = target.price is None and at_openai(target) and price_of(target) is not None
    encoding = encoding_of(target)
    return {
        "examples": examples,
        "train_tokens": train_tokens,
        "n_epochs": n_epochs,
        "billable_tokens": billable,
        "free": target.provider == "local",
        "usd": total,
        "train_usd": paid,
        "eval_usd": eval_usd,
        "yen": None if total is None or rate is None else round(total * rate, 2),
        "yen_per_usd": rate,
        "budget_usd": experiment.budget.usd,
        "unknown": unknown,
        "price_date": str(price_table()["date"]) if from_table else None,
        "encoding": encoding.name,
        "exact": encoding.exact,
    }


def train_usd(experiment: Experiment, tokens: int) -> float | None:
    """Return what training on so many tokens, counted in every epoch, costs; None if the price is unknown."""
    known = price_of(experiment.target)
    if known is None or _is_billed_by_time(experiment):
        return None
    return round(tokens * known.train / MILLION, 6)


def answers_usd(target: Target, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return what so many tokens read and written cost, at the tuned model's price; None if it is unknown."""
    known = price_of(target)
    if known is None:
        return None
    return round((prompt_tokens * known.input + completion_tokens * known.output) / MILLION, 6)


def request_usd(
    target: Target, messages: Messages, longest: int | None, tools: Messages = ()
) -> float | None:
    """Return what a request costs at most, answered with `longest` tokens; None if the price is unknown."""
    known = price_of(target)
    if known is None:
        return None
    asked = _request_tokens(target, messages, tools) if known.input else 0
    return (asked * known.input + (longest or LONGEST_ANSWER) * known.output) / MILLION


def price_requests(target: Target, chats: Sequence[Messages], limits: Iterable[int | None]) -> dict[str, Any]:
    """Return as JSON values what asking `chats` costs at most; `limits` has the `max_tokens` of each."""
    asked, longest = sum(_chat_tokens(target, chats)), sum(limit or LONGEST_ANSWER for limit in limits)
    return {
        "requests": len(chats),
        "prompt_tokens": asked,
        "answer_tokens": longest,
        "usd": answers_usd(target, asked, longest),
        "unknown": unknown_price(target),
    }


def billed_tokens(
    target: Target,
    messages: Messages,
    text: str,
    reported: Mapping[str, Any],
    tools: Messages = (),
    calls: Messages = (),
) -> dict[str, int]:
    """Return the tokens that a request is billed for: the counts that the server `reported` or, if these are
    missing or impossible, the tokens of what was sent and answered (text and tool calls) as counted here.
    """
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    counts = [reported.get(name) for name in names]
    # 0 for what can't be a count
    asked, said, total = (one if isinstance(one, int) and 0 < one <= MOST_TOKENS else 0 for one in counts)
    if target.provider != "local":
        asked = asked or _request_tokens(target, messages, tools)
        said = max(said, total - asked)  # some servers count reasoning tokens in the total alone
        said = said or _answer_tokens(target, text, calls)
    return {"prompt_tokens": asked, "completion_tokens": said}


def _request_tokens(target: Target, messages: Messages, tools: Messages) -> int:
    """Return the tokens of one request, counted in this thread: many are counted at the same time."""
    row = {"messages": list(messages), **({"tools": list(tools)} if tools else {})}
    count = text_counter(encoding_of(target).name, 1)
    return count_examples([row], count, family(target.model))[0].total


def _answer_tokens(target: Target, text: str, calls: Messages) -> int:
    texts = [text, json.dumps(list(calls), ensure_ascii=False) if calls else ""]
    return sum(text_counter(encoding_of(target).name, 1)([one for one in texts if one])) if any(texts) else 0


def _chat_tokens(target: Target, chats: Iterable[Messages]) -> list[int]:
    rows = ({"messages": list(messages)} for messages in chats)
    return [one.total for one in count_examples(rows, text_counter(encoding_of(target).name))]


def _is_billed_by_time(experiment: Experiment) -> bool:
    """Return whether training is not billed by the token, whatever the table says: graders take time."""
    target = experiment.target
    return experiment.train.method == "reinforcement" and target.price is None and at_openai(target)


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
    prices = [known for one in _candidates(experiment) if (known := price_of(one)) is not None]
    if len(prices) < len(evaluation.models):
        return None
    if all(one.input == one.output == 0 for one in prices):
        return 0.0
    longest = int(evaluation.sampling.get("max_tokens") or LONGEST_ANSWER)
    asked = _question_tokens(experiment, train_tokens // max(1, examples))
    usd = 0.0
    for name, one in zip(evaluation.models, prices, strict=True):
        left = [tokens for prompt, tokens in asked.items() if prompt not in answered.get(name, ())]
        usd += sum(left) * one.input + len(left) * longest * one.output
    return round(usd / MILLION, 6)


def _question_tokens(experiment: Experiment, usual_example: int) -> dict[str, int]:
    """Return the tokens of each question by its id; `usual_example` is for a system prompt in the rows."""
    prompts, system = experiment.evaluation.prompts, experiment.prompt.system
    count = text_counter(encoding_of(experiment.target).name)
    each = count([system.text])[0] if system else usual_example
    counted = _chat_tokens(experiment.target, map(_question, prompts))
    return {
        one.id: tokens + (0 if one.own_system or one.messages is not None else each)
        for one, tokens in zip(prompts, counted, strict=True)
    }


def _question(prompt: EvalPrompt) -> Messages:
    if prompt.messages is not None:
        return prompt.messages
    system = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*system, {"role": "user", "content": prompt.user or ""}]
