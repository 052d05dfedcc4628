"""JSON answers: valid or not, by a schema or not, and which fields are right."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ftrun.errors import ConfigError
from ftrun.scoring.scorers import make_scorers
from ftrun.scoring.types import Answer, Sample, Score, Scorer

PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"$ref": "#/$defs/age"}},
    "$defs": {"age": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}


def scorer_of(name: str, **options: Any) -> Scorer:
    """Return a scorer."""
    (scorer,) = make_scorers([(name, options)])
    return scorer


def score(scorer: Scorer, answer: str, reference: str | None = None) -> Score:
    """Return the score of an answer."""
    found = scorer.score(Sample(id="", turns=(), reference=reference), Answer(text=answer))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("answer", "strict", "fenced"),
    [
        ('{"a": 1}', 1, 1),
        (" [1, 2]\n", 1, 1),
        ("true", 1, 1),
        ('```json\n{"a": 1}\n```', 0, 1),
        ('```\n{"a": 1}\n```\n', 0, 1),
        ('Sure! ```json\n{"a": 1}\n```', 0, 0),
        ('{"a": 1,}', 0, 0),
        ('{"a": NaN}', 0, 0),
        ("", 0, 0),
        ("[" * 100_000, 0, 0),
        ("1" * 5000, 0, 0),
    ],
)
def test_json_is_what_a_program_can_read(answer: str, strict: int, fenced: int) -> None:
    """A text around the JSON is none, unless the code fence around it is allowed."""
    assert score(scorer_of("json"), answer).value == strict
    found = score(scorer_of("json", fenced=True), answer)
    assert found.value == fenced and found.explanation.startswith("is not JSON" if not fenced else "")
    assert scorer_of("json").metrics[0].name == "json_valid"


@pytest.mark.parametrize(
    ("answer", "value", "words"),
    [
        ('{"name": "Taro", "age": 3}', 1, ""),
        ('{"name": "Taro", "age": -1}', 0, "age: -1 is less than the minimum of 0"),
        ('{"age": 1}', 0, "'name' is a required property"),
        ("Taro", 0, "is not JSON"),
    ],
)
def test_a_schema_says_what_does_not_fit(tmp_path: Path, answer: str, value: int, words: str) -> None:
    """The place and the reason are named, for a schema in the file and for one of its own."""
    path = tmp_path / "person.json"
    path.write_text(json.dumps(PERSON), encoding="utf-8")
    for options in ({"schema": PERSON}, {"path": str(path)}):
        found = score(scorer_of("json_schema", **options), answer)
        assert found.value == value and words in found.explanation


def test_a_pattern_of_a_schema_cannot_hang_the_evaluation() -> None:
    """A catastrophic pattern is stopped, and the answer fails with that reason."""
    scorer = scorer_of("json_schema", schema={"type": "string", "pattern": "^(a+)+$"})
    assert score(scorer, '"aaa"').value == 1
    began = time.monotonic()
    found = score(scorer, json.dumps("a" * 40 + "!"))
    assert found.value == 0 and "can't be checked" in found.explanation
    assert time.monotonic() - began < 30
    assert score(scorer, '"aaa"').value == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs either `path` or `schema`"),
        ({"path": "nowhere.json"}, "The schema nowhere.json can't be read"),
        (
            {"schema": {"type": "objekt"}},
            r"The schema of the scorer json_schema \(`schema`\) is broken: .*objekt",
        ),
        ({"schema": {"$ref": "#/$defs/none"}}, "nothing is at #/\\$defs/none"),
        ({"schema": {"$ref": "https://example.com/schema.json"}}, "nothing is at https://example.com"),
        ({"schema": [1]}, "must be an object"),
        ({"schema": {}, "fence": True}, "has no option `fence`"),
    ],
)
def test_a_broken_schema_is_an_error_before_anything_is_asked(options: dict[str, Any], message: str) -> None:
    """What is wrong with it, or where it leads, is said; nothing is fetched."""
    with pytest.raises(ConfigError, match=message):
        scorer_of("json_schema", **options)


def test_a_schema_that_is_no_json_is_named(tmp_path: Path) -> None:
    """The file and the reason are in the message."""
    path = tmp_path / "broken.json"
    path.write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"broken\.json is not JSON"):
        scorer_of("json_schema", path=str(path))


REFERENCE = json.dumps(
    {"name": "山田 太郎", "age": 30, "tags": ["a", "b"], "home": {"city": "東京", "zip": None}}
)


@pytest.mark.parametrize(
    ("answer", "right", "said"),
    [
        (REFERENCE, 6, 6),
        (
            '{"home": {"zip": null, "city": "東京"}, "tags": ["b", "a"], "age": 30.0, "name": "山田　太郎"}',
            6,
            6,
        ),
        ('{"name": "山田 太郎", "age": "30"}', 1, 2),
        ('{"name": "山田 太郎", "tags": ["a", "a"], "extra": 1}', 2, 4),
        ("山田", 0, 0),
        ("{}", 0, 0),
    ],
)
def test_fields_are_counted(answer: str, right: int, said: int) -> None:
    """A field is a path and a value; the order of keys and lists doesn't matter, types do."""
    found = score(scorer_of("extraction"), answer, REFERENCE)
    assert tuple(found.statistics) == (right, said, 6)
    assert found.value == pytest.approx(2 * right / (said + 6))
    assert bool(found.explanation) is (right < 6)


def test_counts_are_pooled_over_all_answers() -> None:
    """The metric is the F1 of all fields together, so that long references weigh more."""
    scorer = scorer_of("extraction")
    found = [score(scorer, "{}", REFERENCE), score(scorer, '{"a": 1}', '{"a": 1}')]
    sums = np.array([list(one.statistics) for one in found]).sum(axis=0)[None]
    assert scorer.metrics[0].combine(sums)[0] == pytest.approx(2 * 1 / (1 + 7))
    assert scorer.score(Sample(id="", turns=(), reference="text"), Answer(text="{}")) is None


def test_what_is_wrong_is_named_by_its_path() -> None:
    """The value that was wanted is said, and a field too many."""
    found = score(
        scorer_of("extraction"), '{"home": {"city": "大阪"}, "x": [1]}', '{"home": {"city": "東京"}}'
    )
    assert found.explanation == 'home.city should be "東京"; x[] is not expected'
    many = json.dumps({str(number): number for number in range(9)})
    assert score(scorer_of("extraction"), "{}", many).explanation.endswith("; and 4 more")
