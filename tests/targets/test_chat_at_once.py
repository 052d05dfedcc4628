"""Several questions at once to one server: a busy one is waited for, and threads don't disturb each other."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator

import httpx2
import pytest

from ftrun.concurrency import concurrently
from ftrun.engine.launch import Endpoint
from ftrun.targets.api import models
from ftrun.targets.errors import ServiceError
from ftrun.targets.local import service_of
from support.engine_process import PATIENCE
from support.scripted_server import Answer, Asked, refusal

from .conftest import Connect

SAID = Answer({"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "はい"}}]})
BUSY = refusal(429, "m has 288 questions to answer", "engine_busy", {"Retry-After": "0.01"})


def test_a_busy_engine_is_waited_for(connect: Connect) -> None:
    """However often it says that its queue is full, a question is asked again after the pause it names."""
    answers = itertools.chain([BUSY] * 8, itertools.repeat(SAID))
    server, service = connect(lambda asked: next(answers))
    assert service.chat("m", [], {}).text == "はい"
    assert len(server.asked) == 9


def test_the_wait_for_a_busy_engine_has_an_end(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the error has what the engine said."""
    monkeypatch.setattr(models, "BUSY_SECONDS", 0.0)
    _, service = connect(lambda asked: BUSY)
    with pytest.raises(ServiceError, match="288 questions") as caught:
        service.chat("m", [], {})
    assert caught.value.code == "rate_limited"


def test_another_limit_is_not_waited_for(connect: Connect) -> None:
    """A 429 of a server that sells answers is the SDK's to retry, as ever."""
    server, service = connect(lambda asked: refusal(429, "slow down", None, {"Retry-After": "0.01"}))
    with pytest.raises(ServiceError):
        service.chat("m", [], {})
    assert len(server.asked) == 1


def test_a_parameter_that_two_threads_hear_is_refused_is_left_out_for_both(connect: Connect) -> None:
    """The second refusal does not end the run: that question was sent before the first was answered."""
    both = threading.Barrier(2)

    def script(asked: Asked) -> Answer:
        if "seed" not in asked.body:
            return SAID
        both.wait(PATIENCE)
        return refusal(400, "The parameter seed is not supported")

    _, service = connect(script)
    replies = concurrently(
        lambda _: service.chat("m", [], {"seed": 1}), range(2), at_once=2, what="answers: {}".format, of=2
    )
    assert [said.text for _, said in replies] == ["はい", "はい"]
    assert service.changes == {"m": {"seed": None}}


def test_closing_ends_the_questions_under_way(connect: Connect) -> None:
    """A thread that waits for an answer learns that nobody wants it, and so does the server."""
    asked, over = threading.Event(), threading.Event()

    def script(_: Asked) -> Answer:
        asked.set()
        over.wait(PATIENCE)
        return SAID

    _, service = connect(script)
    failed: list[ServiceError] = []

    def ask() -> None:
        try:
            service.chat("m", [], {})
        except ServiceError as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert asked.wait(PATIENCE)
    service.close()
    thread.join(PATIENCE)
    over.set()
    assert [error.code for error in failed] == ["unreachable"]


def test_an_engine_says_how_long_its_queue_is(connect: Connect) -> None:
    """It is that of the model that takes longest, as far as the engine knows."""
    chats = [{"model": "a", "seconds": None}, {"model": "b", "seconds": 40.5}, {"model": "c", "seconds": 2.0}]
    answers = iter([Answer({"chats": chats}), Answer({"chats": chats[:1]}), refusal(500)])
    server, _ = connect(lambda asked: next(answers))
    endpoint = Endpoint(base_url=server.base_url, token="t" * 32, store="s", pid=1, at_once=32)
    service = service_of(endpoint)
    assert [service.busy_seconds() for _ in range(3)] == [40.5, None, None]
    service.close()


@pytest.mark.parametrize(("said", "at_once"), [(32, 32), (None, 1)])
def test_an_engine_says_how_many_questions_it_takes(said: int | None, at_once: int) -> None:
    """An older one, which says nothing, is asked one after the other, as are all other servers."""
    endpoint = Endpoint(base_url="http://127.0.0.1:1/v1", token="t" * 32, store="s", pid=1, at_once=said)
    service = service_of(endpoint)
    assert service.at_once == at_once
    service.close()


def test_a_question_whose_answer_trickles_is_cut_alone(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When its time is over the answers to others, which are on their way and paid for, come all the same."""
    monkeypatch.setattr(models, "CHAT_TIMEOUT", httpx2.Timeout(1.0))

    def trickle() -> Iterator[bytes]:
        for _ in range(40):
            yield b" "
            time.sleep(0.1)

    def script(asked: Asked) -> Answer:
        if asked.body["messages"][0]["content"] == "trickle":
            return Answer(trickle())
        time.sleep(0.8)
        return SAID

    def ask(what: str) -> str:
        time.sleep(0.5 if what == "late" else 0)
        try:
            return service.chat("m", [{"role": "user", "content": what}], {}, once=True).text
        except ServiceError as error:
            return error.code or ""

    server, service = connect(script)
    replies = dict(concurrently(ask, ["trickle", "late"], at_once=2, what="answers: {}".format, of=2))
    assert replies == {"trickle": "unreachable", "late": "はい"}
    assert len(server.asked) == 2
