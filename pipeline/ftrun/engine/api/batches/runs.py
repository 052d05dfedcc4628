"""The batches that have not ended: each in a task of the server's loop, one at a time being answered.

What is answered is in the store, from where a later server resumes. Nothing that grows with the input is in
memory, save the numbers of the lines that have an answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.asking import chat, completions, embeddings, responses
from ftrun.engine.api.batches.file import (
    BatchRequest,
    batch_error,
    check_file,
    crashed_answer,
    good_answer,
    missing_answer,
    read_requests,
    refused_answer,
)
from ftrun.engine.api.body import Body
from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.lookup import find_answering
from ftrun.engine.api.services import Services
from ftrun.engine.inference.chat_queue import CRASH_CODE, STOPPED_CODE
from ftrun.engine.log import log, log_error
from ftrun.engine.store import StoredBatch
from ftrun.engine.store.batches import BatchAnswer
from ftrun.engine.store.records import BatchStatus
from ftrun.files import is_disk_full

# what answers a request of each endpoint, whole; it raises ApiError
ENDPOINTS: Mapping[str, Callable[[Services, Body], Awaitable[Mapping[str, Any]]]] = {
    "/v1/chat/completions": chat.complete,
    "/v1/completions": completions.complete,
    "/v1/responses": responses.respond,
    "/v1/embeddings": embeddings.embed,
}
SHARE = 0.75  # of the places that a model has: the others stay free for whoever asks directly
PORTION = 64  # requests that are read together
PAUSE = 5.0  # seconds until a full disk is tried again
TOO_MANY, BUSY_PAUSE = 429, 1
MOST_CRASHES = 3  # of the model's process in a row, each while it answered one request alone
ALONE = (CRASH_CODE, "not_enough_memory")  # what a request may owe to those that are asked beside it
# what the error file says of the requests that are no longer asked
LEFT = {
    "expired": ("batch_expired", "This request was not executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "The batch was cancelled before this request was executed."),
}
Ending = Literal["completed", "expired", "cancelled"]


class BatchRuns:
    """The batches of a server; all of it runs in the server's loop."""

    def __init__(self, use: Services) -> None:
        """Answer batches with the services of an engine."""
        self._use, self._store = use, use.store.batches
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._work: dict[str, asyncio.Task[None]] = {}  # the part of a task that can be cancelled
        self._cancelled: set[str] = set()
        self._turn = asyncio.Lock()

    async def resume(self) -> None:
        """Resume the batches that an earlier server left."""
        for batch in await run_in_threadpool(self._store.unended):
            self.begin(batch)

    def begin(self, batch: StoredBatch) -> None:
        """Validate a batch, and answer it when it is its turn; nothing if that has begun."""
        if batch.id not in self._tasks:
            task = self._tasks[batch.id] = asyncio.create_task(self._run(batch))
            task.add_done_callback(lambda _: self._tasks.pop(batch.id))

    def cancel(self, batch: StoredBatch) -> None:
        """End a batch, which is `cancelling`, with the answers that it has."""
        self._cancelled.add(batch.id)
        if batch.id in self._work:
            self._work[batch.id].cancel()

    async def _run(self, batch: StoredBatch) -> None:
        try:
            if batch.status == "finalizing":
                await self._end(batch, "completed" if batch.expired_at is None else "expired")
            elif batch.status == "cancelling":
                await self._end(batch, "cancelled")
            else:
                await self._to_the_end(batch)
        except Exception as error:  # a bug: whoever waits for the batch must be told
            log_error(error)
            message = f"The engine failed: {type(error).__name__}: {error}."
            await self._fail(batch, ApiError(message, status=500, code="server_error"))
        finally:
            self._cancelled.discard(batch.id)

    async def _to_the_end(self, batch: StoredBatch) -> None:
        """Answer the requests of a batch until all are, its time is over, or it is cancelled."""
        self._work[batch.id] = work = asyncio.create_task(self._answer(batch))
        ending: Ending = "completed"
        try:
            async with asyncio.timeout(max(batch.expires_at - time.time(), 0)):
                await work
        except TimeoutError:
            ending = "expired"
        except asyncio.CancelledError:
            if batch.id not in self._cancelled:
                raise  # the server ends
            ending = "cancelled"
        finally:
            del self._work[batch.id]
        await self._end(batch, ending)

    async def _answer(self, batch: StoredBatch) -> None:
        if batch.status == "validating":
            await self._validate(batch)
            batch = await run_in_threadpool(self._store.require, batch.id)
        if batch.status == "in_progress":
            async with self._turn:
                await self._answer_together(batch)
                await self._answer_alone(batch)

    async def _validate(self, batch: StoredBatch) -> None:
        path = self._use.store.files.path(batch.input_file_id)
        try:
            found = await run_in_threadpool(check_file, path, batch.endpoint)
            if found.model is not None and not found.errors:
                await run_in_threadpool(find_answering, self._use, found.model)
        except FileNotFoundError:
            message = f"The input file {batch.input_file_id} was deleted or has expired."
            await self._fail(batch, ApiError(message, code="file_not_found", param="input_file_id"))
        except ApiError as error:
            await self._fail(batch, error)
        else:
            if found.errors:
                await _durably(lambda: self._store.fail(batch.id, found.errors))
                return
            counts = {"total": found.total, "model": found.model}
            await _durably(lambda: self._store.move(batch.id, "in_progress", start=["validating"], **counts))

    async def _answer_together(self, batch: StoredBatch) -> None:
        """Ask what has no answer yet, as many requests at a time as leave places for others."""
        base = await run_in_threadpool(self._base, batch)
        async with asyncio.TaskGroup() as group:
            running: set[asyncio.Task[BatchAnswer | None]] = set()

            async def settle(most: int) -> None:
                """Wait until at most so many requests are being answered, and keep what was."""
                nonlocal running
                while len(running) > most:
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    await self._keep(batch, [answer for task in done if (answer := task.result())])

            async for request in self._unanswered(batch):
                await settle(max(int(self._use.chats.at_once(base) * SHARE), 1) - 1)
                running.add(group.create_task(self._ask_beside_others(batch, request)))
            await settle(0)

    async def _ask_beside_others(self, batch: StoredBatch, request: BatchRequest) -> BatchAnswer | None:
        """Return the answer to a request; None if it has to be asked alone."""
        try:
            return good_answer(request, await self._complete(batch, request))
        except ApiError as error:
            return None if error.code in ALONE else refused_answer(request, error)
        except Exception as error:  # a bug that this request meets must not end the others
            log_error(error)
            return crashed_answer(request, error)

    async def _answer_alone(self, batch: StoredBatch) -> None:
        """Ask what failed beside others once more, one request at a time.

        If each ends the process of the model, the rest fails without being asked.
        """
        crashes, last = 0, None
        async for request in self._unanswered(batch):
            if last is None or crashes < MOST_CRASHES:
                try:
                    answer = good_answer(request, await self._complete(batch, request))
                    crashes = 0
                except ApiError as error:
                    last, crashes = error, crashes + 1 if error.code == CRASH_CODE else 0
                    answer = refused_answer(request, error)
            else:
                answer = refused_answer(request, last)
            await self._keep(batch, [answer])

    async def _complete(self, batch: StoredBatch, request: BatchRequest) -> Mapping[str, Any]:
        """Return the answer to a request, and wait while the engine is too busy for it. Raises ApiError."""
        while True:
            try:
                return await ENDPOINTS[batch.endpoint](self._use, Body(request.body))
            except ApiError as error:
                if error.code == STOPPED_CODE:
                    await asyncio.Event().wait()  # until the server's loop ends, and this task with it
                if error.status != TOO_MANY:
                    raise
                await asyncio.sleep(error.retry_after or BUSY_PAUSE)

    async def _unanswered(self, batch: StoredBatch) -> AsyncIterator[BatchRequest]:
        """Yield the requests that have no answer now."""
        answered = await run_in_threadpool(self._store.answered, batch.id)
        path = self._use.store.files.path(batch.input_file_id)
        left = (one for one in read_requests(path, batch.endpoint) if one.line not in answered)
        while portion := await run_in_threadpool(lambda: list(itertools.islice(left, PORTION))):
            for request in portion:
                yield request

    async def _keep(self, batch: StoredBatch, answers: Sequence[BatchAnswer]) -> None:
        if answers:
            await _durably(lambda: self._store.keep(batch.id, answers))

    async def _end(self, batch: StoredBatch, ending: Ending) -> None:
        """Write the files of a batch, unless it has failed; what was not asked is named in the error file."""
        expired = {"expired_at": int(time.time())} if ending == "expired" else {}
        begun: Sequence[BatchStatus] = ["validating", "in_progress", "finalizing"]
        await _durably(lambda: self._store.move(batch.id, "finalizing", start=begun, **expired))
        found = await run_in_threadpool(self._store.require, batch.id)
        if found.status == "cancelling":
            ending = "cancelled"  # also if the last answer came just before that
        if found.status == "failed":
            return
        if found.total and ending != "completed":
            code, message = LEFT[ending]
            async for request in self._unanswered(batch):
                await self._keep(batch, [missing_answer(request, code=code, message=message)])
        await _durably(lambda: self._store.end(batch.id, ending))

    async def _fail(self, batch: StoredBatch, error: ApiError) -> None:
        await _durably(lambda: self._store.fail(batch.id, [batch_error(error)]))

    def _base(self, batch: StoredBatch) -> str:
        """Return the base model that answers; a tuned one that was deleted meanwhile has none."""
        assert batch.model is not None
        with contextlib.suppress(ApiError):
            return find_answering(self._use, batch.model).base
        return batch.model


async def _durably(act: Callable[[], object]) -> None:
    """Write to the store in a thread; while the disk is full, wait and try again."""
    while True:
        try:
            await run_in_threadpool(act)
            return
        except OSError as error:
            if not is_disk_full(error):
                raise
            log(f"The disk is full: {error.filename}; trying again in {PAUSE:g} s.")
        await asyncio.sleep(PAUSE)


def batch_runs(request: Request) -> BatchRuns:
    """Return the batches of the app that a request came to (a FastAPI dependency)."""
    found = request.app.state.batches
    assert isinstance(found, BatchRuns)
    return found
