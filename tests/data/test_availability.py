"""The dated table of ends: what it says of which model where, never more than its sources, and who wins."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from ftrun import data
from ftrun.cost.availability import (
    ServerEnds,
    ends_of,
    existing_customers_note,
    service_of,
)
from ftrun.cost.availability_warnings import shutdown_message, warnings
from ftrun.cost.models import base_model, family
from ftrun.experiment.target import Target

OPENAI = Target(name="o", provider="openai", model="gpt-4.1-mini-2025-04-14")
AZURE = Target(
    name="a",
    provider="azure",
    model="gpt-4.1-mini-2025-04-14",
    base_url="https://contoso.openai.azure.com/openai/v1",
)
DECEMBER = date(2026, 12, 1)


@pytest.mark.parametrize(
    ("name", "base", "of_family"),
    [
        ("gpt-4o-mini", "gpt-4o-mini", "gpt-4o-mini"),
        ("gpt-4.1-mini-2025-04-14", "gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ("ft:gpt-4o-mini-2024-07-18:org:suffix:id", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("ft:gpt-4o-2024-08-06:org::id:ckpt-step-40", "gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4.1-2025-04-14.ft-0e208cf33a6a466994aff31a08aba678", "gpt-4.1-2025-04-14", "gpt-4.1"),
        ("gpt-4o-mini-2024-07-18.ft-0e208cf33a6a-faq.bot", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
        ("gpt-4.1-mini-2025-04-14-ft-abc", "gpt-4.1-mini-2025-04-14", "gpt-4.1-mini"),
        ("o4-mini-2025-04-16.ft-1", "o4-mini-2025-04-16", "o4-mini"),
        ("gpt-4o-mini-ft", "gpt-4o-mini", "gpt-4o-mini"),
        ("my-ft-model", "my-ft-model", "my-ft-model"),
        ("llama-3.ft-abc", "llama-3.ft-abc", "llama-3.ft-abc"),
        ("gpt-4o-software", "gpt-4o-software", "gpt-4o-software"),
    ],
)
def test_a_tuned_models_name_says_its_base(name: str, base: str, of_family: str) -> None:
    """OpenAI's and Azure's spellings of tuned models and deployments, and names that only look like them."""
    assert (base_model(name), family(name)) == (base, of_family)


@pytest.mark.parametrize(
    ("target", "training", "answers"),
    [
        (OPENAI, "2027-01-06", "2027-01-14"),
        (replace(OPENAI, model="gpt-4o-2024-08-06"), "2027-01-06", "2027-01-14"),
        (replace(OPENAI, model="ft:gpt-4o-mini-2024-07-18:acme::x1"), "2027-01-06", "2027-01-14"),
        (replace(OPENAI, model="gpt-3.5-turbo-0125"), "2026-10-23", "2026-10-23"),
        (replace(OPENAI, model="gpt-4.1-nano"), "2026-10-23", "2026-10-23"),
        (replace(OPENAI, model="o4-mini-2025-04-16"), "2026-10-23", "2026-10-23"),
        (replace(OPENAI, base_url="https://eu.api.openai.com/v1"), "2027-01-06", "2027-01-14"),
        (AZURE, "2027-04-14", "2027-10-14"),
        (replace(AZURE, model="gpt-4.1-nano"), "2027-04-14", "2027-10-14"),
        (replace(AZURE, model="gpt-4o-mini"), "2027-04-01", "2027-10-01"),
        (replace(AZURE, model="gpt-4o-2024-08-06.ft-12ab"), "2027-04-01", "2027-10-01"),
        (replace(AZURE, model="o4-mini"), "2027-04-16", "2027-10-16"),
        (replace(AZURE, provider="openai"), "2027-04-14", "2027-10-14"),
    ],
)
def test_the_table_knows_openai_and_azure(target: Target, training: str, answers: str) -> None:
    """Per service and family: until when it can be trained, and until when what was tuned answers."""
    ends = ends_of(target).as_dict()
    assert (ends["training_ends"], ends["ends"]) == (training, answers)
    assert (ends["training_ends_source"], ends["ends_source"]) == ("table", "table")
    assert ends["ends_not_before"] is (service_of(target) == "azure")


@pytest.mark.parametrize(
    "target",
    [
        replace(OPENAI, base_url="https://gateway.example/v1", api_key_env="K", model="gpt-4o"),
        replace(OPENAI, base_url="http://127.0.0.1:11434/v1", api_key_env="K", model="gpt-4o-mini"),
        replace(OPENAI, base_url="https://api.openai.com.evil.example/v1", api_key_env="K"),
        replace(AZURE, base_url="https://contoso.openai.azure.us/openai/v1"),
        replace(AZURE, model="gpt-35-turbo"),
        replace(AZURE, model="my-deployment"),
        replace(AZURE, model="gpt-4o-audio-preview"),
        Target(name="l", provider="local", model="gpt-4o-mini-2024-07-18"),
        Target(
            name="n", provider="nebius", model="gpt-4o", base_url="https://api.tokenfactory.nebius.com/v1/"
        ),
    ],
)
def test_nothing_is_said_of_what_the_sources_are_not_about(target: Target) -> None:
    """Another server with a model of that name, another cloud, a model that is not in the table."""
    ends = ends_of(target)
    assert (ends.training, ends.answers) == (None, None)
    assert list(warnings(ends, date(2030, 1, 1))) == []
    assert existing_customers_note(target) is None


def test_newer_models_are_not_said_to_shut_down(make: Any) -> None:
    """gpt-5.x has no date: it keeps answering, though OpenAI trains nothing any longer."""
    ends = ends_of(replace(OPENAI, model="gpt-5.4-mini"))
    assert ends.answers is None and ends.service == "OpenAI"
    assert [code for code, _ in warnings(ends, DECEMBER)] == ["jobs_closed"]


def test_not_before_is_not_taken_for_a_date() -> None:
    """Before, on and after Azure's days no message says that something is over."""
    for day in (date(2027, 2, 1), date(2027, 4, 14), date(2027, 9, 1), date(2028, 1, 1)):
        said = [message for _, message in warnings(ends_of(AZURE), day)]
        assert said and all("not before" in one and " may " in one for one in said), said
        assert all("source: Microsoft's page of 2026-07-07" in one for one in said)
    assert list(warnings(ends_of(AZURE), DECEMBER)) == []


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (
            "2027-01-05",
            ["and the models tuned from it will be shut down on 2027-01-14, in 9 days", "in 1 day ("],
        ),
        ("2027-01-06", ["in 8 days", "OpenAI has taken no new fine-tuning jobs since 2027-01-06"]),
        (
            "2027-01-14",
            ["was shut down on 2027-01-14, with the models tuned from it (source: OpenAI's page of"],
        ),
    ],
)
def test_what_is_said_on_which_day(day: str, said: list[str]) -> None:
    """The day itself counts as over; once a model is gone, that nothing trains it is not worth a line."""
    found = [message for _, message in warnings(ends_of(OPENAI), date.fromisoformat(day))]
    assert len(found) == len(said)
    assert all(part in one for one, part in zip(found, said, strict=True)), found


def test_a_servers_own_date_wins_and_is_named() -> None:
    """What the server tells replaces the table's, each date by itself, and the message says whose it is."""
    ends = ends_of(OPENAI, ServerEnds(answers=date(2027, 3, 1)))
    assert ends.answers is not None and ends.training is not None
    assert (ends.answers.source, ends.training.source) == ("server", "table")
    said = shutdown_message(ends, ends.answers, DECEMBER)
    assert "2027-03-01, in 90 days (source: the server)" in said
    late = ends_of(AZURE, ServerEnds(training=date(2026, 12, 24)))
    assert [message for _, message in warnings(late, DECEMBER)] == [
        "training gpt-4.1-mini-2025-04-14 ends on 2026-12-24, in 23 days (source: the server)"
    ]


def test_azures_base_may_go_before_what_was_tuned_from_it() -> None:
    """When a base model stops answering at Azure says nothing of the tuned ones; their own date does."""
    told = ServerEnds(answers=date(2026, 10, 1), with_tuned=False)
    base = ends_of(AZURE, told)
    assert base.answers is not None and base.answers.day == date(2027, 10, 14)
    tuned = ends_of(AZURE, told, model="gpt-4.1-mini-2025-04-14.ft-1")
    assert tuned.answers is not None and tuned.answers.day == date(2026, 10, 1)
    assert (
        "the tuned model gpt-4.1-mini-2025-04-14.ft-1 was shut down on 2026-10-01 (source: the server)"
        in [message for _, message in warnings(tuned, DECEMBER)]
    )


def test_check_warns_of_azure_too(make: Any) -> None:
    """The warnings of `check` have their fix, for Azure as for OpenAI."""
    experiment = make({}, target=AZURE)
    found = list(data.target_problems(experiment, date(2027, 10, 1)))
    assert [problem.code for problem in found] == ["model_shutdown", "jobs_closed"]
    assert all(problem.hint for problem in found)
    note = existing_customers_note(AZURE)
    assert note is not None and "only customers who have trained there before" in note
