"""Asking every candidate every question exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftrun.evaluation.answers import (
    Asked,
    Candidate,
    CandidateReply,
    Question,
    Record,
    cache_key,
    collect,
    most_common_system,
    questions,
    unanswered,
)
from ftrun.evaluation.cache import AnswerCache, read_records, write_records
from ftrun.experiment.model import EvalPrompt

SAMPLING = {"temperature": 0, "max_tokens": 256, "seed": 42}
CANDIDATES = [Candidate(name="tuned", model="ft:m:1"), Candidate(name="base", model="m")]
ASKED = questions(
    [EvalPrompt(id="a", user="猫は好き？"), EvalPrompt(id="b", user="犬は？", expect={"contains": "犬"})],
    system="短く。",
)


class Server:
    """Answers with the model's name, counts, and breaks down after `limit` questions."""

    def __init__(self, limit: int = 1000, text: str | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.limit, self.text = limit, text

    def __call__(self, missing: Sequence[Asked]) -> Iterator[tuple[Asked, CandidateReply]]:
        """Yield answers that tell who was asked what."""
        for question, candidate in missing:
            if len(self.asked) >= self.limit:
                raise ConnectionError("gone")
            model, text = candidate.model, question.messages[-1]["content"]
            self.asked.append((model, text))
            reply = CandidateReply(
                text=self.text or f"{model}: {text}", usage={"completion_tokens": 3}, seconds=0.12345
            )
            yield (question, candidate), reply


def run(
    folder: Path,
    server: Server,
    asked: Sequence[Question] = ASKED,
    candidates: Sequence[Candidate] = CANDIDATES,
) -> list[Record]:
    """Collect as the evaluate stage does."""
    cache = AnswerCache(folder)
    records = collect(
        asked, candidates, server, sampling=SAMPLING, cached=cache.records, on_answer=cache.append
    )
    write_records(folder, records)
    return records


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    """All answers of a rerun come from the files, and are the same."""
    first = run(tmp_path, Server())
    again = Server()
    assert run(tmp_path, again) == first
    assert again.asked == []


def test_a_crash_loses_no_answer(tmp_path: Path) -> None:
    """What was answered before a breakdown is not asked again."""
    with pytest.raises(ConnectionError):
        run(tmp_path, Server(limit=3))
    rest = Server()
    assert len(run(tmp_path, rest)) == 4
    assert rest.asked == [("m", "犬は？")]


def test_a_torn_line_costs_one_answer(tmp_path: Path) -> None:
    """A line cut by a power failure is asked again; those around it are not, and the next line is whole."""
    run(tmp_path, Server())
    (tmp_path / "answers.jsonl").unlink()
    kept = tmp_path / "answers.cache.jsonl"
    kept.write_bytes(kept.read_bytes()[:-20])
    server = Server()
    run(tmp_path, server)
    assert len(server.asked) == 1
    assert len(read_records(kept)) == 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"answer": 5},
        {"messages": ["猫は？"]},
        {"cache_key": ["a"]},
        {"passed": "yes"},
        {"seconds": float("nan")},
        {"usage": None},
        {"answer": "\ud83d"},
        {"other": 1},
    ],
)
def test_a_line_with_a_wrong_type_is_not_an_answer(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """What a hand or a merge made of a line is left out, and stops nothing later."""
    path = write_records(tmp_path, run(tmp_path, Server()))
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((json.dumps({**json.loads(first), **wrong}).encode() + b"\n", *rest)))
    assert len(read_records(path)) == 3


def test_a_changed_expectation_judges_anew_without_asking(tmp_path: Path) -> None:
    """`expect` is not part of the request."""
    run(tmp_path, Server())
    changed = questions(
        [
            EvalPrompt(id="a", user="猫は好き？", expect={"contains": "犬"}),
            EvalPrompt(id="b", user="犬は？", expect={"contains": "犬"}),
        ],
        system="短く。",
    )
    server = Server()
    records = run(tmp_path, server, changed)
    assert server.asked == []
    assert [record.passed for record in records] == [False, False, True, True]


def test_a_question_taken_out_and_put_back_is_not_asked_again(tmp_path: Path) -> None:
    """answers.jsonl holds the current questions only; the cache remembers the others."""
    run(tmp_path, Server())
    assert len(run(tmp_path, Server(), ASKED[:1])) == 2
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 2
    server = Server()
    run(tmp_path, server)
    assert server.asked == []


def test_what_is_missing_is_known_before_asking(tmp_path: Path) -> None:
    """A plan can say what would be asked; one model under two names is asked once."""
    twins = [CANDIDATES[0], Candidate(name="again", model="ft:m:1")]
    assert len(unanswered(ASKED, twins, SAMPLING, {})) == 2
    server = Server()
    records = run(tmp_path, server, candidates=twins)
    assert len(server.asked) == 2
    assert {record.candidate for record in records} == {"tuned", "again"}
    assert unanswered(ASKED, twins, SAMPLING, AnswerCache(tmp_path).records) == ()


def test_sampling_and_origin_are_part_of_what_was_asked() -> None:
    """Another temperature, or a model of the same name on another server, is another question."""
    keys = {
        cache_key(CANDIDATES[0], ASKED[0].messages, SAMPLING),
        cache_key(CANDIDATES[0], ASKED[0].messages, {**SAMPLING, "temperature": 1}),
        cache_key(Candidate(name="x", model="ft:m:1", origin="https://b"), ASKED[0].messages, SAMPLING),
        cache_key(CANDIDATES[1], ASKED[0].messages, SAMPLING),
    }
    assert len(keys) == 4


def test_the_cache_key_of_version_1_stays_as_it_is() -> None:
    """Kept answers must be found by later versions: never edit this value, raise the version."""
    key = cache_key(CANDIDATES[0], ASKED[0].messages, SAMPLING)
    assert key == "a5f2f6119eb59bc80007a696d06e201dce823c7de8dc9afaa7a6320a8e7613e1"


def test_a_line_of_answers_jsonl_has_the_documented_keys(tmp_path: Path) -> None:
    """Other tools read these lines; Japanese stays readable in them."""
    run(tmp_path, Server())
    line = (tmp_path / "answers.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert "猫は好き" in line
    documented = [
        "prompt_id",
        "candidate",
        "model",
        "messages",
        "answer",
        "expect",
        "passed",
        "usage",
        "seconds",
    ]
    assert list(json.loads(line))[: len(documented)] == documented


def test_half_an_emoji_in_an_answer_is_kept_as_a_replacement(tmp_path: Path) -> None:
    """An answer cut within a surrogate pair is written and read, not a crash."""
    records = run(tmp_path, Server(text="猫\ud83d"))
    assert records[0].answer == "猫\ufffd"
    assert run(tmp_path, Server(limit=0)) == records


def test_the_system_prompt_of_a_question() -> None:
    """A prompt gets the experiment's system prompt, its own, none, or brings its whole messages."""
    turns = ({"role": "user", "content": "一"}, {"role": "assistant", "content": "二"})
    found = questions(
        [
            EvalPrompt(id="default", user="x"),
            EvalPrompt(id="own", user="x", system="別", own_system=True),
            EvalPrompt(id="none", user="x", own_system=True),
            EvalPrompt(id="whole", messages=turns),
        ],
        system="共通",
    )
    assert [[m["content"] for m in one.messages] for one in found] == [
        ["共通", "x"],
        ["別", "x"],
        ["x"],
        ["一", "二"],
    ]


def test_the_most_common_system_message_wins() -> None:
    """Ready chat rows lend their most frequent system message; without any there is none."""
    rows = [{"messages": [{"role": "system", "content": text}]} for text in ("a", "b", "b")]
    assert most_common_system(rows) == "b"
    assert most_common_system([{"messages": [{"role": "user", "content": "x"}]}, {}]) is None
