"""A store as a whole: its folder, its identity, its tables, and idempotent answers."""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftrun.engine.places import private_folder, store_id
from ftrun.engine.store.aliases import Aliases
from ftrun.engine.store.batches import Batches
from ftrun.engine.store.database import Database
from ftrun.engine.store.files import Files
from ftrun.engine.store.jobs import Jobs
from ftrun.engine.store.models import Models
from ftrun.engine.store.records import now
from ftrun.engine.store.responses import Responses
from ftrun.engine.store.uploads import Uploads
from ftrun.files import digest, file_lock, write_json

KEY_SECONDS = 30 * 24 * 3600  # how long an idempotency key is remembered


class KeyReused(Exception):
    """An idempotency key was used again with another request."""


class Store:
    """Everything that an engine keeps, in the folder `home`."""

    def __init__(self, home: Path) -> None:
        """Open the store in `home`; create it if there is none."""
        self.home = home
        private_folder(home)
        self.id = _identity(home)
        self.database = Database(home / "store.sqlite3")
        self.files = Files(self.database, home / "files")
        self.uploads = Uploads(self.database, self.files)
        self.models = Models(self.database)
        self.aliases = Aliases(self.database)
        self.responses = Responses(self.database)
        self.jobs = Jobs(self.database, home / "jobs")
        self.batches = Batches(self.database, self.files)

    def once(
        self, key: str | None, request: Any, act: Callable[[], dict[str, Any]]
    ) -> tuple[dict[str, Any], bool]:
        """Return the answer of `act` and False, or for a known `key` the first answer and True.

        Acting and recording are one transaction, so a second request waits for the first and gets its answer.
        A refused request leaves nothing behind. Raises KeyReused if `request` differs from the first one.
        """
        if key is None:
            with self.database.transaction():
                return act(), False
        with self.database.transaction():
            row = self.database.row("SELECT request, answer FROM idempotency WHERE key = ?", key)
            if row is None:
                return self._remember(key, digest(request), act()), False
        if row["request"] != digest(request):
            raise KeyReused(key)
        return json.loads(row["answer"]), True

    def _remember(self, key: str, request: str, answer: dict[str, Any]) -> dict[str, Any]:
        self.database.write(
            "INSERT INTO idempotency (key, request, answer, created_at) VALUES (?, ?, ?, ?)",
            key,
            request,
            json.dumps(answer),
            now(),
        )
        return answer

    def sweep(self) -> None:
        """Delete what has expired: uploads, files, responses, old idempotency keys, and what crashes left."""
        self.uploads.sweep()
        self.files.sweep()
        self.responses.sweep()
        self.database.write("DELETE FROM idempotency WHERE created_at < ?", now() - KEY_SECONDS)

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def _identity(home: Path) -> str:
    """Return the store's UUID; create it if there is none."""
    known = store_id(home)
    if known is not None:
        return known
    with contextlib.ExitStack() as stack:
        stack.enter_context(file_lock(home / "store.lock", mode=0o600, timeout=30))
        known = store_id(home)
        if known is None:
            known = str(uuid.uuid4())
            write_json(home / "store.json", {"store": known, "version": 1}, mode=0o600)
    return known
