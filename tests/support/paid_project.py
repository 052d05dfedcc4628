"""An experiment on a provider in memory, and running commands on it in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftrun.cli import main
from support.provider import KEY, Provider, model
from support.scripted_server import ScriptedServer

CONFIG = """\
version: 1
name: toy
targets:
  paid: {{provider: openai, model: m, base_url: '{base_url}', api_key_env: SOME_KEY,
    settle: 0.1s, poll: {{min: 0.01, max: 0.02}}, price: {{train: 1, input: 1, output: 1}}}}
data: {{sources: [{{path: toy.csv}}]}}
prompt: {{user: "{{{{ q }}}}", assistant: "{{{{ a }}}}"}}
eval:
  models: [tuned]
  prompts: [{{id: one, user: 一番は？}}]
"""


@dataclass(slots=True, kw_only=True)
class Paid:
    """A project whose target `paid` is `provider`."""

    folder: Path
    provider: Provider
    server: ScriptedServer
    capture: pytest.CaptureFixture[str]
    error: str = ""

    @property
    def config(self) -> Path:
        """Return the experiment file."""
        return self.folder / "toy.yaml"

    def run(self, *words: str | Path, code: int = 0) -> str:
        """Run a command in this process, hold it to the exit code, return stdout; stderr is kept."""
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        said = self.capture.readouterr()
        self.error = said.err
        assert end.value.code == code, (end.value.code, said.out, said.err)
        return said.out

    def json(self, *words: str | Path, code: int = 0) -> dict[str, Any]:
        """Run a command with --json and return its document."""
        document = json.loads(self.run(*words, "--json", code=code))
        assert isinstance(document, dict)
        return document

    def add(self, text: str) -> None:
        """Add keys at the end of the experiment file."""
        self.config.write_text(self.config.read_text(encoding="utf-8") + text, encoding="utf-8")


def make_paid(folder: Path, capture: pytest.CaptureFixture[str], provider: Provider) -> Paid:
    """Write the project and serve the provider; the caller closes the server."""
    server = ScriptedServer(provider)
    (folder / "toy.yaml").write_text(CONFIG.format(base_url=server.base_url), encoding="utf-8")
    rows = "".join(f"質問{number},答え{number}\n" for number in range(12))
    (folder / "toy.csv").write_text("q,a\n" + rows, encoding="utf-8")
    return Paid(folder=folder, provider=provider, server=server, capture=capture)


@contextmanager
def on_plain_provider(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project in `folder`, now the current one, on a plain provider; no read is repeated."""
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)
    monkeypatch.setenv("SOME_KEY", KEY)
    folder.mkdir(exist_ok=True)
    monkeypatch.chdir(folder)
    made = make_paid(folder, capture, plain_provider())
    try:
        yield made
    finally:
        made.server.close()


def plain_provider(**capabilities: bool) -> Provider:
    """Return a provider that tells no more of jobs and answers than it must; its only model is `m`."""
    models = {"m": model("m", **({"capabilities": capabilities} if capabilities else {}))}
    return Provider(
        models=models,
        first_status="running",
        ignore_filter=True,
        trained_tokens=None,
        usage=None,
    )
