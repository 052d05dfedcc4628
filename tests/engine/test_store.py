"""The store's schema: every earlier version is brought up to the newest with what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftrun.engine.store import Store, database
from ftrun.engine.store.records import NewJob


@pytest.mark.parametrize("version", range(1, database.VERSION))
def test_an_older_store_is_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    """A store that an earlier ftrun made keeps its jobs, and takes new ones."""
    with monkeypatch.context() as older:
        older.setattr(database, "MIGRATIONS", database.MIGRATIONS[:version])
        older.setattr(database, "VERSION", version)
        made = database.Database(tmp_path / "store.sqlite3")
        made.write(
            "INSERT INTO jobs (id, created_at, status, model, training_file, hyperparameters, seed,"
            " model_name) VALUES ('ftjob-old', 1, 'running', 'rehearsal', 'file-1', '{}', 1, 'ft:old')"
        )
        made.close()
    store = Store(tmp_path)
    job = store.jobs.require("ftjob-old")
    assert (job.status, job.continue_from) == ("running", None)
    new = NewJob(
        model="rehearsal",
        training_file="file-1",
        validation_file=None,
        hyperparameters={},
        seed=1,
        suffix=None,
        metadata=None,
        continue_from="ft:old",
    )
    assert store.jobs.create(new).continue_from == "ft:old"
    store.close()
