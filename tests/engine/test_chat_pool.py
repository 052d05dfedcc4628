"""ftrun.engine.inference.chat_pool: which processes run, with real ones in little memory."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ftrun.engine.inference.chat_answer import ChatFailed
from ftrun.engine.inference.chat_pool import ChatPool
from ftrun.engine.questions import Question
from support.engine_process import PATIENCE, processes

ONE = [{"role": "user", "content": "?"}]


def nothing() -> int:
    """Return that no memory is available."""
    return 0


async def text(pool: ChatPool, model: str) -> str:
    """Return the answer of a model."""
    return (await pool.ask(model, Question(messages=ONE)).whole()).text


def is_mine(line: str) -> bool:
    """Return whether a line of ps that begins with the parent is about a child of this process."""
    return int(line.split(None, 1)[0]) == os.getpid()


async def end(pool: ChatPool) -> None:
    """End all processes."""
    pool.close()
    await pool.wait_for_end()


def models(pool: ChatPool) -> list[str]:
    """Return the models that have a process, or questions that wait for one."""
    return [chat["model"] for chat in pool.status()]


def test_in_little_memory_models_take_turns(tmp_path: Path) -> None:
    """Where only one model fits, an idle one makes room, and a busy one is waited for, however soon it
    is asked again.
    """
    folder = tmp_path / "no-model"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"no weights")

    async def run() -> None:
        pool = ChatPool(tmp_path / "chat", available=nothing)
        assert (await text(pool, "rehearsal")).startswith("[rehearsal]")
        other = asyncio.create_task(text(pool, str(folder)))
        turns = 0
        async with asyncio.timeout(PATIENCE):
            while not other.done():  # one question after the other, as a program that needs each answer
                assert (await text(pool, "rehearsal")).startswith("[rehearsal]")
                turns += 1
        assert turns <= 3
        with pytest.raises(ChatFailed, match="no-model"):
            await other
        mine = [line.split(None, 1)[1] for line in processes("ppid", "args").splitlines() if is_mine(line)]
        assert sum("chat_worker" in command for command in mine) == 1
        await end(pool)

    asyncio.run(run())


def test_all_who_wait_are_told_when_the_engine_ends(tmp_path: Path) -> None:
    """Also those whose model has no process, as the memory has no room for it."""
    folder = tmp_path / "no-model"
    folder.mkdir()

    async def run() -> None:
        pool = ChatPool(tmp_path / "chat", available=nothing)
        asked = [pool.ask(model, Question(messages=ONE)) for model in ("rehearsal", str(folder))]
        assert [model["answering"] for model in pool.status()] == [0, 0]
        pool.close()
        async with asyncio.timeout(PATIENCE):
            for answer in asked:
                with pytest.raises(ChatFailed, match="stopped") as caught:
                    await answer.whole()
                assert (caught.value.status, caught.value.code) == (503, "engine_stopped")
        await pool.wait_for_end()

    asyncio.run(run())


def test_a_model_that_takes_much_of_the_memory_is_not_warmed(tmp_path: Path) -> None:
    """Neither one that is too large nor one of unknown size is loaded in advance."""

    async def run() -> None:
        pool = ChatPool(tmp_path / "chat", available=nothing)
        assert not pool.warm("rehearsal")
        assert not pool.warm("somebody/something")
        assert models(pool) == []

    asyncio.run(run())


def test_a_warm_model_stays_for_a_training(tmp_path: Path) -> None:
    """While a job trains, a model that was loaded for its evaluation is not idle, unless memory is short;
    afterwards it is.
    """

    async def run() -> None:
        memory = 1 << 40
        pool = ChatPool(tmp_path / "chat", idle_seconds=0, available=lambda: memory)
        assert (await text(pool, "rehearsal")).startswith("[rehearsal]")
        assert pool.warm("rehearsal")
        for _ in range(3):
            pool.end_idle(training=True)
            await asyncio.sleep(0.01)
        assert models(pool) == ["rehearsal"]
        await asyncio.sleep(0.01)
        pool.end_idle(training=False)
        await pool.wait_for_end()
        pool.end_idle(training=False)
        assert models(pool) == []
        assert pool.warm("rehearsal")
        memory = 0
        pool.end_idle(training=True)
        await pool.wait_for_end()
        pool.end_idle(training=True)
        assert models(pool) == []

    asyncio.run(run())
