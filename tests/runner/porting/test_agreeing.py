"""What a person is asked before a port goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftrun.errors import DecisionError
from ftrun.runner import open_session
from ftrun.runner.porting.agreeing import agree_to_terms, agreed
from ftrun.runner.porting.port import PortSettings, plan_port
from support.ported import ROWS, OldExperiment, chat

TAUGHT = {"id": "t", "user": "教えて1", "system": None, "expect": {"contains": "はい"}}
HELD_OUT = {**TAUGHT, "id": "h", "user": "まったく別の話をしてください"}


@pytest.fixture
def old(tmp_path: Path) -> OldExperiment:
    """Return an old experiment with a row that no target can train on."""
    made = OldExperiment(folder=tmp_path)
    made.write(rows=[*ROWS, {"messages": []}])
    made.rescue([True] * 2, questions=[TAUGHT, HELD_OUT])
    return made


def test_rows_are_left_out_only_where_a_person_agrees(old: OldExperiment) -> None:
    """The question names how many and the first; without a yes it is a DecisionError with the option."""
    port = plan_port(open_session(old.config), PortSettings(to="new"))
    asked: list[str] = []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    assert agreed(port, yes)
    assert "1 row, the first at " in asked[0] and asked[0].endswith("Train without these rows?")
    for ask in (None, lambda text: False):
        with pytest.raises(DecisionError) as error:
            agreed(port, ask)
        assert error.value.code == "rows_lost" and "--leave-out-rows" in (error.value.problem.hint or "")


def test_terms_are_asked_about_once(old: OldExperiment) -> None:
    """A person reads them before the file is there; without a terminal the option is the answer."""
    old.write(rows=[*ROWS, chat("別", "です")])
    settings = PortSettings(to="new", with_answers=True)
    port = plan_port(open_session(old.config), settings)
    assert port.terms is not None and "OpenAI" in port.terms
    agree_to_terms(port, None)
    agree_to_terms(port, lambda text: True)
    with pytest.raises(DecisionError):
        agree_to_terms(port, lambda text: False)
    port.path.write_text(port.text, encoding="utf-8")
    agree_to_terms(port, lambda text: False)
