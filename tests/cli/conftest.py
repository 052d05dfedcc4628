"""A project with a scripted provider, for commands that are run in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from paid import KEY, Paid, make_paid
from provider import Provider


@pytest.fixture
def paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project whose target `paid` is a provider in memory."""
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.chdir(tmp_path)
    made = make_paid(tmp_path, capfd, Provider(models={"m": {}}))
    yield made
    made.server.close()
