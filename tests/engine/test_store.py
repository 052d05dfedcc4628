"""The store's schema: every earlier version is brought up to the newest with what is in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ftrun.engine.store import Store, database
from ftrun.engine.store.records import NewJob
from ftrun.errors import DecisionError


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("store.sqlite3", lambda raw: b"not a database" * 100),
        ("store.sqlite3", lambda raw: raw[: len(raw) // 2]),
        ("store.json", lambda raw: raw[:5]),
        ("store.json", lambda raw: b"{}"),
    ],
)
def test_a_damaged_store_is_named(tmp_path: Path, name: str, damage: Callable[[bytes], bytes]) -> None:
    """A file that is no longer what was written is refused by its name, and is left as it is."""
    Store(tmp_path).close()
    damaged = damage((tmp_path / name).read_bytes())
    (tmp_path / name).write_bytes(damaged)
    with pytest.raises(DecisionError) as caught:
        Store(tmp_path)
    assert caught.value.code == "store_damaged" and str(tmp_path / name) in str(caught.value)
    assert (tmp_path / name).read_bytes() == damaged


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
