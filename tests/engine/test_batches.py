"""Batches: files of requests in, files of answers out, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import openai
import pytest
from openai.types import Batch

from ftrun.engine.store import Store
from support.engine_process import Engine, chat_worker, wait_until

ENDED = ("completed", "failed", "expired", "cancelled")
CHAT: Literal["/v1/chat/completions"] = "/v1/chat/completions"
LONG = "長い" * 2000  # its answer takes a while


def line(number: int, text: str = "やあ", **more: Any) -> dict[str, Any]:
    """Return a request to the rehearsal."""
    body = {"model": "rehearsal", "messages": [{"role": "user", "content": f"{text}{number}"}], **more}
    return {"custom_id": f"問{number}", "method": "POST", "url": CHAT, "body": body}


def upload(client: openai.OpenAI, lines: Iterable[Mapping[str, Any] | str]) -> str:
    """Upload the input of a batch and return its id."""
    text = "\n".join(one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in lines)
    return client.files.create(file=("in.jsonl", text.encode()), purpose="batch").id


def begin(client: openai.OpenAI, lines: Iterable[Mapping[str, Any] | str], **more: Any) -> Batch:
    """Create a batch of these lines."""
    return client.batches.create(
        input_file_id=upload(client, lines), endpoint=CHAT, completion_window="24h", **more
    )


def end(client: openai.OpenAI, batch: Batch) -> Batch:
    """Wait until a batch has ended and return it."""
    wait_until(lambda: client.batches.retrieve(batch.id).status in ENDED)
    return client.batches.retrieve(batch.id)


def lines_of(client: openai.OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """Return the lines of a file that a batch made."""
    assert file_id is not None
    assert client.files.retrieve(file_id).purpose == "batch_output"
    return [json.loads(one) for one in client.files.content(file_id).text.splitlines()]


def counts(batch: Batch) -> tuple[int, int, int]:
    """Return how many requests there are, how many were answered, and how many have failed."""
    assert batch.request_counts is not None
    found = batch.request_counts
    return found.total, found.completed, found.failed


def kept(home: Path, batch: Batch) -> list[str]:
    """Return the answers in the store, each a line of the output."""
    store = Store(home)
    rows = store.database.rows("SELECT answer FROM batch_answers WHERE batch_id = ?", batch.id)
    store.close()
    return [row["answer"] for row in rows]


def test_answers_and_refusals_are_in_files_of_their_own(client: openai.OpenAI) -> None:
    """Each request has its line by custom_id, in the order of the input; all of it as the API writes it."""
    refused = [line(90, temperature=9), line(91, stream=True), line(92, messages=[])]
    lines: list[Any] = [*(line(number) for number in range(40)), "", *refused]
    made = begin(
        client, lines, metadata={"a": "b"}, output_expires_after={"anchor": "created_at", "seconds": 3600}
    )
    assert made.status == "validating" and made.metadata == {"a": "b"}
    batch = end(client, made)
    assert batch.status == "completed" and counts(batch) == (43, 40, 3), batch.errors
    assert batch.model == "rehearsal" and batch.usage is not None and batch.usage.output_tokens > 40
    output = lines_of(client, batch.output_file_id)
    assert [one["custom_id"] for one in output] == [f"問{number}" for number in range(40)]
    for number, one in enumerate(output):
        assert one["error"] is None and one["response"]["status_code"] == 200
        assert one["response"]["body"]["choices"][0]["message"]["content"].endswith(f"やあ{number}")
    errors = lines_of(client, batch.error_file_id)
    assert [one["custom_id"] for one in errors] == ["問90", "問91", "問92"]
    assert [one["response"]["status_code"] for one in errors] == [400] * 3
    told = [one["response"]["body"]["error"]["param"] for one in errors]
    assert told == ["temperature", "stream", "messages"]
    assert batch.output_file_id is not None
    assert client.files.retrieve(batch.output_file_id).expires_at is not None
    assert batch.id in [one.id for one in client.batches.list(limit=2).data]


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("/v1/completions", {"prompt": "やあ"}),
        ("/v1/responses", {"input": "やあ", "store": False}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "やあ"}], "n": 3}),
    ],
)
def test_each_endpoint_has_batches(
    client: openai.OpenAI, endpoint: Literal["/v1/completions", "/v1/responses"], body: dict[str, Any]
) -> None:
    """A line is answered as a request to its endpoint is, and its tokens are counted."""
    lines = [
        {"custom_id": str(number), "method": "POST", "url": endpoint, "body": {"model": "rehearsal", **more}}
        for number, more in enumerate([body, body | {"stream": True}])
    ]
    file = upload(client, lines)
    made = client.batches.create(input_file_id=file, endpoint=endpoint, completion_window="24h")
    batch = end(client, made)
    assert counts(batch) == (2, 1, 1)
    (answer,) = lines_of(client, batch.output_file_id)
    assert "やあ" in json.dumps(answer["response"]["body"], ensure_ascii=False)
    assert batch.usage is not None and batch.usage.input_tokens > 0 and batch.usage.output_tokens > 0
    (refused,) = lines_of(client, batch.error_file_id)
    assert refused["response"]["body"]["error"]["param"] == "stream"


def test_a_file_that_cannot_be_used_fails_with_its_lines(client: openai.OpenAI) -> None:
    """What is wrong is said by line, and nothing of the file is asked."""
    other = line(5)
    other["body"]["model"] = "smollm2-135m-instruct"
    lines: list[Any] = [
        line(0),
        line(0),
        "{",
        '"text"',
        {**line(3), "method": "GET"},
        {**line(4), "url": "/v1/completions"},
        other,
        {**line(6), "body": None},
        {**line(7), "more": 1},
        {**line(8), "custom_id": ""},
    ]
    batch = end(client, begin(client, lines))
    assert batch.status == "failed" and batch.output_file_id is None
    assert batch.errors is not None and batch.errors.data is not None
    assert [(one.line, one.code) for one in batch.errors.data] == [
        (2, "duplicate_custom_id"),
        (3, "invalid_json_line"),
        (4, "invalid_json_line"),
        (5, "invalid_method"),
        (6, "invalid_url"),
        (7, "mismatched_model"),
        (8, "missing_required_parameter"),
        (9, "unknown_parameter"),
        (10, "invalid_value"),
    ]
    for content, code in (([" "], "empty_file"), ([line(0) | {"body": {"model": "gpt"}}], "model_not_found")):
        batch = end(client, begin(client, content))
        assert batch.errors is not None and batch.errors.data is not None
        assert [one.code for one in batch.errors.data] == [code]


def test_what_cannot_be_a_batch_is_refused(client: openai.OpenAI) -> None:
    """Another endpoint, window or file is refused by name, and so is a cancel that comes too late."""
    file = upload(client, [line(1)])
    good: dict[str, Any] = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
    wrong = {"endpoint": "/v1/images/edits", "completion_window": "1h", "input_file_id": "file-none"}
    for param, value in wrong.items():
        with pytest.raises(openai.BadRequestError) as caught:
            client.batches.create(**{**good, param: value})
        assert caught.value.param == param
    training = client.files.create(file=("a.jsonl", b"{}"), purpose="fine-tune").id
    with pytest.raises(openai.BadRequestError, match="must be 'batch'"):
        client.batches.create(**{**good, "input_file_id": training})
    batch = client.batches.create(**good, extra_headers={"Idempotency-Key": file})
    assert client.batches.create(**good, extra_headers={"Idempotency-Key": file}).id == batch.id
    end(client, batch)
    with pytest.raises(openai.BadRequestError, match="already completed"):
        client.batches.cancel(batch.id)
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch-none")


def test_a_cancelled_batch_keeps_what_was_answered(own_engine: Callable[..., Engine]) -> None:
    """Others are answered beside a batch; cancelled, it has its answers, and the next one has its turn."""
    with own_engine().client() as client:
        batch = begin(client, [line(0), *(line(number, LONG) for number in range(1, 80))])
        after = begin(client, [line(1)])
        wait_until(lambda: counts(client.batches.retrieve(batch.id))[1] > 0)
        with pytest.raises(openai.BadRequestError, match="still needs the file"):
            client.files.delete(batch.input_file_id)
        asked = time.monotonic()
        client.chat.completions.create(model="rehearsal", messages=[{"role": "user", "content": "やあ"}])
        assert time.monotonic() - asked < 5
        assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
        ended = end(client, batch)
        assert client.batches.cancel(batch.id).status == "cancelled"
        total, completed, failed = counts(ended)
        assert ended.status == "cancelled" and 0 < completed < total == completed + failed == 80
        assert len(lines_of(client, ended.output_file_id)) == completed
        assert {one["error"]["code"] for one in lines_of(client, ended.error_file_id)} == {"batch_cancelled"}
        assert counts(end(client, after)) == (1, 1, 0)
        client.files.delete(batch.input_file_id)


def test_a_killed_engine_goes_on_with_its_batches(own_engine: Callable[..., Engine]) -> None:
    """After kill -9 what was answered stays, the rest is asked, and no request has two answers."""
    first = own_engine()
    with first.client() as client:
        batch = begin(client, [line(number, LONG) for number in range(80)])
        waiting = begin(client, [line(1)])
        wait_until(lambda: counts(client.batches.retrieve(batch.id))[1] > 10)
    first.end(signal.SIGKILL)
    before = kept(first.home, batch)
    with own_engine().client() as client:
        ended = end(client, batch)
        assert (ended.status, counts(ended)) == ("completed", (80, 80, 0))
        assert ended.output_file_id is not None
        output = client.files.content(ended.output_file_id).text.splitlines()
        assert 10 < len(before) < 80 and set(before) < set(output)
        assert [json.loads(one)["custom_id"] for one in output] == [f"問{number}" for number in range(80)]
        assert counts(end(client, waiting)) == (1, 1, 0)
    assert not kept(first.home, batch)


def test_a_batch_whose_time_is_over_names_what_was_not_asked(own_engine: Callable[..., Engine]) -> None:
    """After its window, also while no engine ran, a batch is expired, with the answers that it has."""
    first = own_engine()
    with first.client() as client:
        batch = begin(client, [line(0), *(line(number, LONG) for number in range(1, 60))])
        wait_until(lambda: counts(client.batches.retrieve(batch.id))[1] > 0)
    first.end(signal.SIGKILL)
    store = Store(first.home)
    store.database.write("UPDATE batches SET expires_at = ?", int(time.time()) - 1)
    store.database.write("UPDATE files SET expires_at = ?", int(time.time()) - 1)
    store.close()
    with own_engine().client() as client:
        ended = end(client, batch)
        assert ended.status == "expired" and ended.expired_at is not None
        total, completed, failed = counts(ended)
        assert 0 < completed < total == completed + failed == 60
        assert {one["error"]["code"] for one in lines_of(client, ended.error_file_id)} == {"batch_expired"}


def test_a_killed_chat_process_loses_no_request_of_a_batch(own_engine: Callable[..., Engine]) -> None:
    """However often the process that answers dies, each request gets its answer from the next one."""
    engine = own_engine()
    with engine.client() as client:
        batch = begin(client, [line(number, LONG) for number in range(60)])
        for least in (0, 5, 10):
            wait_until(lambda least=least: counts(client.batches.retrieve(batch.id))[1] > least)  # type: ignore[misc]
            os.kill(chat_worker(engine), signal.SIGKILL)
        assert counts(end(client, batch)) == (60, 60, 0)


def test_a_process_that_never_answers_ends_the_batch(own_engine: Callable[..., Engine]) -> None:
    """Where no process can be started, each request fails with the reason, most without a try of its own."""
    engine = own_engine()
    (engine.home / "chat" / "chat.log").mkdir(parents=True)
    with engine.client() as client:
        batch = end(client, begin(client, [line(number) for number in range(30)]))
        assert (batch.status, counts(batch)) == ("completed", (30, 0, 30))
        errors = [one["response"]["body"]["error"] for one in lines_of(client, batch.error_file_id)]
        assert {error["code"] for error in errors} == {"chat_process_died"}
        (engine.home / "chat" / "chat.log").rmdir()
        assert counts(end(client, begin(client, [line(1)]))) == (1, 1, 0)
