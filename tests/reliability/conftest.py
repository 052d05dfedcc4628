"""A provider of its own for each test, a project with a paid target, and runs that can be killed anywhere."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ftrun.state.locks import user_file
from support.forked import Forked, ForkServer, fork_server
from support.provider import KEY, MODEL, PATIENCE, Provider

FULL = bool(os.environ.get("FTRUN_TEST_ALL"))
CONFIG = f"""\
version: 1
name: toy
targets:
  paid: {{provider: openai, model: {MODEL}, base_url: "BASE", api_key_env: PAID_KEY, settle: SETTLE,
         poll: {{min: 0.02, max: 0.1}}, price: {{train: 10, input: 1, output: 2}}}}
data:
  sources: [{{path: toy.csv}}]
  split: {{validation: 2, seed: 1}}
prompt: {{system: 短く答えます。, user: "{{{{ q }}}}", assistant: "{{{{ a }}}}"}}
train: {{suffix: toy, seed: 7, hyperparameters: {{n_epochs: 2}}}}
eval:
  prompts:
    - {{id: one, user: 一番は？, expect: {{contains: ft}}}}
    - {{id: two, user: 二番は？}}
"""
WORDS = ("run", "toy.yaml", "--target", "paid", "--yes", "--json")
DETACHED = (*WORDS, "--detach")
CREATE = "POST /fine_tuning/jobs"
FOREVER = 10**6  # looks at a job


@dataclass(slots=True, kw_only=True)
class Run:
    """A run that was started: its process, and where it writes."""

    process: Forked
    folder: Path

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self.process.pid

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for the end and return the exit code; the negative signal of a run that was killed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the run did not end in {seconds} s: {self.stderr}") from None

    @property
    def ended(self) -> bool:
        """Say whether it has come to its end, or was killed."""
        return self.process.poll() is not None

    @property
    def stdout(self) -> str:
        """Return what it printed as its result."""
        return (self.folder / "stdout").read_text()

    @property
    def stderr(self) -> str:
        """Return what it printed beside."""
        return (self.folder / "stderr").read_text()

    @property
    def document(self) -> dict[str, Any]:
        """Return its result, the one JSON document on stdout."""
        found = json.loads(self.stdout)
        assert isinstance(found, dict)
        return found

    @property
    def error_code(self) -> str | None:
        """Return the code of the error in its result, if there is one."""
        code = self.document.get("error", {}).get("code")
        return None if code is None else str(code)

    @property
    def points(self) -> list[str]:
        """Return what it did to files and network, in order."""
        return (self.folder / "points").read_text().splitlines()


class Runs:
    """Starts runs from a process that has imported everything already."""

    def __init__(self, folder: Path, server: ForkServer) -> None:
        self._folder, self._server = folder, server
        self._started: list[Run] = []
        self._numbers = itertools.count()

    def start(
        self,
        cwd: Path,
        *words: str,
        at: int | None = None,
        errno: int | None = None,
        clock: float = 0.0,
        out: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        """Start `ftrun WORDS` in `cwd`; at its `at`-th point it dies of SIGKILL, or meets `errno`.

        `clock` is added to its wall clock, in seconds; `out` takes what it prints. The provider's key is in
        its environment.
        """
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        with contextlib.ExitStack() as files:
            stdout, stderr = (
                files.enter_context((out or folder / name).open("a")).fileno()
                for name in ("stdout", "stderr")
            )
            process = self._server.start(
                words or WORDS,
                cwd=cwd,
                env={**os.environ, "PAID_KEY": KEY, **(env or {})},
                session=True,
                points=folder / "points",
                at=at,
                errno=errno,
                clock=clock,
                stdout=stdout,
                stderr=stderr,
            )
        run = Run(process=process, folder=folder)
        self._started.append(run)
        return run

    def __call__(self, cwd: Path, *words: str, **how: Any) -> Run:
        """Run `ftrun WORDS` to its end."""
        run = self.start(cwd, *words, **how)
        run.wait()
        return run

    def close(self) -> None:
        """End the runs that nobody waited for: they write where nothing may be left when the test is over."""
        for run in self._started:
            if not run.ended:
                run.process.kill()
                run.wait()


@pytest.fixture
def tmp_path(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where there is one: hundreds of runs wait for the disk at each fsync."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Return the way to start runs."""
    found = Runs(tmp_path_factory.mktemp("runs"), fork_server())
    yield found
    found.close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    """Yield a provider that counts what it commits."""
    found = Provider().start()
    yield found
    found.close()


def make_project(folder: Path, provider: Provider, *, settle: str = "0.5s") -> Path:
    """Write an experiment of 14 rows whose target is the provider, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for note in user_file("any").parent.glob("*.note.json"):
        note.unlink()  # of a server of before, whose port comes again
    rows = "".join(f"質問{number}は何ですか？,答え{number}です。\n" for number in range(14))
    (folder / "toy.csv").write_text("q,a\n" + rows, encoding="utf-8")
    config = CONFIG.replace("BASE", provider.base_url).replace("SETTLE", settle)
    (folder / "toy.yaml").write_text(config, encoding="utf-8")
    return folder


@pytest.fixture
def place(tmp_path: Path, provider: Provider) -> Path:
    """Return a project whose target is the provider."""
    return make_project(tmp_path / "project", provider)


def at_once(one: Callable[[Provider, Path], None], places: Sequence[tuple[Provider, Path]]) -> None:
    """Do something in each project, in several at once: most of it is waiting."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(one, *place) for place in places]:
            done.result()


def sound(provider: Provider, place: Path) -> None:
    """Hold what was left behind to the promise: one job, no file twice, a readable state, no key anywhere."""
    assert len(provider.live_jobs()) <= 1, provider.jobs
    names = [file["filename"] for file in provider.files.values()]
    assert len(names) == len(set(names)), names
    state = place / "runs/toy/paid/state.json"
    if state.exists():
        json.loads(state.read_text(encoding="utf-8"))
    for path in place.rglob("*"):
        assert not (path.is_file() and KEY.encode() in path.read_bytes()), path


def recover(runs: Runs, provider: Provider, place: Path) -> bool:
    """Run again after a death; where nobody can know whether a job was made, look (none was) and say so.

    Return whether it had to be said.
    """
    run = runs(place)
    asked = run.error_code == "unclear"
    if asked:
        state = json.loads((place / "runs/toy/paid/state.json").read_text(encoding="utf-8"))
        assert [intent["phase"] for intent in state["intents"].values()] == ["sending"]
        assert provider.jobs == {}, "a job that is there is found, not asked about"
        run = runs(place, *WORDS, "--confirm-not-created")
    finished(provider, place, run)
    return asked


def finished(provider: Provider, place: Path, run: Run) -> None:
    """Hold a run that came to its end to the result of one that nobody disturbed."""
    assert KEY not in run.stdout + run.stderr
    document = run.document
    assert document["status"] == "done", (document.get("error"), document, run.stderr)
    assert [document["job_id"]] == [job["id"] for job in provider.live_jobs()]
    assert document["fine_tuned_model"] == provider.live_jobs()[0]["fine_tuned_model"]
    answers = (place / "runs/toy/paid/answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(answers) == 4
    sound(provider, place)
