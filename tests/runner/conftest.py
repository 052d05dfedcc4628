"""A provider to run against: a real engine with a server in front that fails on demand; and ftrun inside."""

from __future__ import annotations

import json
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.cli import main
from support.engine_process import Engine
from support.faulty_proxy import FaultyServer
from support.provider import KEY

RUN = ("run", "configs/toy.yaml", "--target", "paid")


@pytest.fixture(scope="package")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Yield an engine that plays the provider."""
    running = Engine(home=tmp_path_factory.mktemp("provider")).start()
    yield running
    running.end()


@pytest.fixture
def provider(engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Yield the provider's front, with the project's target `paid` pointing at it and the key set."""
    server = FaultyServer(engine.base_url, engine.token)
    config = project / "configs/toy.yaml"
    # a name of its own in each row keeps files and jobs of one test apart from another's on the shared engine
    suffix = f"t{secrets.token_hex(4)}"
    text = config.read_text().replace("suffix: toy", f"suffix: {suffix}")
    text = text.replace("system: あなたは", f"system: あなたは{suffix}です。")
    target = (
        f"  paid: {{provider: openai, model: rehearsal, "
        f"base_url: '{server.base_url}', api_key_env: PAID_KEY, "
        "settle: 2s, poll: {min: 0.02, max: 0.1}, price: {train: 10, input: 1, output: 2}}\n"
    )
    config.write_text(text.replace("data:\n", f"{target}data:\n", 1))
    monkeypatch.setenv("PAID_KEY", KEY)
    yield server
    server.close()


class Inside:
    """Runs the command line in this process: no interpreter to start, no SDK to import again."""

    def __init__(self, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.project, self._capsys = project, capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        """Run `ftrun WORDS` and return exit code, stdout and stderr."""
        before = signal.getsignal(signal.SIGTERM)
        self._capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as caught:
                main(list(words))
        finally:
            signal.signal(signal.SIGTERM, before)
        out, err = self._capsys.readouterr()
        code = caught.value.code
        assert isinstance(code, int)
        return code, out, err

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run `ftrun WORDS --json`, hold it to the exit code, and return the one document on stdout."""
        got, out, err = self(*words, "--json")
        assert got == code, (got, out, err)
        document = json.loads(out)
        assert isinstance(document, dict)
        return document

    def state(self, target: str = "paid") -> dict[str, Any]:
        """Return the state file of a target."""
        document = json.loads((self.project / f"runs/toy/{target}/state.json").read_text())
        assert isinstance(document, dict)
        return document


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    """Return the command line, run in this process and in the project's folder."""
    monkeypatch.chdir(project)
    return Inside(project, capsys)
