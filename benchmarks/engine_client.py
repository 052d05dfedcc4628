"""Our side of benchmarks/answering.py: a real engine process, asked through the openai SDK."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
from openai.types.chat import ChatCompletionMessageParam

MODEL = "smollm2-135m-instruct"
NEW, SHORT = 64, 16  # new tokens of a story, and of an answer in an evaluation
NOUNS = (
    "lighthouse clock train letter brother village star market river radio mountain library winter harbour "
    "garden violin desert ship bridge baker painter wolf school storm house queen map candle forest teacher "
    "bicycle island"
)
THINGS = [f"the {noun}" for noun in NOUNS.split()]
EXAMPLE = "Question: what is said about {0}? Answer: that {0} was seen by {1} on a long and quiet day. "
SENTENCE = "Once there was {0}, and everybody in the town knew {1}, although nobody had ever told why. "

Messages = list[ChatCompletionMessageParam]
Ask = Callable[[openai.AsyncOpenAI], Coroutine[Any, Any, list[float]]]


def stories(count: int = 32) -> list[Messages]:
    """Return different short prompts that ask for long answers, 32 at most."""
    return [[{"role": "user", "content": f"Write a long story about {thing}."}] for thing in THINGS[:count]]


def examination(turn: int, *, shared: bool) -> list[Messages]:
    """Return 32 questions after some 500 tokens of examples: the same for all, or others for each."""
    asked: list[Messages] = []
    for number, thing in enumerate(THINGS):
        own = 0 if shared else number
        words = (THINGS[(index + own) % len(THINGS)] for index in range(19))
        # the first words differ from those of other rounds: nothing may be left in memory
        text = f"{turn} {own} {shared}. " + "".join(EXAMPLE.format(word, word.split()[-1]) for word in words)
        asked.append([{"role": "system", "content": text}, {"role": "user", "content": f"And {thing}?"}])
    return asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An answer: how many tokens, and the milliseconds until the first piece of its stream."""

    tokens: int
    first: float = 0.0


class Engine:
    """An engine process with a loaded model and, if asked for, one that it has tuned."""

    def __init__(self, source: Path, home: Path, *, tune: bool) -> None:
        """Start the engine of the checkout `source` with a store in `home`."""
        environment = {**os.environ, "PYTHONPATH": str(source / "pipeline"), "FTRUN_HOME": str(home)}
        command = [sys.executable, "-m", "ftrun", "serve", "--json"]
        self._process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("}\n"):
            raise SystemExit(f"the engine of {source} did not start: {line}")
        note = json.loads(line)
        self._connection = {"base_url": note["base_url"], "api_key": note["token"]}
        self._tuned = self._tune() if tune else MODEL
        for model in (MODEL, self._tuned):
            self._run(lambda client, model=model: together(client, [model], stories(1)))  # type: ignore[misc]

    def stop(self) -> None:
        """End the engine."""
        self._process.terminate()
        self._process.wait()

    def worker(self) -> int | None:
        """Return the id of the process that answers."""
        for children in Path(f"/proc/{self._process.pid}/task").glob("*/children"):
            for child in children.read_text(encoding="utf-8").split():
                with contextlib.suppress(OSError):
                    if b"chat_worker" in Path(f"/proc/{child}/cmdline").read_bytes():
                        return int(child)
        return None

    def do(self, task: str, turn: int) -> list[float]:
        """Do a task of benchmarks/answering.py and return its values."""
        both = [MODEL, self._tuned]
        tasks: dict[str, Ask] = {
            "one": lambda client: in_turn(client, MODEL, stories()[turn : turn + 3]),
            "eight": lambda client: together(client, [MODEL], stories(8)),
            "many": lambda client: together(client, [MODEL], stories()),
            "streams": lambda client: together(client, [MODEL], stories(), ask=stream),
            "tuned one": lambda client: in_turn(client, self._tuned, stories()[turn : turn + 3]),
            "tuned many": lambda client: together(client, [self._tuned], stories()),
            "mixed": lambda client: together(client, both, stories()),
            "shared": lambda client: seconds_of(client, examination(turn, shared=True)),
            "apart": lambda client: seconds_of(client, examination(turn, shared=False)),
            "first": lambda client: first_pieces(client, others=0),
            "first of 32": lambda client: first_pieces(client, others=31),
        }
        return self._run(tasks[task])

    def _run(self, ask: Ask) -> list[float]:
        async def connected() -> list[float]:
            async with openai.AsyncOpenAI(**self._connection, max_retries=0, timeout=900) as client:
                return await ask(client)

        return asyncio.run(connected())

    def _tune(self) -> str:
        """Train on ten long answers, so that the tuned model gives long ones too; return its name."""
        client = openai.OpenAI(**self._connection)
        answers = ["".join(SENTENCE.format(thing, THINGS[n + 3]) for n in range(5)) for thing in THINGS]
        rows = (
            {"messages": [*question, {"role": "assistant", "content": answer}]}
            for question, answer in zip(stories(10), answers, strict=False)
        )
        content = "".join(json.dumps(row) + "\n" for row in rows).encode()
        file = client.files.create(file=("train.jsonl", content), purpose="fine-tune")
        job = client.fine_tuning.jobs.create(
            model=MODEL,
            training_file=file.id,
            method={"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}},
        )
        while job.status not in ("succeeded", "failed", "cancelled"):
            time.sleep(0.5)
            job = client.fine_tuning.jobs.retrieve(job.id)
        if job.fine_tuned_model is None:
            raise SystemExit(f"the job ended as {job.status}: {job.error}")
        return job.fine_tuned_model


async def whole(client: openai.AsyncOpenAI, model: str, messages: Messages, new: int = NEW) -> Asked:
    """Ask for an answer in one piece."""
    done = await client.chat.completions.create(model=model, messages=messages, max_tokens=new, temperature=0)
    assert done.usage is not None
    return Asked(tokens=done.usage.completion_tokens)


async def stream(
    client: openai.AsyncOpenAI,
    model: str,
    messages: Messages,
    new: int = NEW,
    began: asyncio.Semaphore | None = None,
) -> Asked:
    """Ask for a streamed answer; release `began` when its first piece is there."""
    start, first, tokens = time.perf_counter(), 0.0, 0
    chunks = await client.chat.completions.create(
        model=model,
        messages=messages,
        max_tokens=new,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in chunks:
        if not first and chunk.choices and chunk.choices[0].delta.content:
            first = 1000 * (time.perf_counter() - start)
            if began is not None:
                began.release()
        if chunk.usage is not None:
            tokens = chunk.usage.completion_tokens
    return Asked(tokens=tokens, first=first)


async def in_turn(client: openai.AsyncOpenAI, model: str, asked: Sequence[Messages]) -> list[float]:
    """Ask one question after the other; return tokens per second."""
    start = time.perf_counter()
    tokens = sum([(await whole(client, model, messages)).tokens for messages in asked])
    return [tokens / (time.perf_counter() - start)]


async def together(
    client: openai.AsyncOpenAI,
    models: Sequence[str],
    asked: Sequence[Messages],
    ask: Callable[[openai.AsyncOpenAI, str, Messages], Coroutine[Any, Any, Asked]] = whole,
) -> list[float]:
    """Ask all questions at once, the models taking turns; return tokens per second."""
    start = time.perf_counter()
    questions = (ask(client, models[n % len(models)], messages) for n, messages in enumerate(asked))
    tokens = sum(one.tokens for one in await asyncio.gather(*questions))
    return [tokens / (time.perf_counter() - start)]


async def seconds_of(client: openai.AsyncOpenAI, asked: Sequence[Messages]) -> list[float]:
    """Ask all questions of an evaluation at once; return the seconds until the last answer."""
    start = time.perf_counter()
    await asyncio.gather(*(whole(client, MODEL, messages, SHORT) for messages in asked))
    return [time.perf_counter() - start]


async def first_pieces(client: openai.AsyncOpenAI, *, others: int) -> list[float]:
    """Return the milliseconds until the first piece of five streams, one after the other.

    They are asked for while `others` long streams, which have begun, are being answered; nothing is
    returned if some of those have ended before.
    """
    began = asyncio.Semaphore(0)
    rest = [
        asyncio.create_task(stream(client, MODEL, messages, new=8 * NEW, began=began))
        for messages in stories(others)
    ]
    for _ in rest:
        await began.acquire()
    found = [
        (await stream(client, MODEL, [{"role": "user", "content": f"What is {thing}?"}], new=2)).first
        for thing in THINGS[-5:]
    ]
    ended = sum(task.done() for task in rest)
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    return [] if ended > others // 4 else found
