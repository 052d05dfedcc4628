"""How rows are divided: proportions, groups, stability, and what is said when there are too few."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrun import data
from ftrun.data.split.advice import advice, sizes
from ftrun.data.split.division import TEST, TRAIN, VALIDATION, allot, divide, part_size, ranking
from ftrun.errors import DataError
from ftrun.experiment.model import Source, Split
from ftrun.protocol.spec import SPLITS

HALVES = Split(validation=0.2, test=0.2)


def table(rows: Iterable[tuple[int, str, str]]) -> str:
    """Return a CSV file with a question, its answer, its customer and its topic."""
    lines = [f"質問{number},答え{number},{customer},{topic}" for number, customer, topic in rows]
    return "\n".join(["q,a,customer,topic", *lines]) + "\n"


def parts(folder: Path) -> dict[str, set[str]]:
    """Return the questions of each written part."""
    found = {}
    for role in SPLITS:
        path = folder / f"{role}.jsonl"
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        found[role] = {json.loads(line)["messages"][0]["content"] for line in lines}
    return found


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    validation=st.floats(0.01, 0.5),
    test=st.floats(0.01, 0.45),
    grouped=st.booleans(),
)
def test_strata_and_groups_hold_for_any_data(
    sizes: list[int], validation: float, test: float, grouped: bool
) -> None:
    """Sizes are exact without groups, each stratum within one of its share; groups are never divided."""
    strata = [stratum for stratum, size in enumerate(sizes) for _ in range(size)]
    ranks = [ranking(7)(str(index // 3 if grouped else index).encode()) for index in range(len(strata))]
    asked = part_size(validation, len(ranks)), part_size(test, len(ranks))
    if sum(asked) >= len(ranks):
        return
    found = divide(ranks, *asked, strata=strata, grouped=grouped)
    if grouped:
        assert len(set(zip(ranks, found, strict=True))) == len(set(ranks))
        return
    assert (found.count(VALIDATION), found.count(TEST)) == asked
    for stratum, size in enumerate(sizes):
        mine = [part for own, part in zip(strata, found, strict=True) if own == stratum]
        assert mine.count(VALIDATION) <= asked[0] * size / len(ranks) + 1


def test_every_stratum_keeps_one_to_train_on() -> None:
    """A value that one row has stays in training as long as others can give."""
    assert allot({1: 1, 2: 1, 3: 8}, 4) == {1: 0, 2: 0, 3: 4}
    assert allot({1: 1, 2: 1}, 1) == {1: 1, 2: 0}


def test_plain_split_is_what_it_always_was() -> None:
    """The ends of the ranking are held out, the first and the last of equal rows."""
    assert list(divide([5, 1, 9, 1, 9], 1, 1)) == [TRAIN, VALIDATION, TRAIN, TRAIN, TEST]


def test_many_rows_are_divided_as_if_sorted() -> None:
    """Sorting only the nearest of many ranks gives what sorting all of them gives, equal ones included."""
    ranks = [ranking(1)(str(number % 9000).encode()) for number in range(12_000)]
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    for validation, test in ((1, 1), (1200, 1200), (6000, 0), (0, 5000), (3000, 8999)):
        parts = divide(ranks, validation, test)
        held = [[index for index, part in enumerate(parts) if part == kind] for kind in (VALIDATION, TEST)]
        assert held == [sorted(order[:validation]), sorted(order[len(order) - test :])]


def test_stratified_parts_have_the_proportions_of_the_whole(make: Any, columns: Any, tmp_path: Path) -> None:
    """Of 80 rows of one topic and 20 of another a fifth of each is held out."""
    rows = [(number, "", "仕事" if number % 5 else "人生") for number in range(100)]
    split = replace(HALVES, stratify_by="topic")
    data.prepare(make({"a.csv": table(rows)}, prompt=columns, split=split), tmp_path / "out")
    found = parts(tmp_path / "out")
    topics = {f"質問{number}": topic for number, _, topic in rows}
    for role, expected in (("train", (48, 12)), ("validation", (16, 4)), ("test", (16, 4))):
        times = Counter(topics[question] for question in found[role])
        assert (times["仕事"], times["人生"]) == expected


def test_rows_of_a_group_stay_together(make: Any, columns: Any, tmp_path: Path) -> None:
    """A customer is in one split only; rows without one stand alone; added rows move few."""
    rows = [(number, f"客{number // 5}" if number < 90 else "", "t") for number in range(100)]
    split = replace(HALVES, group_by=("customer",))
    chats = "".join(
        json.dumps(
            {
                "messages": [
                    {"role": "user", "content": f"続き{n}"},
                    {"role": "assistant", "content": "はい"},
                ],
                "customer": f"客{n}",
            }
        )
        + "\n"
        for n in range(18)
    )
    data.prepare(make({"a.csv": table(rows)}, prompt=columns, split=split), tmp_path / "out")
    found = parts(tmp_path / "out")
    home = {question: role for role, questions in found.items() for question in questions}
    for customer in range(18):
        assert len({home[f"質問{number}"] for number in range(customer * 5, customer * 5 + 5)}) == 1
    assert 17 <= len(found["validation"]) <= 23 and 17 <= len(found["test"]) <= 23

    experiment = make({"b.jsonl": chats}, split=split)
    assert not data.examine(experiment).errors  # and its key `customer` is no surprise
    assert not [one for one in data.examine(experiment).warnings if one.code == "ignored_key"]
    more = [*rows, *((number, f"新{number // 5}", "t") for number in range(100, 110))]
    data.prepare(make({"a.csv": table(more)}, prompt=columns, split=split), tmp_path / "more")
    after = parts(tmp_path / "more")
    assert sum(question not in after[role] for question, role in home.items()) <= 10


def test_groups_and_strata_together(make: Any, columns: Any, tmp_path: Path) -> None:
    """Whole customers are taken from each topic."""
    rows = [(number, f"客{number // 4}", "仕事" if number < 120 else "人生") for number in range(200)]
    split = replace(HALVES, group_by=("customer",), stratify_by="topic")
    data.prepare(make({"a.csv": table(rows)}, prompt=columns, split=split), tmp_path / "out")
    found = parts(tmp_path / "out")
    topics = {f"質問{number}": topic for number, _, topic in rows}
    for role in ("validation", "test"):
        times = Counter(topics[question] for question in found[role])
        assert abs(times["仕事"] - 24) <= 2 and abs(times["人生"] - 16) <= 2


def test_split_keys_that_are_not_there_are_told(make: Any, columns: Any) -> None:
    """A column that no row has is an error at the key, with the nearest name as the fix."""
    rows = table((number, "c", "t") for number in range(30))
    split = replace(HALVES, group_by=("custommer",))
    (error,) = data.examine(make({"a.csv": rows}, prompt=columns, split=split)).errors
    assert (error.code, error.line, error.hint) == ("split_column", 20, "Did you mean 'customer'?")
    assert "a.csv has no 'custommer'; it has: q, a, customer, topic (in 30 rows)" in error.message


def test_too_few_groups_are_an_error(make: Any, columns: Any) -> None:
    """Two authors can't fill three parts."""
    rows = table((number, f"客{number % 2}", "t") for number in range(30))
    split = replace(HALVES, group_by=("customer",))
    (error,) = data.examine(make({"a.csv": rows}, prompt=columns, split=split)).errors
    assert error.code == "split_groups" and "only 2 groups" in error.message and error.line == 20


def test_part_that_groups_make_too_large_is_a_warning(make: Any, columns: Any) -> None:
    """Four customers with 30 rows each can't give a tenth; small groups can."""
    split = Split(validation=0.1, group_by=("customer",))
    few = table((number, f"客{number % 4}", "t") for number in range(120))
    (warning,) = data.examine(make({"a.csv": few}, prompt=columns, split=split)).warnings
    assert warning.code == "split_share"
    assert warning.message.startswith("validation has 30 rows where 12 were asked for")
    many = table((number, f"客{number % 60}", "t") for number in range(120))
    assert not data.examine(make({"a.csv": many}, prompt=columns, split=split)).warnings


def test_part_without_a_value_is_a_warning(make: Any, columns: Any) -> None:
    """Six topics in three test rows: three are not tested."""
    rows = table((number, "c", f"t{number % 6}") for number in range(90))
    split = Split(test=3, stratify_by="topic")
    (warning,) = data.examine(make({"a.csv": rows}, prompt=columns, split=split)).warnings
    assert (warning.code, warning.message) == ("split_strata", "test lacks 3 of the 6 values of 'topic'")


def test_group_in_a_held_out_file_is_a_warning(make: Any, columns: Any, tmp_path: Path) -> None:
    """A customer of the training data in the test file is named with the first row."""
    rows = table((number, f"客{number // 4}", "t") for number in range(80))
    held = table((number, f"客{number}", "t") for number in (500, 1, 2))
    experiment = make({"a.csv": rows, "t.csv": held}, paths=["a.csv"], prompt=columns)
    own = (Source(path="t.csv", base=tmp_path, key=("data", "split", "test", 0)),)
    split = Split(validation=0.1, test=own, group_by=("customer",))
    experiment = replace(experiment, data=replace(experiment.data, split=split))
    found = [one for one in data.examine(experiment).warnings if one.code == "group_leak"]
    assert [(one.line, one.message[:14]) for one in found] == [(3, "2 groups are i")]


def test_split_that_leaves_nothing_says_what_would_work(make: Any, chats: Any, tmp_path: Path) -> None:
    """The split is blamed at its place, with rows, parts and numbers that work."""
    experiment = make({"a.jsonl": chats(range(30))}, split=Split(validation=20, test=20))
    with pytest.raises(DataError) as caught:
        data.prepare(experiment, tmp_path / "out")
    problem = caught.value.problem
    assert (problem.code, problem.line, problem.column) == ("split_too_large", 20, 3)
    assert problem.message == "data.split leaves none of 30 rows to train on: 20 to validation and 20 to test"
    assert problem.hint == (
        "With these 30 rows `validation: 10, test: 10` leaves 10 to train on; "
        "what is asked for needs 50 rows."
    )


@given(rows=st.integers(1, 300), validation=st.floats(0, 0.5), test=st.floats(0, 0.49))
def test_advised_numbers_work(rows: int, validation: float, test: float) -> None:
    """What the hint proposes leaves ten rows, and the number of rows that it names is enough."""
    split = Split(validation=validation, test=test)
    if not sizes(split, rows):
        return
    words = advice(split, rows)
    needed = int(words.split("asked for needs ")[1].split()[0])
    assert needed - sum(sizes(split, needed).values()) >= 10
    if words.startswith("With"):
        given = [int(part.split(": ")[1]) for part in words.split("`")[1].split(", ")]
        assert rows - sum(given) >= 10 and min(given) > 0
