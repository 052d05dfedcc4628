"""Files that a server processes slowly, or refuses; and those of another clone that gc finds."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ftrun.state.locks import user_file
from support.paid_project import Paid
from support.scripted_server import Answer, Asked, refusal

PATIENCE = 60.0  # seconds: far less than the bound
SPLIT = ("--set", "data.split={validation: 2, seed: 1}")
UPLOAD = (*SPLIT, "--yes", "--until", "upload")


class Slow:
    """Processes a file `seconds` after its upload, into `end`; a job before that is refused."""

    def __init__(self, paid: Paid, seconds: float, end: str = "processed", **more: Any) -> None:
        self._paid, self._seconds, self.end, self.more = paid, seconds, end, more
        self._born: dict[str, float] = {}
        self.looks: dict[str, list[float]] = {}
        self.sent: list[float] = []
        paid.provider.hook = self

    def __call__(self, asked: Asked) -> Answer | None:
        """Answer what concerns files that are not processed yet; all else is the provider's."""
        now = time.monotonic()
        if asked.path == "/files" and asked.method == "POST":
            self.sent.append(now)
        for file_id, file in self._paid.provider.files.items():
            age = now - self._born.setdefault(file_id, now)
            there = age >= self._seconds
            file.update({"status": self.end, **self.more} if there else {"status": "pending"})
        parts = asked.path.strip("/").split("/")
        if parts[0] == "files" and len(parts) == 2:
            self.looks.setdefault(parts[1], []).append(now)
        if asked.path == "/fine_tuning/jobs" and asked.method == "POST":
            pending = [one for one in self._paid.provider.files.values() if one["status"] != "processed"]
            return refusal(400, "the file is not ready") if pending else None
        return None


def test_all_files_are_sent_before_any_is_waited_for(paid: Paid) -> None:
    """Two files take as long as one, and no pause is longer than poll.max."""
    slow = Slow(paid, 0.6)
    paid.config.write_text(paid.config.read_text().replace("max: 0.02", "max: 0.1"))
    begin = time.monotonic()
    paid.json("run", paid.config, *SPLIT, "--yes")
    assert len(slow.sent) == 2 and len(paid.provider.files) == 2
    first, second = (slow.looks[file_id] for file_id in paid.provider.files)
    assert slow.sent[1] < first[0], "both are sent before the first look"
    assert second[0] < slow.sent[0] + 0.6, "they are looked at together"
    assert len(first) > 5, "a pause that doubles would have been longer than poll.max"
    assert time.monotonic() - begin < PATIENCE


def test_slow_processing_ends_with_max_wait(paid: Paid) -> None:
    """--max-wait holds for files too: exit 75 names file and address; the next run sends no file."""
    slow = Slow(paid, 1.3)
    error = paid.json("run", paid.config, *SPLIT, "--yes", "--max-wait", "1s", code=75)["error"]
    assert "toy-train-" in error["message"] and "file-1" in error["message"]
    assert paid.server.base_url in error["message"] and "no job was created" in error["message"]
    assert paid.json("run", paid.config, *SPLIT, "--yes")["status"] == "done"
    assert len(slow.sent) == 2


def test_slow_processing_has_an_end(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is never processed ends the run with the file's name; nothing is lost."""
    monkeypatch.setattr("ftrun.watching.processing.LONGEST", 0.2)
    Slow(paid, 1e9)
    error = paid.json("run", paid.config, *UPLOAD, code=1)["error"]
    assert error["code"] == "file_not_ready" and "toy-validation-" in error["message"]


@pytest.mark.parametrize("listed", [True, False])
def test_a_refused_file_is_never_adopted(paid: Paid, listed: bool) -> None:
    """The error has the server's reason and the local file; each rerun uploads again, and heals with it."""
    slow = Slow(paid, 0.1, "error", status_details="line 3 has no messages")
    paid.provider.listed_status = None if listed else "uploaded"
    for number in (1, 2):
        error = paid.json("run", paid.config, "--yes", code=1)["error"]
        assert error["code"] == "file_refused"
        assert "line 3 has no messages" in error["message"] and f"file-{number}" in error["message"]
        assert error["file"].endswith("runs/toy/paid/train.jsonl")
        assert f"ftrun rm file-{number}" in error["hint"]
        (step,) = (step for step in paid.json("plan", paid.config)["steps"] if step["stage"] == "upload")
        assert (step["action"], step["reasons"]) == ("run", ["train data not uploaded yet"])
    slow.end, slow.more = "processed", {}
    paid.provider.files.clear()
    assert paid.json("run", paid.config, "--yes")["status"] == "done"
    assert len(slow.sent) == 3


def old_file(paid: Paid, letter: str, created_at: int | None) -> str:
    """Add a file of this project that no state here knows."""
    return paid.provider.add_file(f"toy-train-{letter * 16}.jsonl", created_at=created_at)


def test_gc_keeps_what_another_clone_has_just_uploaded(paid: Paid) -> None:
    """Between upload and create a file belongs to no job and no state here: for a day it is kept."""
    paid.run("run", paid.config, "--yes")
    now = int(time.time())
    young, ageless = old_file(paid, "a", now - 3600), old_file(paid, "b", None)
    old = old_file(paid, "c", now - 25 * 3600)
    document = paid.json("gc", paid.config, "--yes")
    assert document["deleted"] == [old]
    assert {young, ageless} < set(paid.provider.files)
    assert [young in note or ageless in note for note in document["notes"]] == [True, True]
    assert f"ftrun rm {young}" in str(document["notes"])
    paid.run("rm", young, paid.config, "--yes")
    assert "uploaded within the last 24 hours" in paid.error and young not in paid.provider.files


def test_gc_keeps_what_a_run_of_this_user_noted(paid: Paid) -> None:
    """A note beside the locks names a file that another clone uploaded, also where the clocks differ."""
    paid.run("run", paid.config, *UPLOAD)
    for file in paid.provider.files.values():
        file["created_at"] = 1
    assert len(list(user_file("any").parent.glob("file-*.note.json"))) == 2
    (paid.folder / "runs/toy/paid/state.json").unlink()
    (paid.folder / "runs/toy/paid/state.json.backup").unlink()
    assert paid.json("gc", paid.config, "--yes")["deleted"] == []
    assert len(paid.provider.files) == 2
