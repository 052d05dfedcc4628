"""A variable goes only to a server that it belongs to, or that the user agreed to."""

from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.targets import credentials
from ftrun.targets.credentials import permit
from support.paid_project import Paid
from support.provider import KEY
from support.scripted_server import Answer, ScriptedServer

FOREIGN = "https://gateway.example"
AZURE = "https://mine.openai.azure.com/openai/v1"


@pytest.fixture(autouse=True)
def nothing_agreed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as a new process does: what could not be kept is forgotten."""
    monkeypatch.setattr(credentials, "_agreed_here", set())


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """Yield the proxy through which servers elsewhere would be reached: nothing gets past it."""
    server = ScriptedServer(lambda asked: Answer(b"", 502))
    monkeypatch.setenv("HTTPS_PROXY", server.origin)
    yield server
    server.close()


@pytest.fixture
def foreign(paid: Paid, proxy: ScriptedServer) -> Paid:
    """Return a project whose file sends SOME_KEY to a server that the user never heard of."""
    _name(paid, paid.server.origin, FOREIGN)
    return paid


def _name(paid: Paid, old: str, new: str) -> None:
    text = paid.config.read_text(encoding="utf-8")
    assert old in text
    paid.config.write_text(text.replace(old, new), encoding="utf-8")


def _kept(guard: Path) -> Path:
    return guard / ".local/state/ftrun/consent.jsonl"


def _notes(paid: Paid, *words: str) -> str:
    return " ".join(paid.json("plan", paid.config, *words)["notes"])


def test_plan_sends_a_key_to_nobody_unasked(foreign: Paid, proxy: ScriptedServer, guard: Path) -> None:
    """It plans from the state, names variable, server and the fix; after one --yes it asks the server.

    What is kept belongs to the user alone, holds no key, and is worth nothing for another variable or server.
    """
    notes = _notes(foreign)
    assert f"SOME_KEY to {FOREIGN}" in notes and "plan toy.yaml --target paid --yes" in notes
    assert proxy.asked == [] and not _kept(guard).exists()
    _notes(foreign, "--yes")
    assert {asked.method for asked in proxy.asked} == {"CONNECT"}
    proxy.asked.clear()
    assert "agreed" not in _notes(foreign)
    assert proxy.asked != []
    assert stat.S_IMODE(_kept(guard).stat().st_mode) == 0o600
    assert json.loads(_kept(guard).read_text()) == {
        "variable": "SOME_KEY",
        "server": f"{FOREIGN}:443/",
    }
    proxy.asked.clear()
    _name(foreign, FOREIGN, "https://gateway.example:8443")
    assert f"SOME_KEY to {FOREIGN}:8443" in _notes(foreign)
    assert proxy.asked == []


def test_a_variable_in_a_header_is_a_key_too(
    foreign: Paid, proxy: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`headers: env:` needs a yes of its own, whatever was agreed for the key."""
    _notes(foreign, "--yes")
    proxy.asked.clear()
    monkeypatch.setenv("DATABASE_PASSWORD", KEY)
    _name(
        foreign, "api_key_env: SOME_KEY,", "api_key_env: SOME_KEY, headers: {X-Key: 'env:DATABASE_PASSWORD'},"
    )
    assert f"DATABASE_PASSWORD to {FOREIGN}" in _notes(foreign)
    assert proxy.asked == []


@pytest.mark.parametrize("pair", [["SOME_KEY", f"{FOREIGN}:443/"], {"SOME_KEY": FOREIGN}, 1, None])
def test_a_damaged_line_agrees_to_nothing(
    foreign: Paid, proxy: ScriptedServer, guard: Path, pair: object
) -> None:
    """A line whose values have the wrong types is passed over, and a yes after it counts."""
    _kept(guard).parent.mkdir(parents=True)
    _kept(guard).write_text(json.dumps({"variable": pair, "server": pair}) + "\n", encoding="utf-8")
    assert f"SOME_KEY to {FOREIGN}" in _notes(foreign)
    assert proxy.asked == []
    _notes(foreign, "--yes")
    assert proxy.asked != []


def test_a_pipe_in_its_place_is_not_waited_for(foreign: Paid, proxy: ScriptedServer, guard: Path) -> None:
    """It agrees to nothing, and --yes counts for the one command."""
    _kept(guard).parent.mkdir(parents=True)
    os.mkfifo(_kept(guard))
    assert f"SOME_KEY to {FOREIGN}" in _notes(foreign)
    assert proxy.asked == []
    _notes(foreign, "--yes")
    assert proxy.asked != []


@pytest.mark.parametrize("words", [("run",), ("ls", "jobs"), ("rm", "file-1"), ("gc",)])
def test_no_command_sends_it_unasked(foreign: Paid, proxy: ScriptedServer, words: tuple[str, ...]) -> None:
    """Exit code 4 before anything is sent; a budget in the same file is not consent."""
    foreign.add("budget: {usd: 100}\n")
    error = foreign.json(words[0], *words[1:], foreign.config, code=4)["error"]
    assert error["code"] == "not_confirmed"
    assert "SOME_KEY" in error["message"] and FOREIGN in error["message"] and "--yes" in error["hint"]
    assert foreign.json("status", foreign.config)["job_id"] is None
    assert proxy.asked == []


def test_yes_of_a_run_is_one(foreign: Paid, proxy: ScriptedServer, guard: Path) -> None:
    """Who runs it with --yes agrees, also where nothing can be kept."""
    _kept(guard).parent.parent.mkdir(parents=True)
    _kept(guard).parent.write_text("no folder", encoding="utf-8")
    foreign.json("run", foreign.config, "--yes", code=1)
    assert proxy.asked != []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("api_key_env: SOME_KEY,", "api_key_env: OPENAI_API_KEY,"),
        ("api_key_env: SOME_KEY,", "api_key_env: SOME_KEY, headers: {X-Key: 'env:OPENAI_API_KEY'},"),
    ],
)
def test_a_services_own_key_goes_to_no_other(
    foreign: Paid, proxy: ScriptedServer, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    """Exit code 2 with the place in the file, whatever is agreed."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _name(foreign, old, new)
    for command in ("plan", "run"):
        error = foreign.json(command, foreign.config, "--yes", code=2)["error"]
        assert error["code"] == "foreign_key" and error["file"] == "toy.yaml" and error["line"] == 4
    assert proxy.asked == []


def test_a_services_own_key_on_this_machine_is_asked_for(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway on loopback may get any variable, OPENAI_API_KEY too, once the user agrees."""
    assert f"SOME_KEY to {paid.server.origin}" in _notes(paid)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _name(paid, "SOME_KEY", "OPENAI_API_KEY")
    assert f"OPENAI_API_KEY to {paid.server.origin}" in _notes(paid)
    assert paid.server.asked == []
    assert "remote not checked" not in _notes(paid, "--yes")


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("OPENAI_API_KEY", "https://api.openai.com/v1"),
        ("OPENAI_API_KEY", "https://eu.api.openai.com:443/v1"),
        ("AZURE_OPENAI_API_KEY", AZURE),
        ("AWS_BEARER_TOKEN_BEDROCK", "https://bedrock-mantle.us-west-2.api.aws/v1"),
    ],
)
def test_what_needs_no_yes(variable: str, url: str) -> None:
    """A preset's own key at the preset's hosts."""
    permit(variable, url)


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("OPENAI_API_KEY", "https://api.openai.com.gateway.example/v1"),
        ("OPENAI_API_KEY", "https://gateway.example\\@api.openai.com/v1"),
        ("OPENAI_API_KEY", "https://me:pw@api.openai.com/v1"),
        ("OPENAI_API_KEY", "http://api.openai.com/v1"),
        ("OPENAI_API_KEY", AZURE),
        ("AZURE_OPENAI_API_KEY", "https://openai.azure.com.gateway.example"),
        ("AZURE_OPENAI_API_KEY", "https://a.b.openai.azure.com"),
        ("AZURE_MANAGEMENT_TOKEN", "https://gateway.example"),
        ("AWS_BEARER_TOKEN_BEDROCK", "https://bedrock-mantle.x.gateway.example/.api.aws/v1"),
        ("AWS_SECRET_ACCESS_KEY", "https://s3.amazonaws.com"),
        ("ANY", "http://gateway.example"),
        ("ANY", "http://127.0.0.1.gateway.example"),
        ("ANY", "ftp://127.0.0.1"),
    ],
)
def test_what_no_yes_allows(variable: str, url: str) -> None:
    """Another service's key, hosts that only look like the service's, addresses that are read two ways."""
    with pytest.raises(UsageError):
        permit(variable, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://localhost.example",
        "https://127.0.0.2.nip.io",
        "http://[::1]:8000/v1",
        "http://localhost:8000/v1",
    ],
)
def test_any_other_needs_a_yes(url: str) -> None:
    """Also the hosts of a preset, for a variable that isn't the preset's, and this machine."""
    with pytest.raises(DecisionError) as error:
        permit("ANY", url)
    assert isinstance(error.value, FtrunError) and error.value.exit_code == 4


def test_a_budget_agrees_for_a_run_on_this_machine(paid: Paid) -> None:
    """An unattended run within its budget goes ahead there, and what it agreed to is kept."""
    paid.add("budget: {usd: 5}\n")
    assert "which you have not agreed to" in _notes(paid)
    assert paid.server.asked == []
    assert paid.json(paid.config)["status"] == "done"
    assert "agreed" not in _notes(paid)


@pytest.mark.parametrize(("typed", "sent"), [("\n", False), ("y\n", True)])
def test_on_a_terminal_it_asks(paid: Paid, monkeypatch: pytest.MonkeyPatch, typed: str, sent: bool) -> None:
    """The question names variable and server, and no answer is a no."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    _name(paid, "SOME_KEY", "OPENAI_API_KEY")
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    words = [sys.executable, "-m", "ftrun", "ls", "jobs", str(paid.config)]
    done = subprocess.run(words, stdin=theirs, capture_output=True, text=True, check=False)
    os.close(ours)
    os.close(theirs)
    assert f"OPENAI_API_KEY to {paid.server.origin}" in done.stderr and "[y/N]" in done.stderr
    assert (done.returncode, bool(paid.server.asked)) == (0 if sent else 4, sent)


def test_plan_says_why_the_server_was_not_asked(foreign: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy's address, or a file of certificates, that is of no use is named with its fix."""
    monkeypatch.setenv("HTTPS_PROXY", "ftp://proxy.example:21")
    notes = _notes(foreign, "--yes")
    assert "remote not checked: the proxy in HTTPS_PROXY" in notes and "http://HOST:PORT" in notes
