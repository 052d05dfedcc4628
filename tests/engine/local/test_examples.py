"""ftrun.engine.training.examples: packing without padding, cutting at the context."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.local.conftest import chat, write_rows
from ftrun.engine.backends import Rejected
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.chat_template import Encoded
from ftrun.engine.training.examples import load_examples, pack

pytestmark = pytest.mark.local


def encoded(*learned: bool) -> Encoded:
    """Return an example whose ids are 10, 11, 12…"""
    return Encoded(ids=tuple(range(10, 10 + len(learned))), learned=learned)


def test_rows_hold_whole_examples_with_positions_of_their_own() -> None:
    """Two short examples share a row, positions start again, and each learned token has its predictor."""
    (row,) = pack([encoded(False, True, True), encoded(False, False, True)], most_tokens=10)
    assert row.ids.tolist() == [[10, 11, 12, 10, 11, 12]]
    assert row.positions.tolist() == [[0, 1, 2, 0, 1, 2]]
    assert row.predict.tolist() == [0, 1, 4]
    assert row.targets.tolist() == [11, 12, 12]


def test_the_first_token_of_an_example_is_never_predicted() -> None:
    """No token of one example is predicted from another's end."""
    rows = pack([encoded(False, True), encoded(True, True)], most_tokens=10)
    assert rows[0].predict.tolist() == [0, 2]


def test_a_row_is_not_filled_beyond_its_limit() -> None:
    """What does not fit opens the next row, and a longer example has a row of its own."""
    examples = [encoded(False, True), encoded(False, True), encoded(*[True] * 9), encoded(False, True)]
    assert [row.ids.numel() for row in pack(examples, most_tokens=5)] == [4, 9, 2]


def test_long_examples_are_cut_with_a_warning(tiny: LoadedModel, tmp_path: Path) -> None:
    """An example beyond the context is cut at its end, and the warning names the line."""
    path = write_rows(tmp_path / "t.jsonl", [chat("短い", "はい"), chat("長い", "あ" * 200)])
    examples = load_examples(path, tiny.encoder, context=60, param="training_file")
    assert [len(item.ids) <= 60 for item in examples.items] == [True, True]
    assert "line 2" in examples.warnings[0]


def test_a_file_with_nothing_left_to_learn_is_refused(tiny: LoadedModel, tmp_path: Path) -> None:
    """If the context ends before every answer, the job is rejected and not trained on nothing."""
    path = write_rows(tmp_path / "t.jsonl", [chat("長い" * 40, "はい")])
    with pytest.raises(Rejected, match="anything to learn"):
        load_examples(path, tiny.encoder, context=20, param="training_file")
