"""What the endpoints share: store, executor, chat workers, codes of pages, the time of the last request."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from fastapi import Request

from ftrun.engine.executors import Executor
from ftrun.engine.inference.chat_pool import ChatPool
from ftrun.engine.store import Store
from ftrun.engine.web.codes import PageCodes

MOST_JOBS = 1000  # unfinished: a runaway script must not fill the disk with jobs


@dataclass(slots=True, kw_only=True)
class Services:
    """The parts of one running engine."""

    store: Store
    executor: Executor
    chats: ChatPool
    token: str
    pages: PageCodes = field(default_factory=PageCodes)
    most_jobs: int = MOST_JOBS
    last_request: float = field(default_factory=time.monotonic)

    @property
    def busy(self) -> bool:
        """Return whether stopping now would interrupt something."""
        return self.executor.busy or self.chats.busy or bool(self.store.batches.unended())


def services(request: Request) -> Services:
    """Return the services of the app that a request came to (a FastAPI dependency)."""
    found = request.app.state.services
    assert isinstance(found, Services)
    return found
