"""A misspelt command line is answered with what was probably meant; a stop is not an error."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import Ftrun
from ftrun.cli import main

CONFIG = "configs/toy.yaml"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("chekc configs/toy.yaml", "`ftrun check`"),
        ("stauts configs/toy.yaml", "`ftrun status`"),
        ("lsit jobs", "`ftrun ls`"),
        ("HISTORY configs/toy.yaml", "`ftrun history`"),
        ("train configs/toy.yaml", "`ftrun run`"),
        ("logs configs/toy.yaml", "`ftrun events`"),
        ("delete ft:x", "`ftrun rm`"),
        ("state shwo configs/toy.yaml", "`ftrun state show`"),
        ("state configs/toy.yaml", "`ftrun state show configs/toy.yaml`"),
        ("help chekc", "`ftrun check`"),
        ("xyzzy", "`ftrun --help`"),
        ("run configs/toy.yaml --taget local", "`--target`"),
        ("check configs/toy.yaml --jsn", "`--json`"),
        ("--vresion", "`--version`"),
        ("run configs/toy.yaml --until evalute", "Did you mean evaluate?"),
        ("ls file", "Did you mean files?"),
        ("data configs/toy.yaml --split vaidation", "Did you mean validation?"),
        ("run", "ftrun run configs/toy.yaml"),
        ("check --json", "ftrun check configs/toy.yaml"),
        ("toy", "`ftrun configs/toy.yaml`"),
        ("toi", "`ftrun configs/toy.yaml`"),
        ("configs/toy.yaml check --json", "ftrun check configs/toy.yaml --json"),
        ("configs/tyo.yaml", "configs/toy.yaml?"),
        ("configs/toy.yml", "configs/toy.yaml?"),
        ("configs/toy", "configs/toy.yaml?"),
        ("toy.yaml", "configs/toy.yaml?"),
        ("toi.yaml", "configs/toy.yaml?"),
        ("status toy", "configs/toy.yaml?"),
        ("plan configs/tooy", "configs/toy.yaml?"),
        ("config/toy.yaml", "configs/toy.yaml?"),
        ("check configs/configs/toy.yaml", "configs/configs does not exist"),
        ("check configs/Toy.yaml", "configs/toy.yaml?"),
    ],
)
def test_what_was_meant_is_proposed(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    hint: str,
) -> None:
    """A misspelt command, option or experiment is exit code 2 with the nearest name, ready to be typed."""
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit) as end:
        main(line.split())
    said = capsys.readouterr()
    assert end.value.code == 2
    assert hint in (said.out + said.err), said
    assert said.err.count("tip:") == (0 if "--json" in line else 1)


def test_without_an_experiment_init_is_proposed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has no experiment file yet hears how to get one; a hidden file of a tool is none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".pre-commit-config.yaml").touch()
    with pytest.raises(SystemExit):
        main(["run"])
    assert "ftrun init" in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["help"], ["help", "run"], ["help", "state", "show"], ["state"]])
def test_help_is_not_an_error(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help that was asked for, or that is shown for want of a command, begins with how to call it."""
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr()
    assert (said.out + said.err).startswith("Usage: ftrun")
    assert "ERROR" not in said.err and "tip:" not in said.err
    assert end.value.code == (0 if "help" in words else 2)


def test_leaving_a_job_to_itself_is_not_an_error(ftrun: Ftrun, monkeypatch: pytest.MonkeyPatch) -> None:
    """--detach ends with 75 and says that the job runs, how to look at it and how to continue: both work."""
    slow = {"FTRUN_REHEARSAL_SECONDS_PER_STEP": "0.4"}
    left = ftrun("run", CONFIG, "--detach", env=slow)
    assert left.returncode == 75
    assert re.search(r"^Job ftjob-\w+ keeps running\.$", left.stderr, re.MULTILINE), left.stderr
    assert "ERROR" not in left.stderr
    looks, continues = re.findall(r"`ftrun (.+?)`", left.stderr)
    assert ftrun(*looks.split()).returncode == 0
    some = ftrun(*continues.split(), "--max-wait", "0.01s", env=slow)
    assert some.returncode == 75 and "ERROR" not in some.stderr, some.stderr
    assert ftrun(*continues.split()).returncode == 0


def test_a_job_that_has_ended_is_not_said_to_run(ftrun: Ftrun) -> None:
    """--detach with a job that was found again, and is over, says so."""
    assert ftrun(CONFIG).returncode == 0
    shutil.rmtree(ftrun.folder / "runs")
    left = ftrun("run", CONFIG, "--detach")
    assert left.returncode == 75
    assert "has ended (succeeded)" in left.stderr and "keeps running" not in left.stderr, left.stderr


@pytest.mark.parametrize("key", ["\x03", "\x04"])
def test_a_chat_ends_cleanly(ftrun: Ftrun, key: str) -> None:
    """Ctrl-C and Ctrl-D end a chat on a terminal with exit code 0, and nothing looks like a failure."""
    assert ftrun(CONFIG).returncode == 0
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "ftrun", "chat", CONFIG]

    def own_terminal() -> None:
        os.setsid()
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    with subprocess.Popen(
        words, cwd=ftrun.folder, stdin=theirs, stdout=theirs, stderr=theirs, preexec_fn=own_terminal
    ) as chat:
        os.close(theirs)
        said = b""
        while b"you> " not in said:
            said += os.read(ours, 1000)
        time.sleep(0.1)
        os.write(ours, key.encode())
        try:
            while piece := os.read(ours, 1000):
                said += piece
        except OSError:
            pass  # the terminal has closed
        code = chat.wait(60)
    os.close(ours)
    assert code == 0, said
    assert b"ERROR" not in said and b"nterrupted" not in said
    assert b"The chat has ended." in said


def test_an_interrupt_is_not_an_error(ftrun: Ftrun) -> None:
    """Ctrl-C during a run is 130, named for what it is, with what keeps running and how to resume."""
    process = ftrun.start("run", CONFIG, env={"FTRUN_REHEARSAL_SECONDS_PER_STEP": "30"})
    said = ""
    assert process.stderr is not None
    while "created" not in said:
        said += process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(60)
    assert process.returncode == 130
    assert "ERROR" not in rest and "Interrupted. Job ftjob-" in rest, rest
    assert ftrun("cancel", CONFIG, "--yes").returncode == 0
