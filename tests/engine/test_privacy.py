"""What the engine's processes know of the user's environment, and who can read its store."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from ftrun.engine.launch import ensure_engine, stop_engine
from ftrun.engine.places import private_folder
from ftrun.errors import DecisionError
from ftrun.redaction import without_secrets
from support.engine_process import PATIENCE, PIPELINE, upload, wait_until

CANARY = "canary-0123456789abcdef"
SECRETS = (
    *("OPENAI_API_KEY", "SOME_KEY", "GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN"),
    *("AZURE_CLIENT_SECRET", "AZURE_OPENAI_AD_TOKEN", "DATABASE_URL", "PGPASSWORD", "OPENAI_CUSTOM_HEADERS"),
    *("FTRUN_TOKEN", "LC_SECRET", "HF_SECRET", "PIP_PASSWORD", "XDG_SECRET", "PYTHON_SECRET", "HOOK"),
)
ADDRESSES = {
    "HTTPS_PROXY": f"http://me:{CANARY}@127.0.0.1:1",
    "http_proxy": f"me:{CANARY}@127.0.0.1:1",
    "PIP_INDEX_URL": f"https://{CANARY}@packages.example/simple",
    "PIP_EXTRA_INDEX_URL": f"https://a.example/simple https://me:{CANARY}@b.example/simple",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a home that was there before, readable by everybody; its engine is ended afterwards."""
    monkeypatch.setenv("PYTHONPATH", str(PIPELINE))
    monkeypatch.setenv("FTRUN_REHEARSAL_SECONDS_PER_STEP", "0.5")
    folder = tmp_path / "home"
    before = os.umask(0)
    folder.mkdir(mode=0o755)
    yield folder
    os.umask(before)
    stop_engine(folder)


def _descendants(pid: int) -> set[int]:
    """Return the process and those that it started, and their children."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it ended
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says what a process was given")
def test_the_engine_inherits_no_secret_and_keeps_its_store_private(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engine, job and chat process know paths and settings only; nobody else can enter the store, whatever
    the folder's mode and the umask were.
    """
    for name in SECRETS:
        monkeypatch.setenv(name, CANARY)
    for name, value in ADDRESSES.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # for the client of this test
    engine = ensure_engine(home, announce=lambda text: None)
    with openai.OpenAI(base_url=engine.base_url, api_key=engine.token) as client:
        file = upload(client)
        job = client.fine_tuning.jobs.create(model="rehearsal", training_file=file)
        client.chat.completions.create(model="rehearsal", messages=[{"role": "user", "content": "hi"}])
        wait_until(lambda: len(_descendants(engine.pid)) >= 3, PATIENCE)
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in _descendants(engine.pid)]
        client.fine_tuning.jobs.cancel(job.id)
    assert len(environments) >= 3 and all(b"PATH=" in one for one in environments)
    assert not any(CANARY.encode() in one for one in environments)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for path in home.rglob("*"):
        if path.name.startswith(("store.", "engine.", "server.", "file-")) or path.suffix in (
            ".log",
            ".lock",
        ):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_what_a_process_needs_stays() -> None:
    """Paths, threads, devices, a hub's mirror and a proxy without a password are handed on."""
    needed = {"PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": "0", "OMP_NUM_THREADS": "2", "HF_HOME": "/hf"}
    needed |= {"HTTPS_PROXY": "http://proxy.example:8080", "PIP_INDEX_URL": "https://packages.example/simple"}
    secret = {"OTHER": "x", "TORCH_TOKEN": "x", "CUDA_PASSWORD": "x", "MKL_LICENSE_KEY": "x"}
    assert without_secrets({**needed, **secret}) == needed


@pytest.mark.skipif(sys.platform != "linux", reason="a folder whose mode nobody can change")
def test_a_store_that_can_not_be_private_is_refused() -> None:
    """Somebody else's folder that everybody reads gets no training data: exit code 4, with the way out."""
    others = Path(f"/proc/{os.getpid()}")  # its mode can't be changed by anybody
    with pytest.raises(DecisionError, match="read by other users") as error:
        private_folder(others)
    assert "FTRUN_HOME" in (error.value.problem.hint or "")
