"""JSON lines: read strictly, written as the standard library would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.readers.json_rows import canonical_line, json_line, json_value, row_of_line


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('{"a": 1, "a": 1}', "json_duplicate_key"),
        ('{"a" :1, "a":2}', "json_duplicate_key"),
        ('{"\\\\":1, "\\\\":2}', "json_duplicate_key"),
        ('{"b": [{"a":1,"a":2}]}', "json_duplicate_key"),
        ('{"messages":[{"role":"user","content":"a","role":"user"}]}', "json_duplicate_key"),
        ('{"a":"\\ud83d"}', "json_surrogate"),
        ('{"a":NaN}', "json_number"),
        ("[1]", "json_row"),
        ('{"a":1}x', "json_syntax"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "json_syntax"),
    ],
)
def test_lines_are_read_strictly(line: str, code: str) -> None:
    """What other readers let pass is a problem at its line."""
    findings = Findings()
    assert row_of_line(line, 7, FilePlace("a.jsonl", findings)) is None
    assert [(error.code, error.line) for error in findings.errors] == [(code, 7)]


@pytest.mark.parametrize("line", ['{"a":18446744073709551616}', '{"a":1.5}', '{"a":' * 40 + "1" + "}" * 40])
def test_large_integers_floats_and_depth_are_kept(line: str) -> None:
    """No number is rounded, and nothing sound is refused."""
    findings = Findings()
    assert row_of_line(line + "\n", 1, FilePlace("a.jsonl", findings)) == json.loads(line)
    assert not findings.errors


CHARACTERS = st.text(st.characters(codec="utf-8"), max_size=5)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(  # floats with an exponent are spelled in two ways
    st.one_of(
        st.none(), st.booleans(), st.integers(), FLOATS.filter(lambda one: "e" not in repr(one)), CHARACTERS
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CHARACTERS, inner, max_size=3),
    max_leaves=6,
)


@given(FLOATS)
def test_every_float_reads_back(value: float) -> None:
    """A float is the same after it was written, however it is spelled."""
    assert json.loads(json_line(value)) == json_value(canonical_line(value)) == value


@given(VALUES)
def test_json_is_written_as_the_standard_library_would(value: Any) -> None:
    """What is written fast is what json writes, and reads back; large integers are no exception."""
    assert json_line(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    spelled = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert canonical_line(value) == spelled.encode()
    assert repr(json_value(json_line([str(value)]))) == repr([str(value)])
