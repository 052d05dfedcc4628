"""Finding, starting, replacing and ending the background engine, and `ftrun serve` itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest

import ftrun
from ftrun.engine import launch
from ftrun.engine.backends import AT_ONCE
from ftrun.engine.launch import Endpoint, ensure_engine, running_engine, stop_engine, warm_engine
from ftrun.engine.places import store_id
from ftrun.engine.store import Store
from ftrun.errors import DecisionError, FtrunError, UsageError
from support.engine_process import PATIENCE, PIPELINE, Engine, environment, upload, wait_until

LAUNCH = (
    "import sys; from pathlib import Path; from ftrun.engine.launch import ensure_engine;"
    "print(ensure_engine(Path(sys.argv[1]), announce=lambda text: None).pid)"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a home whose background engine is ended afterwards."""
    monkeypatch.setenv("PYTHONPATH", str(PIPELINE))
    yield tmp_path / "home"
    stop_engine(tmp_path / "home")


def quietly(text: str) -> None:
    """Say nothing."""


def test_one_engine_is_started_and_found_again(home: Path) -> None:
    """The first caller starts an engine and says so, the next finds it, and it serves the SDK."""
    said: list[str] = []
    first = ensure_engine(home, announce=said.append)
    assert ensure_engine(home, announce=said.append) == first == running_engine(home)
    assert len(said) == 1
    assert first.store == store_id(home)
    with openai.OpenAI(base_url=first.base_url, api_key=first.token) as client:
        assert "rehearsal" in [model.id for model in client.models.list()]
    assert stat.S_IMODE((home / "engine.json").stat().st_mode) == 0o600


def test_racing_callers_start_one_engine(home: Path) -> None:
    """Four processes that want an engine at once get the same one."""
    command = [sys.executable, "-c", LAUNCH, str(home)]

    def run() -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout

    with ThreadPoolExecutor(4) as pool:
        pids = {future.result() for future in [pool.submit(run) for _ in range(4)]}
    assert len(pids) == 1


def test_looking_starts_and_writes_nothing(home: Path) -> None:
    """Without an engine there is none to be found, and no folder appears."""
    assert running_engine(home) is None
    assert store_id(home) is None
    assert not stop_engine(home)
    assert not home.exists()


def test_an_ended_engine_is_started_anew_with_its_store(home: Path) -> None:
    """Stopping ends the process; the next one has another token and the same store and files."""
    first = ensure_engine(home, announce=quietly)
    with openai.OpenAI(base_url=first.base_url, api_key=first.token) as client:
        file = upload(client)
    assert stop_engine(home)
    assert running_engine(home) is None
    second = ensure_engine(home, announce=quietly)
    assert (second.store, second.token != first.token) == (first.store, True)
    with openai.OpenAI(base_url=second.base_url, api_key=second.token) as client:
        assert client.files.retrieve(file).id == file


def test_a_killed_engine_is_replaced(home: Path) -> None:
    """A stale engine.json, as kill -9 leaves it, is no engine."""
    first = ensure_engine(home, announce=quietly)
    os.kill(first.pid, 9)
    wait_until(lambda: running_engine(home) is None)
    assert (home / "engine.json").exists()
    assert ensure_engine(home, announce=quietly).pid != first.pid


def test_an_idle_engine_ends_by_itself(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks, nothing trains: the engine ends; a job in work keeps it, also one of an earlier engine."""
    monkeypatch.setenv("FTRUN_REHEARSAL_SECONDS_PER_STEP", "0.05")
    first = ensure_engine(home, announce=quietly)
    with openai.OpenAI(base_url=first.base_url, api_key=first.token, max_retries=0) as client:
        job = client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client)).id
    assert stop_engine(home)
    monkeypatch.setenv("FTRUN_ENGINE_IDLE", "0.2")
    ensure_engine(home, announce=quietly)
    wait_until(lambda: not (home / "engine.json").exists())
    store = Store(home)
    assert store.jobs.require(job).status == "succeeded"
    store.close()


def pretend(home: Path, **changes: Any) -> int:
    """Run a stand-in for an engine of another version at `home`: it answers the ping with `changes`.

    Return its process id.
    """
    script = (
        "import http.server, json, sys, os, pathlib, signal\n"
        "home, changes = pathlib.Path(sys.argv[1]), json.loads(sys.argv[2])\n"
        "from ftrun.engine.launch import server_lock\n"
        "lock = server_lock(home); lock.acquire()\n"
        "info = {'wire': 1, 'version': '0.0.1', 'prefix': '/elsewhere', 'store': 's', 'busy': False}\n"
        "info |= {'pid': os.getpid()} | changes\n"
        "class Answer(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps(info).encode())\n"
        "    def log_message(self, *words): pass\n"
        "server = http.server.HTTPServer(('127.0.0.1', 0), Answer)\n"
        "note = {'base_url': f'http://127.0.0.1:{server.server_port}/v1', 'token': 't', 'store': 's'}\n"
        "(home / 'engine.json').write_text(json.dumps(note))\n"
        "print('ready', flush=True); server.serve_forever()\n"
    )
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(home), json.dumps(changes)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.stdout.close()
    process.returncode = 0  # whoever tests ends it by its process id
    return process.pid


def test_a_model_is_warmed_where_the_engine_can(home: Path, tmp_path: Path) -> None:
    """An engine of today loads a model before the first question; an unknown one, an older engine and one
    that has ended are no error.
    """
    now = ensure_engine(home, announce=quietly)
    assert now.at_once == AT_ONCE
    assert warm_engine(now, "rehearsal")
    assert not warm_engine(now, "nobody")
    assert stop_engine(home)
    assert not warm_engine(now, "rehearsal")
    process_id = pretend(tmp_path / "older")
    older = running_engine(tmp_path / "older")
    assert older is not None and older.at_once is None
    assert not warm_engine(older, "rehearsal")
    os.kill(process_id, signal.SIGTERM)


def test_an_idle_engine_of_another_version_is_replaced(home: Path) -> None:
    """An idle engine of another installation makes way."""
    pretend(home)
    said: list[str] = []
    old = running_engine(home)
    assert isinstance(old, Endpoint)
    assert ensure_engine(home, announce=said.append).pid != old.pid
    assert any("Replacing" in text for text in said)


def test_a_busy_engine_is_never_replaced(home: Path) -> None:
    """A busy engine is used if it speaks our wire version, else a person decides, with the way out."""
    pretend(home, busy=True)
    old = running_engine(home)
    assert old is not None
    assert ensure_engine(home, announce=quietly) == old
    stop_engine(home)
    (home / "engine.json").unlink()
    (home / "server.lock").unlink(missing_ok=True)
    home.rename(home.with_name("old"))
    pretend(home, busy=True, wire=99)
    with pytest.raises(DecisionError, match="wire version 99") as caught:
        ensure_engine(home, announce=quietly)
    assert "ftrun serve --stop" in str(caught.value.problem.hint)


def of_this_installation(**changes: Any) -> dict[str, Any]:
    """Return what a stand-in answers that is an engine of ours, with `changes`."""
    return {"version": ftrun.__version__, "prefix": sys.prefix, **changes}


def test_an_idle_engine_of_another_number_format_is_replaced(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine that a run uses has the number format of the run's environment, and says so."""
    monkeypatch.setenv("FTRUN_DTYPE", "float32")
    first = ensure_engine(home, announce=quietly)
    assert info(first)["dtype"] == "float32"
    monkeypatch.delenv("FTRUN_DTYPE")
    said: list[str] = []
    second = ensure_engine(home, announce=said.append)
    assert second.pid != first.pid and info(second)["dtype"] == "auto"
    assert any("was started with FTRUN_DTYPE=float32" in text for text in said)
    monkeypatch.setenv("FTRUN_DTYPE", "auto")
    assert ensure_engine(home, announce=quietly) == second


def test_a_busy_engine_of_another_number_format_is_used(home: Path) -> None:
    """Nothing is interrupted for a number format: the run is told which one holds."""
    pretend(home, **of_this_installation(busy=True, dtype="float32"))
    old, said = running_engine(home), list[str]()
    assert old is not None
    assert ensure_engine(home, announce=said.append) == old
    assert any("FTRUN_DTYPE=float32 and keeps it" in text for text in said)
    stop_engine(home)


def test_an_engine_in_the_foreground_keeps_its_number_format(
    own_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    """Whoever started it with --dtype wants that: a run uses it, and is told."""
    engine, said = own_engine(FTRUN_DTYPE="bfloat16"), list[str]()
    found = ensure_engine(engine.home, announce=said.append)
    assert found.base_url == engine.base_url and info(found)["dtype"] == "bfloat16"
    assert any("FTRUN_DTYPE=bfloat16 and keeps it" in text for text in said)


def info(engine: Endpoint) -> dict[str, Any]:
    """Return what an engine says about itself."""
    with openai.OpenAI(base_url=engine.base_url, api_key=engine.token) as client:
        address = engine.base_url.removesuffix("/v1") + "/ftrun/info"
        return client.get(address, cast_to=dict[str, Any])


def test_an_unknown_number_format_starts_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt FTRUN_DTYPE is said before an engine starts, in the foreground too, with the values."""
    monkeypatch.setenv("FTRUN_DTYPE", "fp16")
    with pytest.raises(UsageError, match="FTRUN_DTYPE is 'fp16'"):
        ensure_engine(home, announce=quietly)
    assert not home.exists()
    result = serve("--home", str(home), "--json", FTRUN_DTYPE="fp16")
    assert result.returncode == 2 and not (home / "engine.json").exists()
    assert "auto, float32, bfloat16" in json.loads(result.stdout)["error"]["hint"]


def test_serve_takes_the_number_format_as_an_option(tmp_path: Path) -> None:
    """--dtype wins over the variable, for this server and what it starts; another word is refused."""
    command = [sys.executable, "-m", "ftrun", "serve", "--home", str(tmp_path / "home"), "--json"]
    process = subprocess.Popen(
        [*command, "--dtype", "bfloat16"], stdout=subprocess.PIPE, env=environment(FTRUN_DTYPE="float32")
    )
    assert process.stdout is not None and process.stdout.readline()
    found = running_engine(tmp_path / "home")
    assert found is not None and info(found)["dtype"] == "bfloat16"
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
    assert serve("--dtype", "int8").returncode == 2


def test_an_engine_may_end_while_it_is_stopped(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends by itself between its answer and the signal, as an idle one may, is no error."""
    ended = subprocess.Popen(["true"])
    ended.wait()
    process_id = pretend(home, pid=ended.pid)
    monkeypatch.setattr(launch, "STOP_SECONDS", 0.1)
    assert stop_engine(home)
    os.kill(process_id, signal.SIGTERM)


def test_an_engine_that_cannot_start_says_why(home: Path) -> None:
    """A store of a newer version ends the start with both versions named."""
    import sqlite3

    home.mkdir()
    connection = sqlite3.connect(home / "store.sqlite3")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(FtrunError, match=r"version 99; this ftrun knows \d+\."):
        ensure_engine(home, announce=quietly)


def serve(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `ftrun serve` to its end."""
    command = [sys.executable, "-m", "ftrun", "serve", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, env=environment(**variables)
    )


def test_a_port_in_use_is_one_clear_message(tmp_path: Path) -> None:
    """`ftrun serve` on a taken port exits 2 and names a free way."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = serve("--home", str(tmp_path), "--port", port, "--json")
    assert result.returncode == 2
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "port_in_use" and port in error["message"] and "--port 0" in error["hint"]


def test_only_loopback_is_served(tmp_path: Path) -> None:
    """An address that others can reach is refused."""
    result = serve("--home", str(tmp_path), "--host", "0.0.0.0")
    assert result.returncode == 2
    assert "not a loopback address" in result.stderr


def test_one_home_has_one_engine(engine: Engine) -> None:
    """A second `ftrun serve` for a home exits 4 and names the first."""
    result = serve("--home", str(engine.home), "--json")
    assert result.returncode == 4
    assert engine.base_url in json.loads(result.stdout)["error"]["message"]


def test_the_token_can_be_given_and_must_be_usable(tmp_path: Path) -> None:
    """--token-env takes the token from a variable; an unset or odd one is refused without showing it."""
    assert serve("--home", str(tmp_path), "--token-env", "NOT_SET").returncode == 2
    odd = serve("--home", str(tmp_path), "--token-env", "T", T="ｓｅｃｒｅｔ")
    assert odd.returncode == 2 and "ｓｅｃｒｅｔ" not in odd.stderr


def test_a_full_disk_is_why_an_engine_does_not_start(tmp_path: Path) -> None:
    """Where the store's disk has no room, the message says so and names the folder."""
    (tmp_path / "full").mkdir()
    code = (
        "from pathlib import Path; from ftrun.engine.launch import ensure_engine; import sys; "
        "ensure_engine(Path(sys.argv[1]), announce=print)"
    )
    mount = f"mount -t tmpfs -o size=64k none '{tmp_path}/full' || exit 77; "
    words = ["unshare", "-m", "sh", "-c", mount + 'exec "$0" "$@"', sys.executable, "-c", code]
    try:
        done = subprocess.run(
            [*words, str(tmp_path / "full")], capture_output=True, text=True, timeout=60, check=False
        )
    except FileNotFoundError:
        pytest.skip("there is no unshare on this machine")
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("only root may mount a small disk")
    assert f"no space left in {tmp_path}/full" in done.stderr, done
