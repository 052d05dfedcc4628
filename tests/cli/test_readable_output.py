"""What is printed for people has no braces, no None and no True of Python's."""

from __future__ import annotations

import re

import pytest

from conftest import Ftrun
from ftrun.cli.history import _scores, _settings
from ftrun.text import readable
from ftrun.workflow.decision import changes

CONFIG = "configs/toy.yaml"
PYTHON = re.compile(r"\{'|': |\bNone\b|\bTrue\b|\bFalse\b|\[\]|\{\}")
COMMANDS = (
    *("status", "history", "state show", "state verify", "plan", "check", "data", "data --diff", "events"),
    *("ls files", "ls jobs", "ls models", "ledger", "gc --dry-run"),
)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"n_epochs": 2, "batch_size": "auto"}, "n_epochs 2, batch_size auto"),
        (
            {"grader": {"type": "string_check", "weights": [1, 0.5]}},
            "grader (type string_check, weights (1, 0.5))",
        ),
        ({"lora": True, "packing": False, "r": None}, "lora yes, packing no"),
        (0.1 + 0.2, "0.3"),
        (None, "-"),
        ([], "-"),
        ("文字", "文字"),
    ],
)
def test_values_are_written_as_people_write_them(value: object, words: str) -> None:
    """Mappings and lists become words and commas."""
    assert readable(value) == words


def test_settings_show_what_auto_became() -> None:
    """A requested `auto` comes with what was used; what was not requested with its value."""
    spec = {"model": "m", "hyperparameters": {"n_epochs": "auto", "batch_size": 4}, "seed": None}
    assert (
        _settings(spec, {"n_epochs": 3, "batch_size": 4, "r": 16})
        == "model m, n_epochs auto (3), batch_size 4, r 16"
    )
    assert _settings({}, {}) == ""


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"asked": 3, "judged": 2, "passed": 1, "pass_rate": 0.5}, "passed 1 of 2 (50%), 3 asked"),
        ({"asked": 2, "judged": 0, "passed": 0, "pass_rate": None}, "no question has an `expect`, 2 asked"),
        (
            {
                "asked": 2,
                "judged": 2,
                "passed": 2,
                "pass_rate": 1.0,
                "recall": {"asked": 1, "judged": 1, "passed": 1},
            },
            "passed 2 of 2 (100%), recall: passed 1 of 1 (100%)",
        ),
        ({"chrf": 41.25}, "chrf 41.25"),
        ({}, ""),
    ],
)
def test_scores_are_said_in_words(scores: dict[str, object], words: str) -> None:
    """Counts of the same questions are one phrase."""
    assert _scores(scores) == words


def test_reasons_have_no_json() -> None:
    """A value that was not set before is `not set`, and texts have no quotes."""
    old, new = (
        {"seed": "null", "suffix": '"a"', "rivals": '["a"]'},
        {"seed": "42", "suffix": '"b"', "rivals": "[]"},
    )
    assert changes(old, new) == ("seed: not set → 42", "suffix: a → b", "candidates changed")


def test_no_command_prints_python(ftrun: Ftrun) -> None:
    """All commands that show something are read after a run, and after a second one with other values."""
    assert ftrun(CONFIG).returncode == 0
    again = ftrun(CONFIG, "--set", "train.hyperparameters.n_epochs=3", "--set", "train.seed=7")
    assert again.returncode == 0
    assert not PYTHON.search(again.stdout + again.stderr)
    for command in COMMANDS:
        words = command.split() if command.startswith(("ls", "ledger")) else [*command.split(), CONFIG]
        done = ftrun(*words)
        assert done.returncode == 0, (command, done)
        assert not PYTHON.search(done.stdout + done.stderr), (command, done.stdout, done.stderr)
    both = [one["spec_key"][:8] for one in ftrun.json("history", CONFIG)["models"]]
    done = ftrun("compare", *(f"{CONFIG}#{key}" for key in both))
    assert done.returncode == 0 and not PYTHON.search(done.stdout), done.stdout
    assert ftrun("history", CONFIG).stdout.count("batch_size auto (") == 2
