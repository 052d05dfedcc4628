"""Fast JSON: as strict as the strict reader, written as the standard library would."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrun.data.readers.json_fast import LineReader, canonical_line, json_line, plain_object, read_line
from ftrun.data.readers.json_rows import StrictDecoder

JSON_TEXT = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
).map(lambda value: json.dumps({"k": value}, ensure_ascii=bool(len(str(value)) % 2)))


@settings(max_examples=500)
@given(JSON_TEXT | st.text(alphabet='{}[]":,\\ \t\rab1eE+.-NaI\u3042', max_size=24))
def test_the_fast_reader_is_as_strict(text: str) -> None:
    """A line that the fast reader takes is read alike, and without fault, by the strict one."""
    try:
        line = text.encode()
    except UnicodeEncodeError:
        return
    value = plain_object(line)
    if value is not None:
        decoder = StrictDecoder()
        strict = decoder.decode(text)
        assert (repr(strict), decoder.faults) == (repr(value), [])


@pytest.mark.parametrize(
    "line",
    [
        '{"a": 1, "a": 1}', '{"a" :1, "a":2}', '{"\\\\":1, "\\\\":2}', '{"b": [{"a":1,"a":2}]}',
        '{"a":18446744073709551616}', '{"a":1.5}', '{"a":"\\ud83d"}', '{"a":NaN}', "[1]", '{"a":1}x',
        '{"a":' * 40 + "1" + "}" * 40,
    ],
)  # fmt: skip
def test_the_fast_reader_leaves_doubt_to_the_strict_one(line: str) -> None:
    """Equal keys, large integers, floats, half characters and depth are never read fast."""
    assert plain_object(line.encode()) is None


SYSTEM = {"role": "system", "content": "案内\n"}


HEADS = (SYSTEM, {"content": "案内\n", "role": "system"}, {"role": "user", "content": "?"})


SOUND = ('{"role": "user", "content": "a: \\"b\\""}]}', '{"role":"user","content":"}, {"}]}')


RESTS = (
    *SOUND * 8, "]}", ", ]}", "", '{"role": "user", "content": "a", "role": "user"}]}', '"a"]}', "[]]}",
    '{"role": "user", "content": "\\u0022"}]}', '{"role": "user", "content": 1}]}',
    '{"role": "user", "content": "a"}], "messages": []}', '{"role": "user", "content": "a"}], "id": 1}',
    '{"role": "user", "content": "a"}]}]', '{"role": "user", "content": "a", "name": "b"}]}',
    '{"content": "案", "role": "user"}  ] }',
)  # fmt: skip


HEADED = st.tuples(st.sampled_from((*(SYSTEM,) * 4, *HEADS)), st.sampled_from(RESTS), st.booleans())


@given(st.lists(HEADED, min_size=5, max_size=30), st.sampled_from(((", ", ": "), (",", ":"))))
def test_a_first_message_that_is_read_once_changes_nothing(
    parts: list[tuple[dict[str, str], str, bool]], separators: tuple[str, str]
) -> None:
    """Lines that begin alike are read as each line alone is, and share no message that could be changed."""
    reader, (comma, colon) = LineReader(), separators
    firsts: list[dict[str, Any]] = []
    for first, rest, ascii_only in parts:
        head = json.dumps(first, ensure_ascii=ascii_only, separators=separators)
        line = f'{{"messages"{colon}[{head}{comma}{rest}\n'.encode()
        value, made = reader.read(line)
        assert (repr(value), made) == (repr(read_line(line)[0]), read_line(line)[1])
        firsts += [made.example["messages"][0]] if made else []
    assert len(set(map(id, firsts))) == len(firsts)


CHARACTERS = st.text(st.characters(codec="utf-8"), max_size=5)


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), CHARACTERS
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(CHARACTERS, inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_json_is_written_as_the_standard_library_would(value: Any) -> None:
    """What is written fast is what json writes, and reads back; large integers are no exception."""
    assert json_line(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    spelled = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    assert canonical_line(value) == spelled.encode()
