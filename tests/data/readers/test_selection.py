"""Choosing rows of a source: conditions, samples, limits, weights."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.readers.rows import Choices, read_rows
from ftrun.data.readers.selection import copies, row_rank
from ftrun.data.readers.sources import usable_files
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment, Prompt, RowSample, Split

ROWS = "q,year,topic\n" + "".join(
    f"質問{n},{2000 + n},{'spam' if n % 3 == 0 else 'faq'}\n" for n in range(40)
)


def chosen(experiment: Experiment) -> list[str]:
    """Return the questions of the rows that are used, of all files."""
    findings = Findings()
    files = usable_files(experiment, findings)
    choices = Choices(experiment, files, findings)
    found = []
    for file in files:
        choice = choices.of(file)
        place = FilePlace(file.path.name, findings)
        if not choice.is_full:
            found += [str(row.values["q"]) for row in read_rows(experiment, file, place, choice)]
    findings.raise_errors()
    return found


def of(make: Any, rows: str = ROWS, **source: Any) -> Experiment:
    """Return an experiment over one table."""
    experiment: Experiment = make({"a.csv": rows}, source=source)
    return experiment


def test_where_sees_renamed_columns_and_the_whole_row(make: Any) -> None:
    """Text values compare as numbers when told to; the new names are the ones that count."""
    where = "jahr|int >= 2035 and topic != 'spam' and row['q'].startswith('質')"
    found = chosen(of(make, where=where, columns={"jahr": "year"}))
    assert found == ["質問35", "質問37", "質問38"]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("yaer|int > 2000", "there is no column 'yaer'"),
        ("year > 2000", "not supported"),
        ("topic", "it evaluates to a text, not true or false"),
        ("range(10**9)|list|length > 1", "larger"),
        ("q.__class__.__mro__ and true", "unsafe"),
    ],
)
def test_a_condition_that_cannot_be_decided(make: Any, where: str, words: str) -> None:
    """The problem is reported at the condition, once for all rows, with the first row's place."""
    experiment = of(make, where=where)
    with pytest.raises(DataError) as caught:
        chosen(experiment)
    (problem,) = caught.value.problems
    assert problem.code == "where"
    assert words in problem.message
    assert "a.csv:2" in problem.message
    assert str(problem.file).endswith("experiment.yaml")
    if "yaer" in where:
        assert problem.hint == "Did you mean `year`? Columns: q, year, topic."


def test_absent_values_are_false(make: Any) -> None:
    """An empty or null value in place of true or false leaves the row out."""
    assert chosen(
        make({"a.jsonl": '{"q": "a", "ok": null}\n{"q": "b", "ok": true}\n'}, source={"where": "ok"})
    ) == ["b"]


def test_nothing_chosen(make: Any, tmp_path: Path) -> None:
    """A condition that no row meets is told at its place, not as an empty file."""
    with pytest.raises(DataError) as caught:
        data.prepare(of(make, where="topic == 'FAQ'"), tmp_path / "out")
    assert caught.value.code == "nothing_chosen"


@pytest.mark.parametrize(("size", "about"), [(0.5, 20), (0.1, 4), (7, 7), (40, 40), (99, 40)])
def test_samples(make: Any, size: float, about: int) -> None:
    """A sample keeps the order, has the size that was asked for, and is another one with another seed."""
    everything = chosen(of(make))
    found = chosen(of(make, sample=RowSample(size=size)))
    assert found == [question for question in everything if question in set(found)]
    assert abs(len(found) - about) <= (8 if size < 1 else 0)
    if about < 40:
        assert found != chosen(of(make, sample=RowSample(size=size, seed=1)))


def test_samples_move_little_when_rows_are_added(make: Any) -> None:
    """Rows that were drawn stay drawn: all of a share, all but the displaced of a number."""
    more = ROWS + "".join(f"neu{n},2050,faq\n" for n in range(10))
    share = RowSample(size=0.3)
    assert set(chosen(of(make, sample=share))) <= set(chosen(of(make, more, sample=share)))
    number = RowSample(size=12)
    before, after = (set(chosen(of(make, rows, sample=number))) for rows in (ROWS, more))
    assert len(after) == 12
    assert {question for question in after if not question.startswith("neu")} <= before


def test_sample_and_limit_count_what_where_lets_pass_over_all_files(make: Any) -> None:
    """The condition comes first, then the sample over all files of the source, then the limit."""
    head, *rows = ROWS.splitlines(keepends=True)
    files = {"d/a.csv": head + "".join(rows[:15]), "d/b.csv": head + "".join(rows[15:])}
    faq = "topic == 'faq'"
    sample = chosen(make(files, paths=["d/*.csv"], source={"where": faq, "sample": RowSample(size=9)}))
    assert len(sample) == 9
    assert set(sample) <= set(chosen(of(make, where=faq)))
    assert sample == chosen(of(make, where=faq, sample=RowSample(size=9)))
    limited = make(files, paths=["d/*.csv"], source={"where": faq, "sample": RowSample(size=9), "limit": 8})
    assert chosen(limited) == sample[:8]


def test_equal_rows_do_not_swell_a_sample(make: Any) -> None:
    """Where equal rows share a rank the number still holds."""
    assert len(chosen(of(make, "q\n" + "x\n" * 20, sample=RowSample(size=3)))) == 3


@pytest.mark.parametrize("weight", [0.01, 0.3, 0.5, 1, 1.25, 2, 2.5, 9, 100])
def test_copies_come_to_the_weight(weight: float) -> None:
    """Over many examples the copies come to the weight; each has its whole part, or one more."""
    digests = [number.to_bytes(16) for number in range(2000)]
    counts = [copies(weight, digest) for digest in digests]
    assert set(counts) <= {int(weight), int(weight) + 1}
    assert abs(sum(counts) / len(counts) - weight) < 0.03
    assert counts == [copies(weight, digest) for digest in digests]


def test_weights_count_in_training_alone(make: Any, chats: Any, tmp_path: Path) -> None:
    """Copies are made after dedupe and split: held-out rows stay one each, and the same ones as without."""
    experiment = make(
        {"a.jsonl": chats([*range(40), 3]), "b.jsonl": chats(range(100, 140))}, split=Split(validation=10)
    )
    plain = data.prepare(experiment, tmp_path / "plain")
    first, second = experiment.data.sources
    weighted = replace(
        experiment, data=replace(experiment.data, sources=(replace(first, weight=2.5), second))
    )
    prepared = data.prepare(weighted, tmp_path / "weighted")
    assert prepared.files["validation"].sha256 == plain.files["validation"].sha256
    rows, before = (
        Counter((tmp_path / name / "train.jsonl").read_text("utf-8").splitlines())
        for name in ("weighted", "plain")
    )
    assert rows.keys() == before.keys()
    assert set(rows.values()) == {1, 2, 3}
    assert prepared.files["train"].examples == sum(rows.values())
    less = replace(experiment, data=replace(experiment.data, sources=(replace(first, weight=0.5), second)))
    assert 50 < data.prepare(less, tmp_path / "less").files["train"].examples < 60
    assert (prepared.rows, prepared.duplicates) == (81, 1)


def test_weights_are_counted_in_tokens_and_money(make: Any, chats: Any, tmp_path: Path) -> None:
    """What is written is what is counted, also when the kept numbers are lost; places stay."""
    experiment = make({"a.jsonl": chats(range(20)), "b.jsonl": chats(range(100, 120))}, split=Split(test=4))
    sources = (
        replace(experiment.data.sources[0], weight=3.0),
        replace(experiment.data.sources[1], weight=0.5),
    )
    weighted = replace(experiment, data=replace(experiment.data, sources=sources))
    prepared = data.prepare(weighted, tmp_path / "out")
    result = data.check(weighted, prepared)
    counted, written = result.files["train"], prepared.files["train"]
    assert counted is not None and written is not None and counted.examples == written.examples
    (tmp_path / "out/tally.json").unlink()
    again = data.check(weighted, prepared)
    assert again.as_dict() == result.as_dict()
    assert data.examine(weighted).as_dict() == result.as_dict()
    places = [json.loads(line) for line in (tmp_path / "out/sources.jsonl").read_text().splitlines()[1:]]
    train = [(file, line) for role, file, line in places if role == "train"]
    assert len(train) == prepared.files["train"].examples
    assert sum(file == 0 for file, _ in train) == 3 * len({line for file, line in train if file == 0})


def test_the_rank_of_a_row_is_pinned() -> None:
    """Samples drawn by this version are drawn by the next: raise the prepare version, don't edit this."""
    assert row_rank({"q": "質問", "a": 1}, 42) == row_rank({"a": 1, "q": "質問"}, 42)
    assert f"{row_rank({'q': '質問', 'a': 1}, 42):016x}" == "16cbfefac2107a12"
    assert [copies(1.5, bytes([n]) * 16) for n in range(8)] == [1, 1, 1, 1, 2, 1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"where": "true"},
        {"sample": RowSample(size=0.5)},
        {"sample": RowSample(size=0.5, seed=1)},
        {"limit": 3},
        {"weight": 2.0},
    ],
)
def test_what_changes_the_rows_changes_the_inputs(make: Any, change: dict[str, Any], columns: Prompt) -> None:
    """Every key that can change the prepared files is part of what decides whether they are made anew."""
    assert data.prepare_inputs(of(make, **change)) != data.prepare_inputs(of(make))
    assert data.prepare_inputs(of(make, **change)) == data.prepare_inputs(of(make, **change))
