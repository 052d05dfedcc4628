"""What a server says of a model's end, read leniently: dates as text or numbers, and nonsense as none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime

from ftrun.cost.availability import ServerEnds
from ftrun.errors import FtrunError
from ftrun.experiment.target import Target
from ftrun.targets.errors import get_or_none
from ftrun.targets.matching import is_snapshot
from ftrun.targets.service import RemoteModel, Service

# error codes of servers that give no list of their models
NOT_LISTED = ("not_found", "forbidden", "refused", "unreadable_answer")
DAY = re.compile(r"\s*(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})(?!\d)")
MOMENT = re.compile(r"\s*(\d{9,10})(?:\d{3})?(?:\.\d+)?\s*")  # Unix seconds or milliseconds
FIRST, LAST = 2015, 2200  # years outside of which a date means "none"


def find_model(service: Service, model: str) -> RemoteModel | Sequence[str]:
    """Return the model, else the names of all models; a snapshot counts as its alias."""
    found = get_or_none(service.model, model)
    if found is not None:
        return found
    all_there_are = service.models()
    snapshots = [one for one in all_there_are if is_snapshot(model, one.id)]
    return snapshots[-1] if snapshots else [one.id for one in all_there_are]


def listed_model(service: Service, target: Target, model: str) -> RemoteModel | None:
    """Return what the server says of a model, None where it says nothing or can't be asked now."""
    if target.capabilities.get("models") == "missing":
        return None
    try:
        found = find_model(service, model)
    except FtrunError:
        return None  # what needs the server says why it can't be asked
    return found if isinstance(found, RemoteModel) else None


def server_ends(model: RemoteModel | None, base: ServerEnds | None = None) -> ServerEnds:
    """Return when a model ends by its server's word. `base`: what it says of the model that it was
    tuned from, which holds where it says nothing of this one.
    """
    shut_down = day_of(model.shutdown_date) if model is not None else None
    own = shut_down or (_day(model.answers_end) if model is not None else None)
    training = _day(model.training_ends) if model is not None else None
    above = base or ServerEnds()
    return ServerEnds(
        training=training or above.training,
        answers=own or (above.answers if above.with_tuned else None),
        with_tuned=shut_down is not None or own is None,
    )


def day_of(text: str | None) -> date | None:
    """Return the day that a text names in numbers, with or without a time; None for any other text."""
    if moment := MOMENT.fullmatch(text or ""):
        return _plausible(datetime.fromtimestamp(int(moment[1]), UTC).date())
    found = DAY.match(text or "")
    try:
        return found and _plausible(date(*map(int, found.groups())))
    except ValueError:
        return None


def _day(moment: int | None) -> date | None:
    return None if moment is None else _plausible(datetime.fromtimestamp(moment, UTC).date())


def _plausible(day: date) -> date | None:
    return day if FIRST <= day.year <= LAST else None
