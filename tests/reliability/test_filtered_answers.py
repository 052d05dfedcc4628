"""What a proxy between answers of its own, after the server has done the work, is no answer of the API."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from reliability.conftest import CREATE, DETACHED, WORDS, Runs, finished
from reliability.test_clones import NEVER, locks  # noqa: F401  a fixture
from reliability.test_open_calls import creates
from support.provider import Provider

PAGE = b"<html><title>403 Forbidden</title></html>"
LOOK = "GET /fine_tuning/jobs/ID"


@pytest.mark.parametrize(
    ("status", "body"), [(403, PAGE), (422, b'{"detail": []}'), (429, b'{"message": "no"}')]
)
def test_a_refusal_that_is_not_the_apis_may_hide_a_job(
    runs: Runs, provider: Provider, place: Path, status: int, body: bytes
) -> None:
    """The job is looked for and taken; while no list shows it a person is asked, and none is added."""
    provider.filtered[CREATE] = (status, body)
    provider.hidden = NEVER if status == 403 else 0.0
    run = runs(place)
    if provider.hidden:
        assert (run.wait(), run.error_code) == (4, "unclear")
        assert "proxy" in run.document["error"]["message"]
        assert runs(place).error_code == "unclear"
        provider.hidden = 0.0
        run = runs(place)
    finished(provider, place, run)
    assert creates(provider) == 1


def test_a_refusal_of_the_api_closes_the_call(runs: Runs, provider: Provider, place: Path) -> None:
    """A wrong key or a wrong value is said at once, and the next run may send again."""
    provider.plan = lambda call: "429" if call.name == CREATE else ""
    provider.filtered[CREATE] = (403, b'{"error": {"message": "not allowed", "type": "x", "code": null}}')
    run = runs(place)
    assert (run.wait(), run.error_code) == (4, "forbidden")
    state = json.loads((place / "runs/toy/paid/state.json").read_text(encoding="utf-8"))
    assert state["intents"] == {} and not provider.jobs


def test_a_page_instead_of_a_job_does_not_say_that_it_is_gone(
    runs: Runs,
    provider: Provider,
    place: Path,
    locks: dict[str, str],  # noqa: F811
) -> None:
    """Without a state and with late lists, a proxy's 404 at the job of the note asks; a person may decide."""
    assert runs(place, *DETACHED, env=locks).wait() == 75
    shutil.rmtree(place / "runs")
    provider.hidden, provider.filtered[LOOK] = NEVER, (404, PAGE)
    run = runs(place, *DETACHED, env=locks)
    assert (run.wait(), run.error_code, creates(provider)) == (4, "unclear", 1)
    assert "ftjob-1" in run.document["error"]["message"]
    provider.filtered.clear()
    finished(provider, place, runs(place, env=locks))
    assert creates(provider) == 1


def test_a_page_instead_of_an_upload_is_looked_behind(runs: Runs, provider: Provider, place: Path) -> None:
    """A file whose answer a proxy replaced is found, and not sent again, also by the next run."""
    provider.filtered["POST /files"] = (413, PAGE)
    assert runs(place, *WORDS, "--until", "upload").wait() == 0
    assert len(provider.files) == 2
    shutil.rmtree(place / "runs")
    finished(provider, place, runs(place))
