"""Ready files are sent as they are (`data.verbatim`): the prepared file is the source, byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.data.pipeline.own_rows import own_lines
from ftrun.data.types import Prepared
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment, Source, Split

ROW = '{"messages": [{"role": "user", "content": "質問%s"}, {"role": "assistant", "content": "答え"}]}'
ROWS = [ROW % number for number in range(12)]
STYLES = {
    "plain": "\n".join(ROWS) + "\n",
    "no newline at the end": "\n".join(ROWS),
    "CRLF": "\r\n".join(ROWS) + "\r\n",
    "BOM": "\ufeff" + "\n".join(ROWS) + "\n",
    "blank lines": "\n\n".join(ROWS) + "\n \n",
    "duplicates": "\n".join([*ROWS, ROWS[0]]) + "\n",
    "escaped and spaced": "\n".join(ROWS).replace("質", "\\u8cea").replace(": ", " :  ") + "\n",
}


def as_is(experiment: Experiment, held_out: str | None = None) -> Experiment:
    """Return the experiment with `verbatim`, and the file of held-out rows if there is one."""
    folder = experiment.file.parent
    source = None
    if held_out is not None:
        (folder / "held.jsonl").write_text(held_out, encoding="utf-8", newline="")
        source = Source(path="held.jsonl", base=folder, key=("data", "split", "validation", 0))
    split = Split(validation=(source,)) if source else None
    return replace(experiment, data=replace(experiment.data, verbatim=True, split=split, dedupe="off"))


def prepared_bytes(prepared: Prepared, role: str) -> bytes:
    """Return a prepared file's bytes, which are those that its facts are about."""
    file = prepared.files[role]
    content = file.path.read_bytes()
    assert (file.bytes, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    return content


@pytest.mark.parametrize("style", STYLES)
def test_the_prepared_file_is_the_source(make: Any, tmp_path: Path, style: str) -> None:
    """However a file is written, it is copied as it is, and its examples are counted."""
    experiment = as_is(make({"a.jsonl": STYLES[style]}), STYLES["CRLF"])
    prepared = data.prepare(experiment, tmp_path / "out")
    assert prepared_bytes(prepared, "train") == STYLES[style].encode()
    assert prepared_bytes(prepared, "validation") == STYLES["CRLF"].encode()
    assert prepared.files["train"].examples == (13 if style == "duplicates" else 12)
    assert prepared.dropped == 0
    result = data.check(experiment, tmp_path / "out")
    assert (
        result.files["train"] is not None
        and result.files["train"].examples == prepared.files["train"].examples
    )
    lines = list(own_lines(tmp_path / "out", "train"))
    assert len(lines) == prepared.files["train"].examples
    assert all(line.startswith(b"{") for line in lines)


@pytest.mark.parametrize("broken", ["no JSON\n", '{"messages": []}\n', "\n", ""])
def test_errors_stop_it_unless_a_model_was_trained_on_it(make: Any, tmp_path: Path, broken: str) -> None:
    """A new job would be refused, so nothing is written; of a finished job the file is what it is."""
    experiment = as_is(make({"a.jsonl": STYLES["plain"] + broken if broken.strip() else broken}))
    if broken.strip() or not (tmp_path / "a.jsonl").read_text().strip():
        with pytest.raises(DataError):
            data.prepare(experiment, tmp_path / "out")
        assert not (tmp_path / "out" / "train.jsonl").exists()
    prepared = data.prepare(experiment, tmp_path / "out", trained=True)
    assert prepared_bytes(prepared, "train") == (tmp_path / "a.jsonl").read_bytes()


def test_trained_saves_no_other_experiment(make: Any, tmp_path: Path) -> None:
    """Rows that are prepared can be corrected: there errors stop it whatever was trained."""
    with pytest.raises(DataError):
        data.prepare(make({"a.jsonl": "no JSON\n"}), tmp_path / "out", trained=True)


def test_verbatim_is_an_input_only_where_it_is_set(make: Any) -> None:
    """Experiments from before the key existed keep their fingerprints."""
    experiment = make({"a.jsonl": STYLES["plain"]})
    assert "verbatim" not in data.prepare_inputs(experiment)
    assert data.prepare_inputs(as_is(experiment))["verbatim"] is True
