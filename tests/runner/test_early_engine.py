"""A run on this machine starts its engine and loads the model while it prepares and checks the data."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from conftest import Ftrun
from ftrun.engine.launch import Endpoint, chats_of, running_engine, stop_engine
from ftrun.runner import RunSettings, apply, open_session
from support.engine_process import wait_until


def loaded(engine: Endpoint) -> list[str]:
    """Return the models that the engine has loaded, or loads."""
    return [chat["model"] for chat in chats_of(engine)]


def fails_in_prepare(project: Path, settings: RunSettings) -> Endpoint:
    """Run an experiment without rows in this process, and return the engine that was started nevertheless."""
    (project / "configs/data/toy.csv").write_text("q,a\n", encoding="utf-8")
    outcome = apply(open_session(project / "configs/toy.yaml"), settings, lambda kind, **data: None)
    assert outcome.error is not None and list(outcome.stages) == ["prepare"]
    home = Path(project / "engine")
    wait_until(lambda: running_engine(home) is not None)
    engine = running_engine(home)
    assert engine is not None
    return engine


@pytest.fixture
def home(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the engine of this test."""
    monkeypatch.setenv("FTRUN_HOME", str(project / "engine"))
    return project / "engine"


def test_the_engine_loads_the_model_before_the_data_are_prepared(project: Path, home: Path) -> None:
    """Even a run that ends in prepare has begun with it: the next one finds everything ready."""
    engine = fails_in_prepare(project, RunSettings())
    wait_until(lambda: loaded(engine) == ["rehearsal"])
    stop_engine(home)


def test_a_run_that_asks_nothing_loads_no_model(project: Path, home: Path) -> None:
    """With --detach, or until the job is created, only the engine is started."""
    for settings in (RunSettings(detach=True), RunSettings(until="train")):
        assert not loaded(fails_in_prepare(project, settings))
        stop_engine(home)


@pytest.mark.parametrize("words", [("run", "--until", "check"), ("plan",), ("check",)])
def test_commands_that_need_no_engine_start_none(ftrun: Ftrun, home: Path, words: tuple[str, ...]) -> None:
    """Nothing is written where an engine would be."""
    done = ftrun(words[0], "configs/toy.yaml", *words[1:])
    assert done.returncode == 0, done.stderr
    assert not home.exists()


def test_a_run_with_nothing_to_do_starts_no_engine(ftrun: Ftrun, home: Path) -> None:
    """A finished experiment stays finished without it."""
    assert ftrun("run", "configs/toy.yaml").returncode == 0
    assert stop_engine(home)
    assert "Nothing to do" in ftrun("run", "configs/toy.yaml").stdout
    assert running_engine(home) is None


def test_ctrl_c_at_the_start_leaves_nothing_half(ftrun: Ftrun, home: Path) -> None:
    """The run ends at once, with exit code 130; the next one does all that is left."""
    run = ftrun.start("run", "configs/toy.yaml", env={"FTRUN_REHEARSAL_SECONDS_PER_STEP": "0.5"})
    wait_until(lambda: (home / "engine.log").exists())
    run.send_signal(signal.SIGINT)
    _, stderr = run.communicate(60)
    assert run.returncode == 130 and "Traceback" not in stderr, stderr
    assert ftrun.json("run", "configs/toy.yaml")["status"] == "done"


def test_an_engine_that_cannot_start_is_told_where_it_is_needed(ftrun: Ftrun, home: Path) -> None:
    """The data are prepared and checked before, and the error is the one that it would have been later."""
    home.mkdir()
    (home / "engine.log").mkdir()
    document = ftrun.json("run", "configs/toy.yaml", code=4)
    assert list(document["stages"]) == ["prepare", "check"]
    assert document["error"]["file"] == str(home / "engine.log")


def test_terms_that_nobody_accepted_start_no_engine(ftrun: Ftrun, home: Path) -> None:
    """The licence comes first."""
    config = ftrun.folder / "configs/toy.yaml"
    config.write_text(config.read_text("utf-8").replace("rehearsal}", "gemma-3-270m}"), encoding="utf-8")
    document = ftrun.json("run", "configs/toy.yaml", code=4)
    assert document["error"]["code"] == "license_not_accepted"
    assert not home.exists()
