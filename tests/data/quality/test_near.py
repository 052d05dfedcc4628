# ruff: noqa: E501 - tables of texts stand in lines
"""Near-duplicates and near leaks: which rows are alike, which are not, and with which places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.data.split.advice import HELD_OUT_TWICE
from ftrun.experiment.model import Source, Split

from .clean import LONG, lines, plain, row
from .conftest import Look

THINGS = [
    "lamp",
    "river",
    "apple",
    "stone",
    "cloud",
    "bread",
    "tiger",
    "violin",
    "garden",
    "window",
    "bridge",
    "candle",
    "letter",
    "market",
    "pepper",
]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((LONG, "We sat by the window and waited for it."), (LONG.replace("quiet", "silent"), "We sat by the window and waited for it.")),
        (
            ("京都で紅葉がいちばん綺麗に見える時期と場所を教えてください。", "十一月の下旬、東福寺や永観堂が見頃です。"),
            ("京都で紅葉がいちばん綺麗に見える時期と場所を教えて下さい", "十一月の下旬、東福寺や永観堂が見頃です！"),
        ),
    ],
)  # fmt: skip
def test_near_duplicates_in_two_languages(look: Look, one: Any, other: Any) -> None:
    """A word or a sign changed is nearly the same; `dedupe: near` leaves the later one out."""
    rows = [*map(plain, range(30)), row(*one), row(*other)]
    told = look(rows)["near_duplicates"]
    assert told.line == 32
    assert "a.jsonl:31" in told.message
    dropped = look(rows, dedupe="near")["near_duplicates"]
    assert (dropped.line, dropped.message) == (
        32,
        "1 row nearly repeats an earlier one: left out; the first is here",
    )


def test_near_is_not_the_same_number_or_answer(look: Look) -> None:
    """Rows that differ in a number, or in their answer alone, are different."""
    rows = [
        row(f"{LONG} What happened on day 12?", "It rained until the evening, and then the stars came out."),
        row(f"{LONG} What happened on day 13?", "It rained until the evening, and then the stars came out."),
        row(f"{LONG} Was it so?", "yes"),
        row(f"{LONG} Was it so?", "not at all, they say"),
    ]
    assert "near_duplicates" not in look([*map(plain, range(30)), *rows])


def test_a_template_around_short_texts_is_no_likeness(look: Look) -> None:
    """What most rows have in common does not count."""
    head = "Read the following review of a customer and say in one word whether it is good or bad. Review: "
    words = [f"{one} {other}" for one in THINGS for other in THINGS if one < other]
    rows = [
        row(f"{head}{pair} and more of the {pair}", ("good", "bad")[n % 2])
        for n, pair in enumerate(words[:80])
    ]
    assert "near_duplicates" not in look(rows)


def test_dedupe_near_is_the_same_each_time(make: Any, tmp_path: Path) -> None:
    """The prepared files are equal whenever they are made, and the numbers are kept beside them."""
    rows = lines(
        [*map(plain, range(40)), row(LONG, "Yes."), row(LONG + "!", "yes"), row(LONG.lower(), "Yes")]
    )
    experiment = make({"a.jsonl": rows}, dedupe="near")
    first, second = (data.prepare(experiment, tmp_path / name) for name in "ab")
    assert first.to_dict() == second.to_dict()
    assert (first.duplicates, first.dropped) == (0, 2)
    kept = data.check(experiment, tmp_path / "a").as_dict()
    (tmp_path / "a/tally.json").unlink()
    assert data.check(experiment, tmp_path / "a").as_dict() == kept == data.examine(experiment).as_dict()


def test_near_leaks_are_told_for_the_held_out_part(make: Any, tmp_path: Path) -> None:
    """A test row that is nearly in the training data is located in the test file."""
    files = {
        "a.jsonl": lines([*map(plain, range(30)), row(LONG, "So it was.")]),
        "t.jsonl": lines([row(LONG + "!!", "so it was"), plain(77)]),
    }
    experiment = make(files, paths=["a.jsonl"])
    own = (Source(path="t.jsonl", base=tmp_path, key=("data", "split", "test", 0)),)
    result = data.examine(replace(experiment, data=replace(experiment.data, split=Split(test=own))))
    (leak,) = [one for one in result.warnings if one.code == "near_leak"]
    assert (Path(str(leak.file)).name, leak.line) == ("t.jsonl", 1)
    assert "a.jsonl:31" in leak.message


def test_held_out_parts_are_compared_with_one_another(make: Any, tmp_path: Path) -> None:
    """A test row that is in validation, exactly or nearly, is a leak; another answer is a contradiction."""
    files = {
        "a.jsonl": lines(map(plain, range(30))),
        "v.jsonl": lines([row(LONG, "So it was."), plain(77), plain(78)]),
        "t.jsonl": lines([row(LONG + "!!", "so it was"), plain(77), row("犬はいつ走るのですか", "冬です。")]),
    }
    experiment = make(files, paths=["a.jsonl"])
    held: dict[str, Any] = {
        part: (Source(path=f"{part[0]}.jsonl", base=tmp_path, key=("data", "split", part, 0)),)
        for part in ("validation", "test")
    }
    result = data.examine(replace(experiment, data=replace(experiment.data, split=Split(**held))))
    found = {one.code: one for one in result.warnings if one.code in ("leak", "near_leak", "contradiction")}
    places = {code: (Path(str(one.file)).name, one.line) for code, one in found.items()}
    assert places == {"near_leak": ("t.jsonl", 1), "leak": ("t.jsonl", 2), "contradiction": ("t.jsonl", 3)}
    assert "1 test example is also in the validation data" in found["leak"].message
    assert "one of the validation data" in found["near_leak"].message
    assert found["leak"].hint == found["near_leak"].hint == HELD_OUT_TWICE
