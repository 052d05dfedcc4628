"""Files of eval prompts: JSON Lines, lists, tables; their encodings, ids and faults."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrun.errors import ConfigError
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import EvalPrompt
from ftrun.experiment.prompt_files import read_prompts
from ftrun.experiment.prompt_files.entries import MOST_PROBLEMS

from .conftest import MINIMAL, Workplace

FILE = "eval: {prompts: [{path: eval/q.*}]}\n"
TABLE = "id,user,expect.contains,tags,reference,group\n"


def _prompts(place: Workplace, name: str, content: str | bytes, more: str = FILE) -> tuple[EvalPrompt, ...]:
    place.write(f"eval/{name}", content)
    return place.build(more).evaluation.prompts


def test_the_formats_say_the_same(place: Workplace) -> None:
    """JSON Lines, a JSON list, CSV and TSV with the same questions give the same prompts."""
    entries = [
        {
            "id": "a",
            "user": "雨？",
            "expect": {"contains": ["傘", "雨"], "regex": "[0-9]"},
            "tags": ["x", "y"],
        },
        {"id": "b", "user": 'say "hi",\nplease', "reference": "hi", "group": "g", "system": None},
        {"id": "c", "user": "tool", "expect": {"tool_call": {"name": "get", "arguments": {"city": "東京"}}}},
        {"id": "d", "user": "tool", "expect": {"tool_call": "get"}, "tools": [{"type": "function"}]},
        {"id": "e", "messages": [{"role": "user", "content": "q"}], "expect": {"any": [{"equals": "a"}]}},
    ]
    lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in entries)
    header = [
        *("id", "user", "expect.contains", "expect.regex", "tags", "reference", "group", "system"),
        *("expect.tool_call", "tools", "messages", "expect.any"),
    ]
    rows = [
        ["a", "雨？", '["傘", "雨"]', "[0-9]", "x、y"],
        ["b", 'say "hi",\nplease', "", "", "", "hi", "g", "null"],
        ["c", "tool", *[""] * 6, '{"name": "get", "arguments": {"city": "東京"}}'],
        ["d", "tool", *[""] * 6, "get", '[{"type": "function"}]'],
        ["e", "", *[""] * 8, '[{"role": "user", "content": "q"}]', '[{"equals": "a"}]'],
    ]

    def table(separator: str) -> str:
        quoted = (['"' + cell.replace('"', '""') + '"' for cell in row] for row in [header, *rows])
        return "\r\n".join(map(separator.join, quoted))

    found = {
        name: build_experiment(
            read_document(
                place.write(
                    f"{name}.yaml",
                    MINIMAL + f"eval: {{prompts: [{{path: {place.write(name, text).name}}}]}}\n",
                )
            )
        ).evaluation.prompts
        for name, text in {
            "q.jsonl": lines,
            "q.json": json.dumps(entries, indent=1),
            "q.csv": table(","),
            "semicolons.csv": table(";"),
            "q.tsv": table("\t"),
        }.items()
    }
    inline = place.build(f"eval: {{prompts: {json.dumps(entries, ensure_ascii=False)}}}\n").evaluation.prompts
    for name, prompts in found.items():
        assert prompts == inline, name


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("cp932", b""),
        ("euc_jp", b""),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16-le", b""),
    ],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_are_recognised(place: Workplace, encoding: str, mark: bytes, end: str) -> None:
    """What Excel and editors on Japanese systems write is read as data files are."""
    question = "東京タワーの高さはどのくらいですか？わかりやすく教えてください。"
    content = mark + end.join(["user,reference", f"{question},333メートルです", ""]).encode(encoding)
    (prompt,) = _prompts(place, "q.csv", content)
    assert (prompt.user, prompt.reference) == (question, "333メートルです")


def test_an_encoding_can_be_named(place: Workplace) -> None:
    """Where bytes leave a doubt, the message says what to set, and that is obeyed."""
    content = 'user\n"caf\xe9"\n'.encode("latin-1")
    place.write("eval/q.csv", content)
    problem = place.wrong_with(FILE)
    assert (problem.code, problem.place) == ("encoding", "eval/q.csv:2:5")
    (prompt,) = _prompts(
        place, "q.csv", content, "eval: {prompts: [{path: eval/q.csv, encoding: latin-1}]}\n"
    )
    assert prompt.user == "café"


def test_ids_default_to_file_and_line(place: Workplace) -> None:
    """An entry without an id is STEM:LINE, where its record starts; blank lines and rows count."""
    assert [one.id for one in _prompts(place, "q.jsonl", '\n{"user": "a"}\n\n{"user": "b", "id": 7}\n')] == [
        "q:2",
        "7",
    ]
    place.folder.joinpath("eval/q.jsonl").unlink()
    assert [one.id for one in _prompts(place, "q.csv", 'user\n"a\nb"\n\nc\n')] == ["q:2", "q:5"]
    place.folder.joinpath("eval/q.csv").unlink()
    text = '[\n  {"user": "a"},\n  {"user": "b"}]'
    assert [one.id for one in _prompts(place, "q.json", text)] == ["q:2", "q:3"]


def test_a_long_name_of_a_file_makes_legal_ids(place: Workplace) -> None:
    """Ids have at most 64 characters and no control characters, however the file is called."""
    name = "長" * 70
    prompts = _prompts(
        place, f"{name}.jsonl", '{"user": "a"}\n', f"eval: {{prompts: [{{path: eval/{name}.jsonl}}]}}\n"
    )
    assert prompts[0].id == "長" * 62 + ":1"


def test_tags_of_a_file_are_added_to_its_questions(place: Workplace) -> None:
    """`tags` next to `path` are those of every question, behind its own."""
    lines = '{"user": "a", "tags": ["hard"]}\n{"user": "b"}\n'
    prompts = _prompts(
        place, "q.jsonl", lines, "eval: {prompts: [{path: eval/q.jsonl, tags: [web, hard]}]}\n"
    )
    assert [one.tags for one in prompts] == [("hard", "web"), ("web", "hard")]


def test_numbers_and_objects_become_references(place: Workplace) -> None:
    """A reference that is JSON is its text: what `numeric` and `extraction` compare with."""
    lines = '{"user": "a", "reference": 42}\n{"user": "b", "reference": {"name": "猫"}}\n'
    assert [one.reference for one in _prompts(place, "q.jsonl", lines)] == ["42", '{"name": "猫"}']


def test_notes_are_not_read(place: Workplace) -> None:
    """Keys and columns that begin with _ are for people."""
    (prompt,) = _prompts(place, "q.csv", "user,_note\na,ask Mr Sato\n")
    assert prompt == EvalPrompt(id="q:2", user="a")


def test_globs_are_read_in_the_order_of_names(place: Workplace) -> None:
    """A glob names several files; prompts in the file and in files keep the order of the list."""
    for name in ("b", "a"):
        place.write(f"eval/{name}.jsonl", f'{{"user": "{name}"}}\n')
    more = "eval: {prompts: [{id: first, user: x}, {path: 'eval/*.jsonl'}, {id: last, user: x}]}\n"
    assert [one.id for one in place.build(more).evaluation.prompts] == ["first", "a:1", "b:1", "last"]


def test_a_file_is_part_of_the_digest(place: Workplace) -> None:
    """A changed question is validated again."""
    path = place.write("x.yaml", MINIMAL + FILE)
    place.write("eval/q.jsonl", '{"user": "a"}\n')
    before = read_document(path).digest
    place.write("eval/q.jsonl", '{"user": "b"}\n')
    assert read_document(path).digest != before


def test_general_questions_come_from_a_file_too(place: Workplace) -> None:
    """`eval.general` takes true, a file or a list; the file's questions are part of the experiment."""
    place.write("eval/general.jsonl", '{"user": "1+1?", "expect": {"contains": "2"}}\n')
    evaluation = place.build("eval: {general: eval/general.jsonl}\n").evaluation
    assert evaluation.general == place.folder / "eval/general.jsonl"
    assert [one.id for one in evaluation.general_prompts] == ["general:1"]
    evaluation = place.build("eval: {general: [{id: a, user: b}]}\n").evaluation
    assert evaluation.general is True
    assert evaluation.general_prompts == (EvalPrompt(id="a", user="b"),)
    assert place.build("eval: {general: true}\n").evaluation.general_prompts == ()


FAULTS: list[tuple[str, str | bytes, str, str]] = [
    # file, content, place, what the message says
    ("q.jsonl", '{"user": "a"}\n{"user": \n', "2:9", "not JSON"),
    ("q.jsonl", '{"user": "a"} {"user": "b"}\n', "1:15", "more follows"),
    ("q.jsonl", '["a"]\n', "1:1", "expected the keys of a question"),
    ("q.jsonl", '{"usr": "a", "user": "b"}\n', "1:2", "unknown key"),
    ("q.jsonl", '{"path": "a", "user": "b"}\n', "1:2", "unknown key"),
    ("q.jsonl", '{"user": "b", "user": "c"}\n', "1:1", "duplicated"),
    ("q.jsonl", '{"user": NaN}\n', "1:1", "JSON has no number NaN"),
    ("q.jsonl", '{"user": "a", "reference": 1e999}\n', "1:1", "too large"),
    ("q.jsonl", '{"user": "a", "reference": ' + "9" * 5000 + "}\n", "1:1", "too many digits"),
    ("q.jsonl", '{"user": "\\ud83d"}\n', "1:10", "lone surrogate"),
    ("q.jsonl", '{"user": ' + "[" * 100 + "]" * 100 + "}\n", "1:10", "levels of nesting"),
    ("q.jsonl", '{"user": ' + "[" * 100_000 + "\n", "1:1", "levels of nesting"),
    ("q.jsonl", '{"user": 5}\n', "1:10", "expected text"),
    ("q.jsonl", '{"id": "a"}\n', "1:1", "either `user` or `messages`"),
    ("q.jsonl", '{"user": "a", "expect": {"contain": "b"}}\n', "1:15", "unknown key"),
    ("q.jsonl", '{"user": "a", "expect": {"regex": "("}}\n', "1:25", "not a regular expression"),
    ("q.jsonl", "", "1:1", "no questions"),
    ("q.jsonl", "\n\n", "1:1", "no questions"),
    ("q.jsonl", b'{"user": "a\x00"}\n', "1:12", "NUL"),
    ("q.json", '{"user": "a"}', "1:1", "expected a list"),
    ("q.json", '[\n{"user": "a"}\n{"user": "b"}]', "3:1", "expected a comma"),
    ("q.json", '[{"user": "a"}', "1:15", "expected a comma"),
    ("q.json", '[{"user": "a"}] x', "1:17", "more follows"),
    ("q.json", "[]", "1:1", "no questions"),
    ("q.csv", "", "1:1", "empty"),
    ("q.csv", "question,answer\na,b\n", "1:1", "unknown column"),
    ("q.csv", "user,expect.contain\na,b\n", "1:6", "unknown column"),
    ("q.csv", "user,user\na,b\n", "1:6", "two columns"),
    ("q.csv", "user\na,b\n", "2:3", "column without a name"),
    ("q.csv", 'user\n"a\n', "2:1", "no closing quote"),
    ("q.csv", 'user\n"a"b\n', "2:4", "text follows the closing quote"),
    ("q.csv", "user,messages\na,hello\n", "2:3", "not JSON"),
    ("q.csv", "user,expect\na,[1]\n", "2:3", "expected the keys of `expect`"),
    ("q.csv", 'user,tags\n"a\nb",\nc,d\nc,"x",y\n', "5:7", "column without a name"),
    ("q.csv", "user,expect.regex\na,(\n", "2:3", "not a regular expression"),
    ("q.csv", b"PK\x03\x04rest", "1:1", "Excel"),
]


@pytest.mark.parametrize(("name", "content", "at", "words"), FAULTS)
def test_faults_have_their_place(
    place: Workplace, name: str, content: str | bytes, at: str, words: str
) -> None:
    """What is wrong in a file is said once, at its line and column in that file."""
    place.write(f"eval/{name}", content)
    problems = place.wrong(MINIMAL + FILE)
    found = [problem for problem in problems if words in problem.message]
    assert found, problems
    assert found[0].place == f"eval/{name}:{at}"
    assert problems[0] is found[0]


def test_equal_ids_name_both_places(place: Workplace) -> None:
    """An id that two files have is an error that names both of them."""
    place.write("eval/a.jsonl", '{"id": "x", "user": "a"}\n')
    place.write("eval/q.jsonl", '\n{"id": "x", "user": "b"}\n')
    problem = place.wrong_with("eval: {prompts: [{path: eval/a.jsonl}, {path: eval/q.jsonl}]}\n")
    assert (problem.code, problem.place) == ("duplicate_id", "eval/q.jsonl:2:8")
    assert "eval/a.jsonl:1" in problem.message


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{path: eval/none.jsonl}", "there is no file eval/none.jsonl"),
        ("{path: eval/*.csv}", "there is no file eval/*.csv"),
        ("{path: eval}", "there is no file eval"),
        ("{path: eval/q.xlsx}", "questions are read from .jsonl"),
        ("{path: eval/q.jsonl, user: x}", "not `user`"),
        ("{path: eval/q.jsonl, tags: x}", "a list of texts"),
        ("{path: eval/q.jsonl, encoding: 3}", "expected a text"),
        ("{path: eval/q.jsonl, encoding: klingon}", "not a text encoding"),
        ("{path: 3}", "expected text"),
        ("{path: /etc/hostname.jsonl}", "there is no file"),
    ],
)
def test_an_entry_that_names_a_file_is_checked(place: Workplace, entry: str, words: str) -> None:
    """A file that is missing or of another kind, and keys that don't go with it, are one problem each."""
    place.write("eval/q.jsonl", '{"user": "a"}\n')
    place.write("eval/q.xlsx", b"PK\x03\x04")
    assert words in place.wrong_with(f"eval: {{prompts: [{entry}]}}\n").message


def test_a_file_outside_the_project_is_not_read(place: Workplace, tmp_path_factory: Any) -> None:
    """A repository can't have its reader send files of the machine to a service."""
    outside = tmp_path_factory.mktemp("outside") / "q.jsonl"
    outside.write_text('{"user": "a"}\n', encoding="utf-8")
    place.folder.joinpath("q.jsonl").symlink_to(outside)
    assert "outside" in place.wrong_with("eval: {prompts: [{path: q.jsonl}]}\n").message


def test_a_file_of_faults_reports_some(place: Workplace) -> None:
    """Thousands of broken lines don't make thousands of messages."""
    place.write("eval/q.jsonl", "{\n" * 5000)
    assert len(place.wrong(MINIMAL + FILE)) == MOST_PROBLEMS


def test_thousands_of_wrong_questions_are_cut_short(place: Workplace) -> None:
    """What is wrong with every line is shown for some of them, and counted for the others."""
    place.write("eval/q.jsonl", '{"user": 5}\n' * 3000)
    problems = place.wrong(MINIMAL + FILE)
    assert len(problems) == 21
    assert problems[-1].message == "2980 more problems of this file are not shown"


def test_secrets_in_questions_are_found(place: Workplace) -> None:
    """A key in a file of questions is refused like one in the experiment file, and not repeated."""
    place.write("eval/q.jsonl", '{"user": "my key is sk-abcdefghij0123456789ABCDEFGHIJ"}\n')
    problem = place.wrong_with(FILE)
    assert problem.code == "key_in_file"
    assert "abcdefghij" not in problem.message


PIECES = st.sampled_from(
    [
        *(
            '{"user": "a"}',
            '{"id": "x", "user": "b"}',
            "\n",
            "\r\n",
            ",",
            "[",
            "]",
            "{",
            "}",
            '"',
            '""',
            "\\",
        ),
        *(
            "user",
            "messages",
            "expect.contains",
            "tags",
            "id",
            "null",
            "1e999",
            "NaN",
            "\ufeff",
            "\0",
            "\ud83d",
        ),
        *('"expect": ', '{"regex": "("}', "a", "雨", ";", "\t", "|", " ", "\u2028", "9" * 40),
    ]
)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@given(
    st.sampled_from([".jsonl", ".json", ".csv", ".tsv"]),
    st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=30).map("".join).map(_bytes)),
)
def test_no_content_breaks_the_reader(ending: str, content: bytes) -> None:
    """Whatever a file holds, there are entries or problems with a place, never a traceback."""
    path = Path(f"q{ending}")
    read = read_prompts(path, content)
    assert read.entries or read.problems
    for problem in read.problems:
        assert problem.file == str(path)
        assert problem.line
        assert problem.column


@given(st.lists(PIECES, max_size=12).map("".join))
def test_no_question_breaks_validation(tmp_path_factory: Any, text: str) -> None:
    """Whatever a question holds, an experiment is built or a ConfigError says why not."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "q.jsonl").write_text(json.dumps({"user": text}) + '\n{"id": "x"}', "utf-8")
    (folder / "x.yaml").write_text(MINIMAL + "eval: {prompts: [{path: q.jsonl}]}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        build_experiment(read_document(folder / "x.yaml"))
    assert any("either `user` or `messages`" in one.message for one in caught.value.problems)
