"""The fine-tuned models and checkpoints: names that chat can use, and their folders."""

from __future__ import annotations

from pathlib import Path

from ftrun.engine.store.database import Database
from ftrun.engine.store.records import MOST_NAMES, StoredModel, from_row, now
from ftrun.files import delete_folder, real


class Models:
    """The fine-tuned models of a store."""

    def __init__(self, database: Database) -> None:
        """Use the tables of `database`."""
        self._database = database

    def add(self, name: str, *, job_id: str, base: str, checkpoint: bool, folder: Path) -> None:
        """Add a model; a restarted job may add it again."""
        self._database.write(
            "INSERT INTO models (id, job_id, base, kind, folder, created_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET folder = excluded.folder",
            name,
            job_id,
            base,
            "checkpoint" if checkpoint else "model",
            str(folder),
            now(),
        )

    def get(self, name: str) -> StoredModel | None:
        """Return the fine-tuned model or checkpoint of that name."""
        row = self._database.row("SELECT * FROM models WHERE id = ?", name)
        return None if row is None else from_row(StoredModel, row)

    def all(self) -> list[StoredModel]:
        """Return the fine-tuned models without their checkpoints, oldest first."""
        rows = self._database.rows("SELECT * FROM models WHERE kind = 'model' ORDER BY seq")
        return [from_row(StoredModel, row) for row in rows]

    def newest(self) -> list[StoredModel]:
        """Return the newest fine-tuned models and checkpoints, newest first, as many as one chooses from."""
        rows = self._database.rows("SELECT * FROM models ORDER BY seq DESC LIMIT ?", MOST_NAMES)
        return [from_row(StoredModel, row) for row in rows]

    def names(self) -> list[str]:
        """Return the newest names of models and checkpoints, as many as one compares with a mistyped one."""
        query = "SELECT id FROM models ORDER BY seq DESC LIMIT ?"
        return [row["id"] for row in self._database.rows(query, MOST_NAMES)]

    def delete(self, model: StoredModel) -> None:
        """Delete a model, and its folder if no other model uses it."""
        with self._database.transaction():
            self._database.write("DELETE FROM models WHERE id = ?", model.id)
            shared = self._database.row("SELECT 1 FROM models WHERE folder = ?", model.folder)
        if shared is None:
            delete_folder(real(model.path))  # an older ftrun recorded it with unresolved links
