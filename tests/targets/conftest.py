"""A scripted server and a service that speaks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ftrun.targets.api import ApiService
from ftrun.targets.service import JobRequest
from support.provider import KEY
from support.scripted_server import Script, ScriptedServer

Connect = Callable[[Script], tuple[ScriptedServer, ApiService]]
JOB = {"id": "ftjob-1", "object": "fine_tuning.job", "status": "running", "model": "m", "training_file": "f"}
REQUEST = JobRequest(
    model="m",
    training_file="file-1",
    validation_file=None,
    hyperparameters={"n_epochs": "auto"},
    seed=None,
    suffix=None,
    metadata={"ftrun_spec": "spec"},
)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Yield a way to serve a script and connect to it; nothing is retried."""
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)
    made: list[tuple[ScriptedServer, ApiService]] = []

    def start(script: Script) -> tuple[ScriptedServer, ApiService]:
        server = ScriptedServer(script)
        service = ApiService(base_url=server.base_url, key=KEY, organization=None, project=None)
        made.append((server, service))
        return server, service

    yield start
    for server, service in made:
        service.close()
        server.close()
