"""Aliases: names that clients know, each for a model of this engine."""

from __future__ import annotations

from ftrun.engine.store.database import Database
from ftrun.engine.store.records import StoredAlias, from_row, now


class Aliases:
    """The aliases of a store. An alias stands for a model itself, never for another alias."""

    def __init__(self, database: Database) -> None:
        """Use the tables of `database`."""
        self._database = database

    def set(self, name: str, model: str) -> None:
        """Let `name` stand for `model`, instead of what it stood for."""
        self._database.write(
            "INSERT INTO aliases (name, model, created_at) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET model = excluded.model",
            name,
            model,
            now(),
        )

    def remove(self, name: str) -> bool:
        """Remove an alias and return whether there was one. Models tuned under it keep their names."""
        return self._database.write("DELETE FROM aliases WHERE name = ?", name) == 1

    def get(self, name: str) -> str | None:
        """Return the model that `name` stands for; None if it is not an alias."""
        row = self._database.row("SELECT model FROM aliases WHERE name = ?", name)
        return None if row is None else str(row["model"])

    def all(self) -> list[StoredAlias]:
        """Return all aliases, oldest first."""
        rows = self._database.rows("SELECT * FROM aliases ORDER BY created_at, name")
        return [from_row(StoredAlias, row) for row in rows]
