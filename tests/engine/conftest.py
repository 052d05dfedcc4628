"""A running engine that the tests of a session share, and SDK clients of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from support.engine_process import Engine


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Yield an engine of the session; it has base_url and token."""
    running = Engine(home=tmp_path_factory.mktemp("engine")).start()
    yield running
    running.end()


@pytest.fixture
def client(engine: Engine) -> Iterator[openai.OpenAI]:
    """Yield an SDK client of the session's engine."""
    with engine.client() as client:
        yield client


@pytest.fixture
def own_engine(tmp_path: Path) -> Iterator[Callable[..., Engine]]:
    """Yield a way to start engines that the test may kill; those left running are ended."""
    started: list[Engine] = []

    def start(**variables: str) -> Engine:
        started.append(Engine(home=tmp_path / "engine", variables=variables).start())
        return started[-1]

    yield start
    for running in started:
        assert running.process is not None
        if running.process.poll() is None:
            running.end()
