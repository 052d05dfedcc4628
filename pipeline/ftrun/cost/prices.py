"""What a run costs: epochs, billed tokens and US$, from the dated table prices.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ftrun.cost.candidates import is_free
from ftrun.cost.expected import NOTHING, Asked, Rows, expected_usd, who_is_asked
from ftrun.cost.models import encoding_of
from ftrun.cost.price_table import at_openai, price_of, price_table, unknown_price
from ftrun.cost.requests import LONGEST_ANSWER, Chat, Messages, answer_tokens, request_tokens
from ftrun.experiment.model import Experiment
from ftrun.experiment.target import Target
from ftrun.protocol.spec import default_epochs

MILLION = 1_000_000
MOST_TOKENS = 10_000_000  # of one request: no model reads or writes more, so a larger count is wrong


def price(
    experiment: Experiment,
    *,
    examples: int,
    train_tokens: int,
    train: bool = True,
    evaluate: bool = True,
    asked: Asked = NOTHING,
) -> dict[str, Any]:
    """Return the `estimate` of `plan --json` and `check --json`; its `usd` is None if a price is unknown.

    `train_tokens` are those of one epoch. `train` and `evaluate` say which of the two is still to be paid,
    `asked` what is asked besides `eval.prompts` and training questions.
    """
    target, rate = experiment.target, experiment.budget.yen_per_usd
    given = experiment.train.hyperparameters.get("n_epochs", "auto")
    n_epochs = default_epochs(examples) if given == "auto" else int(given)
    billable = train_tokens * n_epochs
    unknown = unknown_price(target)
    if unknown is None and train and _is_billed_by_time(experiment):
        unknown = "OpenAI bills reinforcement by the hour, which can't be estimated"
    if unknown is None and evaluate and experiment.evaluation.asks:
        unknown = next(filter(None, map(unknown_price, who_is_asked(experiment).values())), None)
    paid = train_usd(experiment, billable) if train else 0.0
    eval_usd = expected_usd(experiment, Rows(examples, train_tokens), asked) if evaluate else 0.0
    total = None if paid is None or eval_usd is None else round(paid + eval_usd, 6)
    from_table = target.price is None and at_openai(target) and price_of(target) is not None
    encoding = encoding_of(target)
    return {
        "examples": examples,
        "train_tokens": train_tokens,
        "n_epochs": n_epochs,
        "billable_tokens": billable,
        "free": is_free(experiment),
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
    usd = tokens_usd(target, prompt_tokens, completion_tokens)
    return None if usd is None else round(usd, 6)


def tokens_usd(target: Target, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return the same, not rounded: for one of many amounts that are added."""
    known = price_of(target)
    if known is None:
        return None
    return (prompt_tokens * known.input + completion_tokens * known.output) / MILLION


def request_usd(
    target: Target, messages: Messages, longest: int | None, tools: Messages = ()
) -> float | None:
    """Return what a request costs at most, answered with `longest` tokens; None if the price is unknown."""
    return requests_usd(target, [(messages, tools)], [longest])


def requests_usd(target: Target, chats: Sequence[Chat], limits: Iterable[int | None]) -> float | None:
    """Return the same for several requests to one model; `limits` has the longest answer of each."""
    known = price_of(target)
    if known is None:
        return None
    asked = sum(request_tokens(target, chats)) if known.input else 0
    return tokens_usd(target, asked, _longest(limits))


def price_requests(target: Target, chats: Sequence[Messages], limits: Iterable[int | None]) -> dict[str, Any]:
    """Return as JSON values what asking `chats` costs at most; `limits` has the `max_tokens` of each."""
    asked, longest = sum(request_tokens(target, [(one, ()) for one in chats])), _longest(limits)
    return {
        "requests": len(chats),
        "prompt_tokens": asked,
        "answer_tokens": longest,
        "usd": answers_usd(target, asked, longest),
        "unknown": unknown_price(target),
    }


def _longest(limits: Iterable[int | None]) -> int:
    return sum(limit or LONGEST_ANSWER for limit in limits)


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
        asked = asked or request_tokens(target, [(messages, tools)])[0]
        said = max(said, total - asked)  # some servers count reasoning tokens in the total alone
        said = said or answer_tokens(target, text, calls)
    return {"prompt_tokens": asked, "completion_tokens": said}


def _is_billed_by_time(experiment: Experiment) -> bool:
    """Return whether training is not billed by the token, whatever the table says: graders take time."""
    target = experiment.target
    return experiment.train.method == "reinforcement" and target.price is None and at_openai(target)
