"""The pass over large data: in portions, by several processes, always with the same result."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftrun import data
from ftrun.data.diagnostics.findings import MOST_PROBLEMS, Findings
from ftrun.data.pipeline import gathering, row_work, workers
from ftrun.data.pipeline.gathered import Spool
from ftrun.data.quality import checks
from ftrun.data.readers.selection import Choice
from ftrun.data.readers.sources import usable_files
from ftrun.data.split.duplicates import leaked, repeated
from ftrun.errors import DataError, FtrunError
from ftrun.experiment.model import Experiment, Prompt, Split
from ftrun.protocol.faults import Fault

MANY = 2000 if os.environ.get("FTRUN_TEST_ALL") else 60


def outcome(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Return all that preparing and checking give: files, or problems, and the check's document."""
    found: dict[str, Any] = {"check": data.examine(experiment).as_dict()}
    try:
        data.prepare(experiment, folder)
    except DataError as error:
        found["problems"] = [(str(one), one.code, one.column, one.hint) for one in error.problems]
    else:
        found |= {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    return found


@pytest.fixture
def divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every file be read in portions of a few records."""
    monkeypatch.setattr(gathering, "SIZE", 80)


@pytest.fixture
def together(divided: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three processes do the work from the first row on."""
    monkeypatch.setattr(workers, "ALONE", 0)
    monkeypatch.setattr(workers, "worker_count", lambda: 3)


LINES = [
    '{"messages": [{"role": "user", "content": "質問"}, {"role": "assistant", "content": "答え"}]}',
    '{"messages":[{"role":"user","content":"a \\"quoted\\": x"},{"content":"\\\\","role":"assistant"}]}\r',
    '{"messages": [{"role": "user", "content": "a", "content": "b"}]}',
    '{"messages": [{"role": "user", "content": "\\ud800"}]}',
    '{"messages": [{"role": "user", "content": ""}], "id": 7}',
    '{"messages": NaN}',
    '{"q": 123456789012345678901234567890, "a": 1.0}',
    '{"q": "x", "a": "y"} {}',
    "[1]",
    "\u3000",
    "",
    "nonsense",
    "\r",
    "a\rb",
    "\0",
    "\x1b$B",
    "\ufeff",
    "\udcff",
]


CELLS = [
    "a",
    "日本",
    "",
    '"a,b"',
    '"a\nb"',
    '"say ""x"""',
    '"',
    'x"y',
    '"z"w',
    "a\r\nb",
    "\r",
    " ",
    "\0",
    "\udcff",
]


@settings(max_examples=MANY)
@given(st.lists(st.sampled_from(LINES), max_size=12), st.booleans())
def test_chat_files_in_portions(make: Any, lines: list[str], ends: bool) -> None:
    """A JSONL file gives the same read in portions and as a whole, whatever is wrong with it."""
    text = "\n".join([LINES[0], *lines]) + "\n" * ends
    same_read_as_a_whole(make({"a.jsonl": text.encode("utf-8", "surrogateescape")}))


@settings(max_examples=MANY)
@given(st.lists(st.tuples(st.sampled_from(CELLS), st.sampled_from(CELLS)), max_size=12), st.booleans())
def test_tables_in_portions(make: Any, columns: Prompt, cells: list[tuple[str, str]], ends: bool) -> None:
    """A CSV gives the same read in portions and as a whole, wherever its quotes and line breaks are."""
    text = "\n".join(["q,a", *map(",".join, cells)]) + "\n" * ends
    experiment = make({"a.csv": text.encode("utf-8", "surrogateescape")}, prompt=columns)
    same_read_as_a_whole(experiment)


def same_read_as_a_whole(experiment: Experiment) -> None:
    """Compare the outcome with that of reading single records, and of rows made where the file is read."""
    whole = examined(experiment)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "SIZE", 0)
        assert examined(experiment) == whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Choice, "chooses", True)
        assert examined(experiment) == whole


def examined(experiment: Experiment) -> Any:
    """Return the check's document and every example with its place."""
    with Spool(experiment.project) as spool:
        gathered = gathering.gather(experiment, usable_files(experiment, Findings()), spool, Findings())
        gathered.find_duplicates(drop=True)
        examples = list(zip(spool.lines(), map(gathered.place_of, range(len(gathered))), strict=True))
    return data.examine(experiment).as_dict(), examples


def good_and_bad(chats: Any) -> dict[str, str | bytes]:
    """Return files with duplicates, ignored keys, wrong rows and every way of reading."""
    rows = chats(range(200)).splitlines()
    odd = [row[:-1] + ', "id": 1}' if number % 7 == 0 else row for number, row in enumerate(rows)]
    return {
        "a.jsonl": "\n".join(odd),
        "b.json": json.dumps([json.loads(row) for row in rows[50:90]]),
        "c.jsonl": ("\ufeff" + chats(range(300, 350))).encode(),
        "d.jsonl": chats(range(400, 450)).encode("utf-16"),
    }


def test_many_processes_give_what_one_gives(
    make: Any, chats: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any
) -> None:
    """Files, places, warnings, errors and counts are the same bytes whoever did the work."""
    good = make(good_and_bad(chats), split=Split(validation=0.1, test=7))
    wrong = {"e.jsonl": chats(range(20)) + '{"messages": []}\n{"a":\n' + chats(range(5)) + "{}\n"}
    bad = make({**good_and_bad(chats), **wrong})
    alone = [outcome(one, tmp_path / "alone") for one in (good, bad)]
    request.getfixturevalue("together")
    assert [outcome(one, tmp_path / "together") for one in (good, bad)] == alone
    assert alone[0]["check"]["warnings"]
    assert [code for _, code, _, _ in alone[1]["problems"]] == [
        "empty_messages",
        "json_syntax",
        "no_templates",
    ]


def test_templates_are_rendered_by_the_processes(
    make: Any, columns: Prompt, tmp_path: Path, together: None
) -> None:
    """Worker processes render, and an error in a template names it and the first row."""
    rows = "".join(f'"question {n}\nin two lines",answer {n}\n' for n in range(100))
    data.prepare(make({"a.csv": "q,a\n" + rows}, prompt=columns), tmp_path / "out")
    first = json.loads((tmp_path / "out/train.jsonl").read_text("utf-8").splitlines()[0])
    assert first["messages"][0] == {"role": "user", "content": "question 0\nin two lines"}
    (error,) = data.examine(make({"a.csv": "b,a\n" + rows}, prompt=columns)).errors
    assert (error.code, "(in 100 rows)" in error.message) == ("template_variable", True)
    assert (Path(str(error.file)).name, error.line) == ("a.csv", 2)


def test_a_wrong_byte_far_from_the_beginning(make: Any, chats: Any, tmp_path: Path) -> None:
    """What is no UTF-8 beyond the first look has its exact line, and so has what follows a stray quote."""
    good = chats(range(4000)).encode()
    assert len(good) > 1 << 18
    experiment = make({"a.jsonl": good + b'{"messages": "\x83\x65"}\n'})
    assert [(one.code, one.line) for one in data.examine(experiment).errors] == [("encoding", 4001)]
    rows = "".join(f'"question {n}",answer {n}\n' for n in range(20_000))
    prompt = Prompt(user=experiment.prompt.user)
    table = make({"a.csv": "q,a\n" + rows + 'x"y,2\n"open,3\n'}, paths=["a.csv"], prompt=prompt)
    assert ("csv_quotes", 20_003) in [(one.code, one.line) for one in data.examine(table).errors]


def test_a_killed_process_is_an_error_and_none_is_left(
    make: Any, chats: Any, tmp_path: Path, together: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a worker process dies the run ends with an error, without waiting and without orphans."""
    started: list[int] = []
    active = multiprocessing.active_children

    def killed() -> Any:
        processes = active()
        started.extend(int(process.pid or 0) for process in processes)
        if started:
            os.kill(started[1], signal.SIGKILL)
        return processes

    monkeypatch.setattr(multiprocessing, "active_children", killed)
    with pytest.raises(FtrunError) as caught:
        data.prepare(make({"a.jsonl": chats(range(300))}), tmp_path / "out")
    assert caught.value.code == "worker_ended"
    assert len(started) == 3
    for pid in started:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_few_rows_start_no_process(make: Any, chats: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small experiment is worked on here alone."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a process was started")

    monkeypatch.setattr(workers, "WorkerPool", refuse)
    assert not data.examine(make({"a.jsonl": chats(range(3000))})).errors


def _letters(examples: Any) -> Any:
    for index, (example, *_) in enumerate(examples):
        if "質問7" in example["messages"][0]["content"]:
            said = f"seven: {example['messages'][0]['content']}"
            yield index, Fault("content_type", said, "messages[0].content")


class _Lengths:
    """A check that tells of the longest example."""

    size = 2
    begins_early = False

    def facts(self, examples: Any) -> bytes:
        first = (one.example["messages"][0]["content"] for one in examples)
        return b"".join(len(text).to_bytes(self.size) for text in first)

    def judge(self, facts: memoryview, corpus: Any) -> Any:
        lengths = [int.from_bytes(facts[at : at + self.size]) for at in range(0, len(facts), self.size)]
        longest = lengths.index(max(lengths))
        (example,) = corpus.examples([longest])
        text = example["messages"][0]["content"]
        assert len(lengths) == len(corpus.parts)
        yield [longest], Fault("empty_content", f"longest: {text} {Path(corpus.place(longest)[0]).name}")
        yield [], Fault("few_examples", "all of it")


def test_content_checks_plug_in(
    make: Any, chats: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checks of one example and of all are told with places, whether just read, kept or counted anew."""
    for module in (row_work, checks):
        monkeypatch.setattr(module, "row_checks", lambda _: (_letters,))
    for name in ("row_work", "gathering", "corpus_checks"):
        monkeypatch.setattr(f"ftrun.data.pipeline.{name}.corpus_checks", lambda _: (_Lengths(),))
    experiment = make({"a.jsonl": chats([*range(60), 3, 1234])}, split=Split(test=5))
    data.prepare(experiment, tmp_path / "out")
    kept = data.check(experiment, tmp_path / "out").as_dict()
    (tmp_path / "out/tally.json").unlink()
    assert kept == data.check(experiment, tmp_path / "out").as_dict() == data.examine(experiment).as_dict()
    assert [(error["message"], error["line"]) for error in kept["errors"]] == [
        ("messages[0].content: seven: 質問7", 8),
        ("longest: 質問1234 a.jsonl", 62),
    ]
    assert kept["warnings"][0]["message"] == "all of it"


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.integers(0, 2)), max_size=60))
def test_repeats_are_those_of_a_set(pairs: list[tuple[bytes, int]]) -> None:
    """Repeats within a role, and leaks into earlier ones, are found as a table of all digests would."""
    digests = b"".join(byte * 16 for byte, _ in pairs)
    roles = bytes(role for _, role in pairs)
    assert list(repeated(digests, roles)) == [pair in pairs[:index] for index, pair in enumerate(pairs)]
    first = {byte: min(role for other, role in pairs if other == byte) for byte, _ in pairs}
    expected = [(index, first[byte]) for index, (byte, role) in enumerate(pairs) if role > first[byte]]
    assert leaked(digests, roles) == expected


def test_findings_merge_as_if_found_in_one_place() -> None:
    """Problems found in parts are counted together, each code up to its bound, in order."""
    whole, merged = Findings(), Findings()
    for part in range(3):
        found = Findings()
        for number in range(MOST_PROBLEMS // 2):
            for one in (whole, found):
                one.add("json_syntax", "broken", file="a", line=part * 1000 + number)
                one.add("ignored_key", "the key", file="a", line=part * 1000 + number, once=True)
        merged.merge(found.drain())
        assert not found.errors
    for one in (whole, merged):
        assert len(one.errors) == MOST_PROBLEMS + 1
        assert one.errors[-1].message == "and 500 more problems of this kind"
        assert [warning.message for warning in one.warnings] == ["the key (in 1500 rows)"]
