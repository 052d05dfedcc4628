"""A key that was used reaches no output and no file, wherever a server or an error puts it."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftrun import redaction
from ftrun.cli import main
from ftrun.files import write_atomic, write_json
from ftrun.state import State, StateStore
from ftrun.targets.credentials import key_from
from support.paid_project import CONFIG
from support.scripted_server import Answer, Asked, ScriptedServer

CANARY = "fk-canary/0123+456789=abcdef"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Forget the secrets of a test."""
    before = set(redaction._secrets)
    yield
    redaction._secrets.clear()
    redaction._secrets.update(before)


@pytest.mark.parametrize("form", [CANARY, "fk-canary%2F0123%2B456789%3Dabcdef"])
def test_files_hold_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """Text, JSON and the state lose a key that was taken from the environment, and the state stays valid."""
    monkeypatch.setenv("SOME_KEY", CANARY)
    key_from("SOME_KEY", "t")
    write_atomic(tmp_path / "a", f"x {form} y")
    write_json(tmp_path / "b", {form: [form, 1]})
    state = State(experiment="x", target="t", file="x.yaml", identity={"provider": form})
    store = StateStore(tmp_path)
    store.save(state)
    assert store.load() is not None
    for path in tmp_path.iterdir():
        assert form.encode() not in path.read_bytes(), path
    assert (tmp_path / "a").read_text() == f"x {redaction.HIDDEN} y"


def test_a_secret_that_is_part_of_another_leaves_no_rest() -> None:
    """The longer one is hidden as a whole, whichever was known first."""
    for end in range(20, 8, -1):
        redaction.keep_secret("fk-0123456789abcdefg"[:end])
    assert redaction.hide("x fk-0123456789abcdefg y") == f"x {redaction.HIDDEN} y"


def test_short_texts_are_no_secrets() -> None:
    """What is shorter than any key is not hidden: ordinary text must stay whole."""
    redaction.keep_secret("abc")
    assert redaction.hide("abc abc") == "abc abc"


class Echo:
    """A server that repeats the Authorization header wherever text can stand; `fails` says where it ends."""

    def __init__(self, fails: str) -> None:
        self.fails = fails

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        told = asked.headers.get("Authorization", "")
        path = asked.path
        if self.fails and self.fails in f"{asked.method} {path}":
            return Answer({"error": {"message": f"bad: {told}", "code": told}}, 400)
        if path.endswith("/events"):
            entry = {"id": f"e {told}", "created_at": 1, "level": "info", "message": told}
            return Answer({"data": [entry], "has_more": False})
        if path.endswith("/checkpoints"):
            return Answer({"data": [{"id": "c", "step_number": 1, "fine_tuned_model_checkpoint": told}]})
        if path.endswith("/content"):
            return Answer(f"step,train_loss\n1,{told}\n".encode())
        if path.startswith("/files"):
            return self._file(asked, told)
        if path.startswith("/fine_tuning"):
            return self._job(asked, told)
        if path.startswith("/models"):
            return Answer({"id": "m", "object": "model", "owned_by": told})
        said = {"role": "assistant", "content": told}
        return Answer({"id": "c", "choices": [{"index": 0, "message": said}], "usage": None})

    def _file(self, asked: Asked, told: str) -> Answer:
        if asked.method == "GET" and asked.path == "/files":
            return Answer({"data": [], "has_more": False})
        return Answer({"id": f"file-{told}", "filename": "x", "bytes": 1, "status": "processed"})

    def _job(self, asked: Asked, told: str) -> Answer:
        if asked.method == "GET" and asked.path.endswith("/jobs"):
            return Answer({"data": [], "has_more": False})
        failed = self.fails == "job"
        job = {
            "id": "ftjob-1",
            "model": "m",
            "training_file": "file-1",
            "status": "failed" if failed else "succeeded",
            "fine_tuned_model": f"ft:{told}",
            "result_files": ["file-r"],
            "error": {"code": told, "message": told} if failed else None,
            "hyperparameters": {"n_epochs": told},
        }
        return Answer(job)


FAILS = (
    "",
    "job",
    "POST /fine_tuning",
    "GET /fine_tuning/jobs",
    "POST /files",
    "GET /files",
    "chat",
    "models",
)


@pytest.mark.parametrize(
    ("fails", "as_json"), [(fails, number % 2 == 0) for number, fails in enumerate(FAILS)]
)
def test_a_server_that_repeats_the_key_leaks_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    fails: str,
    as_json: bool,
) -> None:
    """Every command, through success and every failure: 0 bytes of the key in outputs, files and bug logs."""
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("SOME_KEY", CANARY)
    server = ScriptedServer(Echo(fails))
    config = tmp_path / "toy.yaml"
    config.write_text(CONFIG.format(base_url=server.base_url), encoding="utf-8")
    rows = "".join(f"質問{number},答え{number}\n" for number in range(12))
    (tmp_path / "toy.csv").write_text("q,a\n" + rows, encoding="utf-8")
    for words in _commands(config):
        with pytest.raises(SystemExit) as end:
            main([*words, *(["--json"] if as_json else [])])
        assert end.value.code != 3, words
    server.close()
    said = capfd.readouterr()
    assert server.asked
    for form in (CANARY, json.dumps(CANARY)[1:-1]):
        assert form not in said.out + said.err
        for path in tmp_path.rglob("*"):
            assert not path.is_file() or form.encode() not in path.read_bytes(), path


def _commands(config: Path) -> Iterator[list[str]]:
    yield ["plan", str(config)]
    yield ["run", str(config), "--yes"]
    yield ["status", str(config)]
    yield ["events", str(config)]
    yield ["run", str(config), "--yes"]
    yield ["chat", str(config), "-m", "やあ"]
    for kind in ("files", "jobs", "models"):
        yield ["ls", kind, str(config)]
    for command in ("wait", "pause", "resume", "history"):
        yield [command, str(config)]
    yield ["cancel", str(config), "--yes"]
    yield ["gc", str(config), "--dry-run"]
    yield ["rm", "file-1", str(config), "--yes"]


def test_the_log_of_a_bug_holds_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A crash whose message contains a key is logged without it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    redaction.keep_secret(CANARY)

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError(f"oops {CANARY}")

    monkeypatch.setattr(sys.modules["ftrun.cli.main"].commands, "main", crash)
    with pytest.raises(SystemExit) as end:
        main(["doctor"])
    assert end.value.code == 3
    (log,) = tmp_path.glob("ftrun-bug-*.log")
    assert "oops" in log.read_text() and CANARY not in log.read_text()
    assert CANARY not in "".join(capfd.readouterr())
