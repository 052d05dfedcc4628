"""Many questions at once: places, waits, clients that go away, and processes that are killed meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
import pytest

from conftest import Ftrun
from ftrun.engine.backends import AT_ONCE
from ftrun.engine.inference.chat_pool import MOST_WAITING
from support.engine_process import PATIENCE, PIPELINE, Engine, chat_worker, wait_until

CHAT, WARM = "/v1/chat/completions", "/ftrun/warm"
TOO_MANY = 429
PLACES = AT_ONCE + MOST_WAITING
LONG = "x" * 120_000  # its answer has thirty thousand pieces


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Yield an engine of these tests' own: they count all questions that it has."""
    running = Engine(home=tmp_path_factory.mktemp("queues")).start()
    yield running
    running.end()


def question(text: str = "?", **more: Any) -> dict[str, Any]:
    """Return the body of a question to the rehearsal."""
    return {"model": "rehearsal", "messages": [{"role": "user", "content": text}], **more}


def ask(engine: Engine, text: str = "?") -> str:
    """Return the answer to a question."""
    with engine.client() as client:
        return str(client.chat.completions.create(**question(text)).choices[0].message.content)


def post(
    engine: Engine, body: dict[str, Any], path: str = "/v1/chat/completions"
) -> http.client.HTTPConnection:
    """Send a request on a connection of its own and don't wait for the answer."""
    address = urlsplit(engine.base_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {engine.token}"})
    return connection


def info(engine: Engine) -> dict[str, Any]:
    """Return what the engine says about itself."""
    url = engine.base_url.removesuffix("/v1") + "/ftrun/info"
    headers = {"Authorization": f"Bearer {engine.token}"}
    found: dict[str, Any] = httpx2.get(url, headers=headers, timeout=PATIENCE).json()
    return found


def size(engine: Engine) -> int:
    """Return how many questions have no answer yet."""
    return sum(chat["answering"] + chat["waiting"] for chat in info(engine)["chats"])


@contextlib.contextmanager
def frozen(engine: Engine) -> Iterator[int]:
    """Let the chat process do nothing in the block, as one that takes long; yield its process id."""
    pid = chat_worker(engine)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_a_burst_of_more_than_fits_ends_with_all_answers(engine: Engine) -> None:
    """The SDK asks again after the pause that the engine names; without retries the message names it, too.
    Meanwhile the engine answers everything else.
    """
    for _ in range(10):
        ask(engine)  # so that the engine knows its pace

    async def burst() -> None:
        refused = asyncio.Semaphore(0)

        async def count(answer: httpx2.Response) -> None:
            if answer.status_code == TOO_MANY:
                refused.release()

        client = openai.AsyncOpenAI(
            base_url=engine.base_url,
            api_key=engine.token,
            max_retries=20,
            http_client=openai.DefaultAsyncHttpxClient(event_hooks={"response": [count]}),
        )
        async with client:
            with frozen(engine):
                fitting = [post(engine, question()) for _ in range(PLACES)]
                await asyncio.to_thread(wait_until, lambda: size(engine) == PLACES)
                more = [
                    asyncio.create_task(client.chat.completions.create(**question(f"n{n}"))) for n in range(9)
                ]
                for _ in more:
                    await refused.acquire()
                with pytest.raises(openai.RateLimitError) as caught:
                    await client.with_options(max_retries=0).chat.completions.create(**question())
                assert "rehearsal" in [model.id async for model in client.models.list()]
            answers = await asyncio.gather(*more)
        for n, answer in enumerate(answers):
            assert str(answer.choices[0].message.content).endswith(f"n{n}")
        for connection in fitting:
            assert connection.getresponse().status == 200
            connection.close()
        seconds = int(caught.value.response.headers["retry-after"])
        assert f"ask again in {seconds} s." in caught.value.message
        assert (caught.value.code, caught.value.type) == ("engine_busy", "requests")

    asyncio.run(burst())
    assert not info(engine)["busy"]


def test_how_long_it_will_take_is_said(engine: Engine, ftrun: Ftrun) -> None:
    """Info counts the questions of each model and estimates the time; `serve --show` says it in words."""
    ask(engine)
    with frozen(engine):
        open_ones = [post(engine, question()) for _ in range(AT_ONCE + 3)]
        wait_until(lambda: size(engine) == AT_ONCE + 3)
        (chat,) = info(engine)["chats"]
        assert chat["model"] == "rehearsal" and chat["answering"] >= 1 and chat["seconds"] > 0
        home = str(engine.home)
        shown = ftrun("serve", "--show", "--home", home).stderr
        assert f"rehearsal: {chat['answering']} being answered, {chat['waiting']} waiting" in shown
        assert ftrun.json("serve", "--show", "--home", home)["chats"] == [chat]
    for connection in open_ones:
        assert connection.getresponse().status == 200
        connection.close()
    assert "questions" not in ftrun("serve", "--show", "--home", str(engine.home)).stderr


def test_clients_that_go_away_leave_their_places(engine: Engine) -> None:
    """Whoever closes the connection, waiting or in the middle of a stream, frees its place for others."""
    ask(engine)
    with frozen(engine):
        whole, stream, patient = (post(engine, question(stream=way)) for way in (False, True, False))
        wait_until(lambda: size(engine) == 3)
        whole.close()
        stream.close()
        wait_until(lambda: size(engine) == 1)
    assert patient.getresponse().status == 200
    patient.close()
    begun = post(engine, question(LONG, stream=True, max_tokens=32_000))
    begun.getresponse().read(1)
    with frozen(engine):
        begun.close()
        wait_until(lambda: not info(engine)["busy"])
    assert ask(engine).startswith("[rehearsal]")


def test_an_answer_that_nobody_has_seen_is_asked_again(engine: Engine) -> None:
    """After kill -9 of the process the next one answers all questions that wait."""
    ask(engine)
    with ThreadPoolExecutor(3) as threads, frozen(engine) as pid:
        answers = [threads.submit(ask, engine, f"n{n}") for n in range(3)]
        wait_until(lambda: size(engine) == 3)
        os.kill(pid, signal.SIGKILL)
        for n, answer in enumerate(answers):
            assert answer.result().endswith(f"n{n}")
    assert chat_worker(engine) != pid


def test_a_stream_that_has_begun_ends_with_the_reason(engine: Engine) -> None:
    """After kill -9 in the middle of a stream its last event says that memory may be why, and what helps."""
    ask(engine)

    def last_event_of_a_killed_stream() -> str:
        begun = post(engine, question(LONG, stream=True, max_tokens=32_000))
        answer = begun.getresponse()
        answer.read(1)
        os.kill(chat_worker(engine), signal.SIGKILL)
        *_, last = (line for line in answer.read().decode().splitlines() if line)
        begun.close()
        return last

    told = last_event_of_a_killed_stream()
    while told == "data: [DONE]":  # the answer was faster than the signal
        told = last_event_of_a_killed_stream()
    error = json.loads(told.removeprefix("data: "))["error"]
    assert error["code"] == "chat_process_died"
    assert "SIGKILL" in error["message"] and "smaller base model" in error["message"]
    assert ask(engine).startswith("[rehearsal]")


def test_a_question_is_asked_twice_at_most(own_engine: Callable[..., Engine], tmp_path: Path) -> None:
    """Where each process is killed, a question gets an error after the second, and the engine lives."""
    count, switch = tmp_path / "count", tmp_path / "sitecustomize.py"
    switch.write_text(
        "import os, signal, sys\n"
        "if any('chat_worker' in word for word in sys.orig_argv):\n"
        f"    os.write(os.open({str(count)!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND), b'x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    engine = own_engine(PYTHONPATH=f"{tmp_path}:{PIPELINE}", PYTHONDONTWRITEBYTECODE="1")
    with pytest.raises(openai.InternalServerError, match="memory ran out") as caught:
        ask(engine)
    assert caught.value.code == "chat_process_died"
    assert count.read_bytes() == b"xx"
    switch.unlink()
    assert ask(engine).startswith("[rehearsal]")


def test_a_model_is_loaded_before_the_first_question(own_engine: Callable[..., Engine]) -> None:
    """Warming starts the process at once; an unknown model gets the same error as a question to it."""
    engine = own_engine()
    assert info(engine)["chats"] == []
    warmed = post(engine, {"model": "rehearsal"}, WARM)
    answer = warmed.getresponse()
    assert (answer.status, json.load(answer)) == (202, {"model": "rehearsal", "warmed": True})
    warmed.close()
    pid = chat_worker(engine)
    assert ask(engine).startswith("[rehearsal]") and chat_worker(engine) == pid
    errors = []
    for path, body in (
        ("/ftrun/warm", {"model": "nobody"}),
        ("/v1/chat/completions", question(model="nobody")),
    ):
        refused = post(engine, body, path)
        answer = refused.getresponse()
        errors.append((answer.status, json.load(answer)))
        refused.close()
    assert errors[0] == errors[1] and errors[0][0] == 404


def test_the_engine_ends_while_questions_wait(own_engine: Callable[..., Engine]) -> None:
    """SIGTERM tells all that wait that the engine was stopped, and ends in order."""
    engine = own_engine()
    ask(engine)
    with frozen(engine):
        waiting = [post(engine, question()) for _ in range(5)]
        wait_until(lambda: size(engine) == 5)
        assert engine.end(signal.SIGTERM) == 0
    for connection in waiting:
        answer = connection.getresponse()
        assert (answer.status, json.load(answer)["error"]["code"]) == (503, "engine_stopped")
        connection.close()
