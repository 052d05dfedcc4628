"""Asking every candidate every question exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftrun.evaluation.answer_files import AnswerCache, read_records, write_records
from ftrun.evaluation.answers import (
    Answered,
    Candidate,
    CandidateReply,
    Record,
    Request,
    cache_key,
    collect,
    unanswered,
)
from ftrun.evaluation.asked.candidates import requests_of
from ftrun.evaluation.asked.nearest_rows import TrainingRows
from ftrun.experiment.model import CandidateSpec
from ftrun.scoring.types import Sample

SAMPLING = {"temperature": 0, "max_tokens": 256, "seed": 42}
CANDIDATES = [Candidate(name="tuned", model="ft:m:1"), Candidate(name="base", model="m")]


def sample(name: str, text: str, **more: Any) -> Sample:
    """Return a sample with the system prompt of all of them."""
    return Sample(id=name, turns=({"role": "user", "content": text},), system="短く。", **more)


ASKED = (sample("a", "猫は好き？"), sample("b", "犬は？", expect={"contains": "犬"}))


def requests(
    asked: Sequence[Sample] = ASKED, candidates: Sequence[Candidate] = CANDIDATES, repeats: int = 1
) -> list[Request]:
    """Return what plain candidates are asked."""
    rows = TrainingRows(())
    return [
        request
        for one in asked
        for who in candidates
        for request in requests_of(
            one,
            CandidateSpec(name=who.name, model="base"),
            who,
            rows=rows,
            sampling=SAMPLING,
            repeats=repeats,
        )
    ]


class Server:
    """Answers with the model's name, counts, and breaks down after `limit` questions."""

    def __init__(self, limit: int = 1000, text: str | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.limit, self.text = limit, text

    def __call__(self, missing: Sequence[Request]) -> Iterator[Answered]:
        """Yield answers that tell who was asked what."""
        for request in missing:
            if len(self.asked) >= self.limit:
                raise ConnectionError("gone")
            model, text = request.candidate.model, request.messages[-1]["content"]
            self.asked.append((model, text))
            reply = CandidateReply(
                text=self.text or f"{model}: {text}", usage={"completion_tokens": 3}, seconds=0.12345
            )
            yield [(request, reply)]


def run(
    folder: Path,
    server: Server,
    asked: Sequence[Sample] = ASKED,
    candidates: Sequence[Candidate] = CANDIDATES,
    repeats: int = 1,
) -> list[Record]:
    """Collect as the evaluate stage does."""
    cache = AnswerCache(folder)
    records = collect(
        asked,
        requests(asked, candidates, repeats),
        server,
        cached=cache.records,
        on_answers=cache.append,
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


def test_a_changed_expectation_or_reference_asks_nothing(tmp_path: Path) -> None:
    """Neither is part of the request, and the lines have the present ones."""
    run(tmp_path, Server())
    changed = (
        sample("a", "猫は好き？", expect={"contains": "犬"}, tags=("cats",)),
        sample("b", "犬は？", reference="はい"),
    )
    server = Server()
    records = run(tmp_path, server, changed)
    assert server.asked == []
    assert [record.expect for record in records] == [{"contains": "犬"}] * 2 + [None] * 2
    assert [record.reference for record in records] == [None, None, "はい", "はい"]
    assert records[0].tags == ("cats",)


def test_repeats_have_seeds_of_their_own_and_are_asked_once(tmp_path: Path) -> None:
    """Several answers to one question are several requests; the first one is that of one answer."""
    first = run(tmp_path, Server())
    server = Server()
    records = run(tmp_path, server, repeats=3)
    assert len(server.asked) == 8
    assert [one.repeat for one in records[:3]] == [0, 1, 2]
    assert [one for one in records if one.repeat == 0] == first
    assert [one.sampling["seed"] for one in requests(repeats=3)[:3]] == [42, 43, 44]
    again = Server()
    assert run(tmp_path, again, repeats=3) == records
    assert again.asked == []


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
    assert len(unanswered(requests(candidates=twins), {})) == 2
    server = Server()
    records = run(tmp_path, server, candidates=twins)
    assert len(server.asked) == 2
    assert {record.candidate for record in records} == {"tuned", "again"}
    assert unanswered(requests(candidates=twins), AnswerCache(tmp_path).records) == ()


def test_sampling_and_origin_are_part_of_what_was_asked() -> None:
    """Another temperature, or a model of the same name on another server, is another question."""
    keys = {
        cache_key(CANDIDATES[0], ASKED[0].messages, SAMPLING),
        cache_key(CANDIDATES[0], ASKED[0].messages, {**SAMPLING, "temperature": 1}),
        cache_key(Candidate(name="x", model="ft:m:1", origin="https://b"), ASKED[0].messages, SAMPLING),
        cache_key(CANDIDATES[1], ASKED[0].messages, SAMPLING),
        cache_key(CANDIDATES[0], ASKED[0].messages, SAMPLING, tools=({"type": "function"},)),
        cache_key(CANDIDATES[0], ASKED[0].messages, {"temperature": 0}, repeat=1),
        cache_key(CANDIDATES[0], ASKED[0].messages, {"temperature": 0}),
    }
    assert len(keys) == 7


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
