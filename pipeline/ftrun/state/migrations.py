"""Upgrading older state files: version N becomes N + 1, and only the newest is written.

Never edit a step: add one, raise VERSION in the model, and keep the old file as a golden one in the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftrun.state.model import VERSION


def _to_2(data: dict[str, Any]) -> dict[str, Any]:
    """Version 2 knows uploads in parts and unclear uploads, and which jobs were there before."""
    of_job: dict[str, Any] = {
        "spec": {},
        "seen": [],
        "intent": None,
        "settled": False,
        "duplicates": [],
        "finished_at": None,
        "trained_tokens": None,
    }
    jobs = {key: {**job, **of_job} for key, job in data["jobs"].items()}
    intents = {key: {**intent, "seen": [], "resends": 0} for key, intent in data["intents"].items()}
    return {**data, "jobs": jobs, "intents": intents, "partial_uploads": {}, "upload_intents": {}}


STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _to_2}


def upgraded(data: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON values of a state in today's version; KeyError or TypeError if they are none."""
    for version in range(data["version"], VERSION):
        data = {**STEPS[version](data), "version": version + 1}
    return data
