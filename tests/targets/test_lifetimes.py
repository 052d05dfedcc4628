"""What servers say of the end of a model is read leniently, and nonsense is no date."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ftrun.targets.api.reading import model_of
from ftrun.targets.lifetimes import day_of, server_ends
from support.scripted_server import Answer, refusal
from targets.conftest import Connect

MOMENT = 1_799_884_800  # 2027-01-14


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2027-01-14", "2027-01-14"),
        (" 2027-01-14T09:00:00Z", "2027-01-14"),
        ("2027/01/14", "2027-01-14"),
        ("20270114", "2027-01-14"),
        (str(MOMENT), "2027-01-14"),
        (f"{MOMENT}000", "2027-01-14"),
        (f"{MOMENT}.5", "2027-01-14"),
        ("2027-13-45", None),
        ("2027-01-141", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("0001-01-01T00:00:00Z", None),
        ("9999-12-31", None),
        ("2027", None),
        ("２０２７-01-14", "2027-01-14"),
        ("99999999999999999999", None),
    ],
)
def test_a_date_is_read_in_any_usual_form(text: str | None, day: str | None) -> None:
    """ISO dates with and without a time, Unix seconds and milliseconds; what means "none" is none."""
    assert day_of(text) == (date.fromisoformat(day) if day else None)


@pytest.mark.parametrize(
    ("given", "training", "answers"),
    [
        ({"shutdown_date": "2027-01-14"}, None, "2027-01-14"),
        ({"shutdown_date": MOMENT}, None, "2027-01-14"),
        ({"deprecation": {"fine_tune": MOMENT, "inference": MOMENT}}, "2027-01-14", "2027-01-14"),
        ({"deprecation": {"fine_tune": str(MOMENT), "inference": None}}, "2027-01-14", None),
        ({"deprecation": "later"}, None, None),
        ({"deprecation": {"fine_tune": {"at": 1}, "inference": [1]}}, None, None),
        ({"shutdown_date": {"day": 1}, "deprecation": None}, None, None),
        ({"shutdown_date": True}, None, None),
        ({"shutdown_date": -1, "deprecation": {"inference": 1e300}}, None, None),
        ({"shutdown_date": "N/A"}, None, None),
    ],
)
def test_a_model_of_any_server_is_read(
    connect: Connect, given: dict[str, Any], training: str | None, answers: str | None
) -> None:
    """OpenAI's and Azure's fields in the forms that servers give them; anything else is no date."""
    _, service = connect(lambda asked: Answer({"id": "m", **given}))
    found = server_ends(service.model("m"))
    days = (found.training, found.answers)
    assert days == tuple(date.fromisoformat(one) if one else None for one in (training, answers))


def test_a_base_speaks_for_what_was_tuned_from_it_only_at_openai(connect: Connect) -> None:
    """`shutdown_date` is also the tuned models' end; Azure tells it of each model alone."""
    _, service = connect(
        lambda asked: (
            Answer({"id": "m", "deprecation": {"fine_tune": MOMENT, "inference": MOMENT}})
            if asked.path.endswith("/azure")
            else Answer({"id": "m", "shutdown_date": "2027-01-14"})
            if asked.path.endswith("/openai")
            else refusal(404)
        )
    )
    openai, azure = server_ends(service.model("openai")), server_ends(service.model("azure"))
    assert server_ends(None, openai).answers == date(2027, 1, 14)
    assert server_ends(None, azure).answers is None and server_ends(None, azure).training == date(2027, 1, 14)
    assert server_ends(service.model("azure"), openai).answers == date(2027, 1, 14)


def test_models_are_read_without_a_server() -> None:
    """An object that has nothing but an id is a model without an end."""

    class Raw:
        id = "m"

    found = model_of(Raw())
    assert (found.shutdown_date, found.training_ends, found.answers_end) == (None, None, None)
