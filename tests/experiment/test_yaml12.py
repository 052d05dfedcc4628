"""Reading YAML: scalars as YAML 1.2 has them, and what is refused, each with its place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrun.errors import ConfigError
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.nodes import plain
from ftrun.experiment.yaml12 import compose

from .conftest import MINIMAL, Workplace


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("2026-11-21", "2026-11-21"),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-7", -7),
        ("true", True),
        ("True", True),
        ("tRue", "tRue"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'null'", "null"),
        ('"1"', "1"),
        ("=", "="),
        ("こんにちは", "こんにちは"),
    ],
)
def test_scalars_are_read_as_yaml_12_does(text: str, value: Any) -> None:
    """`no`, times and dates stay text; numbers have YAML 1.2's spellings."""
    read = plain(compose(f"a: {text}\n", Path("x.yaml")))["a"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "code", "line", "column"),
    [
        ("name: a\nname: b\n", "duplicate_key", 2, 1),
        ("a: {b: 1, b: 2}\n", "duplicate_key", 1, 11),
        ("a: !!python/name:os.system x\n", "yaml_tag", 1, 4),
        ("a: &x [1]\n", "yaml_anchor", 1, 4),
        ("a: 1\nb: *x\n", "yaml_alias", 2, 4),
        ("a: 1\n---\nb: 1\n", "yaml_documents", 2, 1),
        ("? [a]\n: b\n", "yaml_key", 1, 3),
        ("a: " + "[" * 100, "yaml_depth", 1, 44),
        ("a: 1e999\n", "yaml_number", 1, 4),
        ("a: .nan\n", "yaml_number", 1, 4),
        ("a: " + "9" * 5000, "yaml_number", 1, 4),
        ("a: b\x07\n", "yaml_character", 1, 5),
        ("a: 日本\u2028b\n", "yaml_character", 1, 6),
        ("\ta: 1\n", "yaml_syntax", 1, 1),
        ("", "yaml_empty", 1, 1),
        ("a: [1\n", "yaml_syntax", 2, 1),
    ],
)
def test_what_is_refused_has_a_place(text: str, code: str, line: int, column: int) -> None:
    """Everything outside the plain subset of YAML is an error at its line and column."""
    with pytest.raises(ConfigError) as caught:
        compose(text, Path("x.yaml"))
    problem = caught.value.problem
    assert (problem.code, problem.line, problem.column) == (code, line, column)


def test_an_alias_bomb_ends_at_once(place: Workplace) -> None:
    """Anchors are refused, so nothing can multiply."""
    bomb = "a: &a [x,x]\n" + "".join(f"b{i}: &b{i} [*a,*a]\n" for i in range(30))
    assert {problem.code for problem in place.wrong(bomb)} == {"yaml_anchor", "yaml_alias"}


def test_bom_and_crlf_are_fine(place: Workplace) -> None:
    """A file from a Windows editor is read like any other."""
    path = place.write("x.yaml", b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert build_experiment(read_document(path)).name == "cat"


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        ("version: 1\nname: 日本\n".encode("cp932"), "Shift_JIS"),
        ("version: 1\n".encode("utf-16"), "UTF-16"),
        ("version：1\nname: x\n".encode(), "full-width colon"),
        ("name：x\n".encode(), "full-width colon"),
        ("version: 1\nname:\u3000x\ndata: 1\n".encode(), "full-width colon or space"),
        (f"{MINIMAL}\u3000seed: 1\n".encode(), "full-width space"),
        (f"ｎａｍｅ: x\n{MINIMAL}".encode(), "`name`"),
        (b"version: 1\n\tname: x\n", "tab"),
        (b"prompt:\n  user: {{ user }}\n", "quotes around a template"),
    ],
)
def test_usual_mistakes_get_a_hint(place: Workplace, content: bytes, hint: str) -> None:
    """What people who type Japanese or templates run into is reported with its fix."""
    problem = place.wrong(content)[0]
    assert hint in (problem.hint or "")
    assert problem.line
    assert problem.column


def test_the_offending_line_is_marked(place: Workplace) -> None:
    """The message shows the line, and a mark under the place also after wide characters."""
    problem = place.wrong_with("eval: {prompts: [{id: 日本, user: x, usr: y}]}\n")
    shown, mark = str(problem).splitlines()[1:]
    assert shown == "  5 | eval: {prompts: [{id: 日本, user: x, usr: y}]}"
    assert mark.index("^") == shown.index("usr") + len("日本")  # two columns each


FULL = """version: 1
name: cat
description: 猫
target: b
targets:
  a: {provider: local, model: smollm2-135m-instruct}
  b: {provider: openai, model: gpt-4.1-mini-2025-04-14, settle: 15m, poll: {min: 1s, max: 2m}}
data:
  sources:
    - path: data/cat.csv
  split: {validation: 0.1, test: 5, seed: 42}
prompt:
  system: |
    あなたは猫です。{{ mood }}
  user: "{{ user }}"
  assistant: "{{ assistant }}"
  vars: {mood: 元気}
train:
  hyperparameters: {n_epochs: 3, batch_size: auto}
eval:
  prompts:
    - {id: a, user: 何が好き？, expect: {contains: 魚, any: [{regex: 'に.'}]}}
"""
PIECES = st.sampled_from(
    [
        *"\t：\u3000[]{}\"'|>?\0\x85\ufeff\u2028\r\n #\ud7ff😺",
        "{{",
        "}}",
        "{%",
        "*a",
        "&a",
        "!!str",
        "---",
        ": ",
        "- ",
    ]
)


def fuzz(some: int, all_of_them: int) -> settings:
    """Return the settings for so many inputs in CI, and for all with `make test-all`."""
    return settings(max_examples=all_of_them if os.environ.get("FTRUN_TEST_ALL") else some)


def _assert_config_error_or_fine(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    try:
        build_experiment(read_document(path))
    except ConfigError as error:
        assert all(problem.file and problem.line and problem.column for problem in error.problems)


@fuzz(250, 5000)
@given(data=st.data())
def test_a_damaged_file_gives_an_error_with_a_place(data: st.DataObject, tmp_path: Path) -> None:
    """However a good file is damaged, the answer is an experiment or a ConfigError with a place."""
    text = FULL
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 12))
        text = text[:start] + data.draw(PIECES) + text[end:]
    _assert_config_error_or_fine(tmp_path / "x.yaml", text.encode())


@fuzz(80, 2000)
@given(
    content=st.one_of(
        st.binary(max_size=60), st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_bytes_give_an_error_with_a_place(content: bytes, tmp_path: Path) -> None:
    """Bytes that are not an experiment give a ConfigError with file, line and column."""
    _assert_config_error_or_fine(tmp_path / "x.yaml", content)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 400)
    | st.floats(-2, 2)
    | st.sampled_from(["", "auto", "x.j2", "{{"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["path", "user", "id", "regex", "min", "usd", "a"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    """version name description target targets targets.a targets.b.poll targets.b.base_url data data.sources
    data.sources.0 data.split data.split.validation prompt prompt.system prompt.messages prompt.vars train
    train.seed train.hyperparameters budget eval eval.models eval.prompts eval.prompts.0 eval.prompts.0.expect
    eval.prompts.0.messages eval.sampling""".split()  # noqa: SIM905
)


@fuzz(150, 3000)
@given(key=KEYS, value=VALUES)
def test_any_value_anywhere_gives_an_experiment_or_a_config_error(
    key: str, value: Any, tmp_path: Path
) -> None:
    """A value of any type at any key never gives anything but an experiment or a ConfigError."""
    path = tmp_path / "x.yaml"
    path.write_text(FULL, encoding="utf-8")
    try:
        build_experiment(read_document(path, [f"{key}={json.dumps(value)}"]))
    except ConfigError as error:
        assert str(error)
