"""The Tab key proposes commands, options, experiments and their targets, as shells ask for them."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ftrun.cli import main

LOCAL = "  local: {provider: local, model: rehearsal}\n"
TARGETS = f"targets:\n{LOCAL}  cloud: {{provider: openai, model: gpt-4.1-mini}}\n"


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with several experiments, one in a name with a space and Japanese characters."""
    text = (project / "configs/toy.yaml").read_text(encoding="utf-8")
    (project / "configs/two.yaml").write_text(
        text.replace("targets:\n", TARGETS, 1).replace(
            "  local: {provider: local, model: rehearsal}\ndata", "data"
        ),
        encoding="utf-8",
    )
    (project / "configs/日本 語.yaml").write_text(text, encoding="utf-8")
    (project / "configs/broken.yaml").write_text("a: [", encoding="utf-8")
    (project / "configs/.hidden.yaml").write_text("a: 1", encoding="utf-8")
    monkeypatch.chdir(project)
    return project


def proposed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str, shell: str = "bash"
) -> list[str]:
    """Return what is proposed at the end of a line."""
    words = line.split(" ")
    monkeypatch.setenv("_FTRUN_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", line if shell != "fish" else line.rsplit(" ", 1)[0])
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1) if shell != "fish" else words[-1])
    with pytest.raises(SystemExit) as end:
        main([])
    said = capsys.readouterr()
    assert said.err == "" and end.value.code in (0, None)
    if shell == "zsh":
        return said.out.splitlines()[1::3]
    return [one.split(",", 1)[1].partition("\t")[0] for one in said.out.splitlines() if "," in one]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ftrun st", ["status", "state"]),
        ("ftrun check --js", ["--json"]),
        ("ftrun check configs/t", ["configs/toy.yaml", "configs/two.yaml"]),
        ("ftrun configs/to", ["configs/toy.yaml"]),
        (
            "ftrun check conf",
            ["configs/broken.yaml", "configs/toy.yaml", "configs/two.yaml", "configs/日本\\ 語.yaml"],
        ),
        ("ftrun run configs/two.yaml --target ", ["local", "cloud"]),
        ("ftrun configs/two.yaml --target c", ["cloud"]),
        ("ftrun status configs/toy.yaml --target ", ["local"]),
        ("ftrun ls jobs --target c", ["cloud"]),
        ("ftrun check configs/broken.yaml --target ", []),
        ("ftrun configs/toy.yaml --until ev", ["evaluate"]),
        ("ftrun state v", ["verify"]),
        ("ftrun compare configs/to", ["configs/toy.yaml"]),
        ("ftrun ledger configs/tw", ["configs/two.yaml"]),
        ("ftrun explain few", ["few_examples"]),
        ("ftrun ls mod", ["models"]),
    ],
)
def test_what_fits_is_proposed(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    expected: list[str],
) -> None:
    """At each place of a line, what can stand there; nothing is printed that is no proposal."""
    assert proposed(monkeypatch, capsys, line) == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_the_same(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], shell: str
) -> None:
    """zsh and fish speak other dialects, and quote themselves."""
    assert proposed(monkeypatch, capsys, "ftrun check configs/日", shell) == ["configs/日本 語.yaml"]
    assert proposed(monkeypatch, capsys, "ftrun run configs/two.yaml --target c", shell) == ["cloud"]


@pytest.mark.parametrize("line", ["ftrun run missing.yaml --target ", "ftrun check /nowhere/"])
def test_nothing_is_proposed_for_what_is_not_there(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> None:
    """Completion never fails; without an experiment it proposes what all experiments here have."""
    assert set(proposed(monkeypatch, capsys, line)) <= {"local", "cloud", "/nowhere/"}


def test_the_documented_line_works_in_bash(here: Path, tmp_path: Path) -> None:
    """The line of docs/command-line.md, in a real bash."""
    program = tmp_path / "bin" / "ftrun"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ftrun "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    script = (
        'eval "$(_FTRUN_COMPLETE=bash_source ftrun)" 2>/dev/null\n'
        "COMP_WORDS=(ftrun run configs/two.yaml --target c); COMP_CWORD=4; _ftrun_completion ftrun\n"
        'echo "${COMPREPLY[@]}"'
    )
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=here,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "cloud", done
