"""What tokens and money depend on: the model's encoding, the dated tables, the rate of the yen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.cost import prices
from ftrun.cost.amounts import cost_words, money
from ftrun.cost.availability_warnings import target_problems
from ftrun.cost.candidates import PRICED, SHOWN
from ftrun.cost.expected import NOTHING, Asked, Rows
from ftrun.cost.models import encoding_of
from ftrun.cost.price_table import price_table
from ftrun.evaluation.asked.candidates import BUILT_IN
from ftrun.experiment.model import Budget, CandidateSpec, EvalPrompt, Evaluation
from ftrun.experiment.target import Price, Target

MINI = Target(name="openai", provider="openai", model="gpt-4.1-mini-2025-04-14")
NAMES = (
    *("gpt-3.5-turbo", "gpt-3.5-turbo-0613", "gpt-35-turbo", "gpt-4", "gpt-4-0613", "gpt-4-turbo-2024-04-09"),
    *("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "chatgpt-4o-latest", "gpt-4.1-2025-04-14"),
    *("gpt-4.1-nano-2025-04-14", "gpt-4.5-preview", "gpt-5", "gpt-5-mini", "o1", "o1-mini", "o3-mini"),
    *("o4-mini-2025-04-16", "davinci-002", "babbage-002"),
)


@pytest.mark.parametrize("name", NAMES)
def test_encodings_are_those_that_tiktoken_names(name: str) -> None:
    """Every OpenAI family, a fine-tune of it too, is counted in the encoding that tiktoken names."""
    import tiktoken.model

    expected = tiktoken.model.encoding_name_for_model(name)
    for model in (name, f"ft:{name}:org:suffix:id"):
        assert encoding_of(replace(MINI, model=model)) == (expected, True)


@pytest.mark.parametrize("name", ["llama-3.1-8b", "openai/gpt-4o", "gpt-neo", "opus-4", "mistral-large"])
def test_other_models_are_counted_as_an_estimate(name: str) -> None:
    """A model of somebody else's is counted in o200k_base and marked as not exact."""
    assert encoding_of(replace(MINI, model=name)) == ("o200k_base", False)


def test_training_that_is_billed_by_the_hour_has_no_price(make: Any) -> None:
    """No number is made up for o4-mini, and the reason is said."""
    experiment = make({}, target=replace(MINI, model="o4-mini-2025-04-16"))
    estimate = prices.price(experiment, examples=50, train_tokens=5000)
    assert estimate["usd"] is None and "billed by the hour (US$100)" in estimate["unknown"]
    assert "by the hour" in cost_words(estimate)


def test_reinforcement_at_openai_has_no_price_in_tokens(make: Any) -> None:
    """It is billed by time: the price of a token would be too low by far, and a budget could not be kept."""
    experiment = make({}, target=MINI)
    graded = replace(experiment, train=replace(experiment.train, method="reinforcement"))
    estimate = prices.price(graded, examples=50, train_tokens=5000)
    assert (estimate["usd"], estimate["train_usd"]) == (None, None)
    assert "by the hour" in estimate["unknown"]
    assert prices.train_usd(graded, 5000) is None
    done = prices.price(graded, examples=50, train_tokens=5000, train=False)
    assert (done["usd"], done["unknown"]) == (0.0, None)
    own = replace(graded, target=replace(MINI, price=Price(train=1.0, input=1.0, output=1.0)))
    assert prices.price(own, examples=50, train_tokens=1_000_000)["train_usd"] == 3.0


def test_each_candidate_is_priced_as_the_model_it_is(make: Any) -> None:
    """A model by its id costs what that model costs, so that a budget holds; one without a price has none."""
    prompts = (EvalPrompt(id="a", user="Why?"),)

    def eval_usd(*models: str) -> float | None:
        candidates = tuple(CandidateSpec(name=one, model=one, plain=True) for one in models)
        evaluation = Evaluation(candidates=candidates, prompts=prompts, sampling={"max_tokens": 1000})
        experiment = make({}, target=MINI, evaluation=evaluation)
        found: float | None = prices.price(experiment, examples=50, train_tokens=5000)["eval_usd"]
        return found

    own, large, both = (
        eval_usd("base"),
        eval_usd("gpt-4.1-2025-04-14"),
        eval_usd("base", "gpt-4.1-2025-04-14"),
    )
    assert own is not None and large is not None and both is not None
    assert large > 3 * own and both == pytest.approx(own + large, abs=2e-6)
    assert eval_usd("base", "gpt-9") is None


def test_yen_stand_beside_dollars(make: Any) -> None:
    """With a rate every amount is also in yen, and the total is in the document."""
    experiment = replace(make({}, target=MINI), budget=Budget(yen_per_usd=150))
    estimate = prices.price(experiment, examples=1000, train_tokens=1_000_000)
    assert (estimate["usd"], estimate["yen"], estimate["price_date"]) == (
        15.0,
        2250.0,
        price_table()["date"],
    )
    assert "US$15.00 (¥2,250)" in cost_words(estimate)
    assert prices.price(make({}, target=MINI), examples=9, train_tokens=9)["yen"] is None


@pytest.mark.parametrize(
    ("usd", "rate", "text"),
    [
        (0, None, "US$0.00"),
        (0.0123, None, "US$0.0123"),
        (1234.5, None, "US$1,234.50"),
        (0.001, 155, "US$0.0010 (under ¥1)"),
        (12, 155, "US$12.00 (¥1,860)"),
    ],
)
def test_amounts_are_readable(usd: float, rate: float | None, text: str) -> None:
    """Cents are shown where there are few, yen where there is a rate."""
    assert money(usd, rate) == text


@pytest.mark.parametrize(
    ("day", "model", "codes"),
    [
        ("2026-09-01", "gpt-4.1-mini-2025-04-14", []),
        ("2026-12-01", "gpt-4.1-mini-2025-04-14", ["model_shutdown", "jobs_closed"]),
        ("2027-01-10", "gpt-4o-2024-08-06", ["model_shutdown", "jobs_closed"]),
        ("2027-04-01", "ft:gpt-4o-2024-08-06:org::id", ["model_shutdown", "old_prices"]),
        ("2026-11-01", "gpt-3.5-turbo-0125", ["model_shutdown"]),
        ("2027-04-01", "gpt-9", ["jobs_closed"]),
    ],
)
def test_dates_of_models_jobs_and_prices_are_warned_of(
    make: Any, day: str, model: str, codes: list[str]
) -> None:
    """A model that closes within 90 days or has closed, jobs no longer taken, prices over 120 days old."""
    experiment = make({}, target=replace(MINI, model=model))
    found = list(data.target_problems(experiment, date.fromisoformat(day)))
    assert [problem.code for problem in found] == codes
    assert all(problem.hint for problem in found)


def test_other_servers_close_nothing(make: Any) -> None:
    """The dates are OpenAI's own: neither a local target nor another server is warned of."""
    late = date(2030, 1, 1)
    other = replace(MINI, base_url="https://example.invalid/v1", api_key_env="K")
    assert not [*target_problems(make({}), late), *target_problems(make({}, target=other), late)]
    own = make({}, target=replace(MINI, price=Price(train=1, input=1, output=1)))
    assert "old_prices" not in {problem.code for problem in target_problems(own, late)}


def test_a_million_tokens_cost_dollars_not_thousands(make: Any) -> None:
    """The unit is dollars a million tokens: 150,000 of them on 4.1-mini are 75 cents."""
    estimate = prices.price(make({}, target=MINI), examples=50, train_tokens=50_000)
    assert estimate["usd"] == 0.75


def test_answers_without_a_limit_are_priced_at_full_length(make: Any) -> None:
    """`max_tokens: null` leaves the length to the server: a budget must hold for the longest answer."""

    def cost(**sampling: int) -> float:
        asked = Evaluation(
            candidates=(CandidateSpec(name="tuned", model="tuned", plain=True),),
            prompts=(EvalPrompt(id="a", user="?"),),
            sampling=sampling,
        )
        usd = prices.price(make({}, target=MINI, evaluation=asked), examples=50, train_tokens=5000)[
            "eval_usd"
        ]
        assert isinstance(usd, float)
        return usd

    assert cost(max_tokens=256) < 0.01 < 0.1 < cost()


def expected(
    make: Any, *, asked: Asked = NOTHING, models: tuple[CandidateSpec, ...] = (), **more: Any
) -> float:
    """Return what an evaluation is expected to cost, at US$1 per token read or written."""
    price = Price(train=0, input=1e6, output=1e6)
    target = replace(MINI, price=price)
    evaluation = Evaluation(
        candidates=models or (CandidateSpec(name="base", model="base"),),
        prompts=(EvalPrompt(id="a", user="?", own_system=True),),
        sampling={"max_tokens": 100},
        **more,
    )
    dear = replace(target, name="far", price=Price(train=0, input=2e6, output=2e6))
    experiment = replace(make({}, target=target, evaluation=evaluation), targets=(target, dear))
    found = prices.price(experiment, examples=50, train_tokens=5000, asked=asked)["eval_usd"]
    assert isinstance(found, float)
    return found


def test_everything_that_is_asked_is_priced(make: Any) -> None:
    """Test split, training questions, general set: as often as they are asked, at their rows' length."""
    test = Asked(test=Rows(20, 4000))
    one = expected(make)
    assert 100 < one < 120
    assert expected(make, test_set=True, asked=test) == one + 20 * (200 + 100)
    assert expected(make, test_set=5, asked=test) == one + 5 * (200 + 100)
    assert expected(make, test_set=99, asked=test) == one + 20 * (200 + 100)
    assert expected(make, recall_sample=8) == one + 8 * (100 + 100)
    assert expected(make, recall_sample=99) == one + 50 * (100 + 100)
    assert expected(make, repeat=3) == 3 * one
    general = Asked(general=(EvalPrompt(id="g", user="?", own_system=True),) * 2)
    assert expected(make, general=True, asked=general) == 3 * one


def test_rows_in_the_prompt_are_priced(make: Any) -> None:
    """Few-shot examples and retrieved rows are read with each question; recorded answers cost nothing."""
    one = expected(make)

    def of(**spec: Any) -> float:
        return expected(make, models=(CandidateSpec(name="x", **spec),))

    assert of(model="few-shot") == of(model="retrieval") == one + 3 * 100
    assert of(model="few-shot", few_shot=5) == one + 5 * 100
    assert of(model="tuned", retrieval=2, few_shot=1) == one + 3 * 100
    assert of(model="base", target="far") == 2 * one
    assert of(answers=Path("answers.jsonl")) == 0
    assert of(model="ckpt-step-8") == one


def test_as_many_rows_are_priced_as_are_shown() -> None:
    """The table of prices and that of candidates agree."""
    assert {name for name, one in BUILT_IN.items() if one.few_shot or one.retrieval} == SHOWN.keys()
    assert all(BUILT_IN[name].few_shot + BUILT_IN[name].retrieval == rows for name, rows in SHOWN.items())
    assert BUILT_IN.keys() == PRICED.keys()
