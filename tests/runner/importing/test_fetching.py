"""Patience with a server, and the store of what was fetched."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftrun.concurrency import StoppedError
from ftrun.errors import FtrunError
from ftrun.files import append_durably
from ftrun.runner.importing import patience
from ftrun.runner.importing.committing import Committer
from ftrun.runner.importing.file_store import EditedError, FileStore
from ftrun.runner.importing.patience import OutOfReachError, Patience
from ftrun.targets import RemoteFile, ServiceError


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the pauses."""
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.01)


def failing(times: int, code: str = "api_error", retry_after: float | None = None) -> list[ServiceError]:
    """Return the errors of so many calls."""
    return [ServiceError("no", code=code, retry_after=retry_after) for _ in range(times)]


def call(patience: Patience, errors: list[ServiceError]) -> str:
    """Make a call that fails with these errors before it succeeds."""

    def make() -> str:
        if errors:
            raise errors.pop()
        return "found"

    return patience.call(make)


def test_a_passing_failure_is_tried_again() -> None:
    """Eleven failures in a row are no end; the twelfth is, and its error is the answer."""
    assert call(Patience(), failing(patience.TRIES - 1)) == "found"
    with pytest.raises(ServiceError, match=r"^no$"):
        call(Patience(), failing(patience.TRIES + 1))


def test_a_server_that_answers_nothing_ends_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """If nothing can be reached, or call after call fails, it is the server, not what was asked for."""
    with pytest.raises(OutOfReachError, match="stopped answering"):
        call(Patience(), failing(patience.TRIES, "unreachable"))
    monkeypatch.setattr(patience, "TRIES", 1)
    tired = Patience()
    for _ in range(patience.MOST_IN_VAIN - 1):
        with pytest.raises(ServiceError):
            call(tired, failing(1))
    with pytest.raises(OutOfReachError):
        call(tired, failing(1))


def test_what_was_never_reached_is_given_up_early() -> None:
    """A wrong address or no network takes no minutes to find out; a server that has answered gets them."""
    errors = failing(patience.TRIES, "unreachable")
    with pytest.raises(OutOfReachError):
        call(Patience(), errors)
    assert len(errors) == patience.TRIES - patience.FIRST_TRIES
    patient = Patience()
    assert call(patient, failing(0)) == "found"
    assert call(patient, failing(patience.TRIES - 1, "unreachable")) == "found"


@pytest.mark.parametrize("code", ["not_found", "forbidden", "wrong_key", "refused", "quota"])
def test_what_asking_again_does_not_change_is_asked_once(code: str) -> None:
    """A refusal is an answer."""
    errors = failing(2, code)
    with pytest.raises(ServiceError):
        call(Patience(), errors)
    assert len(errors) == 1


def test_the_server_says_how_long_to_wait() -> None:
    """Retry-After is obeyed."""
    begun = time.monotonic()
    assert call(Patience(), failing(1, "rate_limited", 0.2)) == "found"
    assert time.monotonic() - begun >= 0.2


def test_a_pause_ends_when_everything_is_stopped() -> None:
    """Ctrl-C need not wait for a pause of two minutes."""
    patience = Patience()
    threading.Timer(0.1, patience.stop).start()
    begun = time.monotonic()
    with pytest.raises(StoppedError):
        call(patience, failing(3, "rate_limited", 100.0))
    assert time.monotonic() - begun < 10


def test_a_list_goes_on_where_it_broke_off() -> None:
    """A failure in the middle costs the rest of the list, not all of it; nothing comes twice."""
    asked: list[str | None] = []
    files = [RemoteFile(id=f"file-{number}", name="", bytes=0) for number in range(60)]

    def listed(after: str | None) -> Iterator[RemoteFile]:
        asked.append(after)
        begin = 0 if after is None else int(after.removeprefix("file-")) + 1
        yield from files[begin : begin + 3]
        if begin + 3 < len(files):
            raise ServiceError("cut", code="unreadable_answer")

    assert Patience().every(listed) == files
    assert asked[:3] == [None, "file-2", "file-5"] and len(asked) == 20


def store(folder: Path, origin: str = "a") -> FileStore:
    """Return a store with what its journal knows."""
    journal = folder / "files.jsonl"

    def note(line: bytes) -> None:
        append_durably(journal, line)

    return FileStore(folder=folder / "data", journal=journal, origin=origin, note=note).read()


def test_what_is_stored_is_known_later(tmp_path: Path) -> None:
    """The journal knows files of one server by their ids; a torn line is no file, and breaks none."""
    file = RemoteFile(id="file-1", name="a.jsonl", bytes=3)
    kept = store(tmp_path).keep(file, b"abc", b"abc", ".jsonl")
    with (tmp_path / "files.jsonl").open("ab") as journal:
        journal.write(b'{"file_id": "file-2", "sha')
    assert store(tmp_path).known("file-1", ".jsonl") == kept
    assert store(tmp_path).known("file-2", ".jsonl") is None
    assert store(tmp_path, "b").known("file-1", ".jsonl") is None
    store(tmp_path).keep(RemoteFile(id="file-3", name="b", bytes=3), b"abc", b"abc", ".jsonl")
    assert store(tmp_path).known("file-3", ".jsonl") is not None
    assert [path.name for path in (tmp_path / "data").iterdir()] == [f"{kept.sha256}.jsonl"]


def test_a_stored_file_that_was_edited_is_neither_used_nor_replaced(tmp_path: Path) -> None:
    """Its name no longer says what it holds."""
    file = RemoteFile(id="file-1", name="a.jsonl", bytes=3)
    kept = store(tmp_path).keep(file, b"abc", b"abc", ".jsonl")
    path = tmp_path / "data" / f"{kept.sha256}.jsonl"
    path.write_bytes(b"other")
    with pytest.raises(EditedError):
        store(tmp_path).known("file-1", ".jsonl")
    with pytest.raises(EditedError):
        store(tmp_path).keep(file, b"abc", b"abc", ".jsonl")
    assert path.read_bytes() == b"other"


def test_a_file_that_a_power_cut_left_is_written_again(tmp_path: Path) -> None:
    """The journal does not know it, so nobody has relied on it."""
    file = RemoteFile(id="file-1", name="a.jsonl", bytes=3)
    kept = store(tmp_path).keep(file, b"abc", b"abc", ".jsonl")
    (tmp_path / "files.jsonl").unlink()
    path = tmp_path / "data" / f"{kept.sha256}.jsonl"
    path.write_bytes(b"")
    assert store(tmp_path).keep(file, b"abc", b"abc", ".jsonl") == kept
    assert path.read_bytes() == b"abc"


def test_a_commit_notes_and_places_what_was_written_before(tmp_path: Path) -> None:
    """Lines and experiment files come after the wait for the disk; a name that is taken by then stays."""
    for name in ("a", "b"):
        (tmp_path / f".{name}.tmp").write_text(name)
    (tmp_path / "b.yaml").write_text("mine")
    with Committer[str](tmp_path / "files.jsonl") as commits:
        commits.note(b"one\n")
        for name in ("a", "b"):
            commits.place(name, tmp_path / f".{name}.tmp", tmp_path / f"{name}.yaml")
        commits.note(b"two\n")
    placed = dict(commits.placed())
    assert placed["a"] is None and placed["b"] is not None and placed["b"].code == "exists"
    assert ((tmp_path / "a.yaml").read_text(), (tmp_path / "b.yaml").read_text()) == ("a", "mine")
    assert (tmp_path / "files.jsonl").read_bytes() == b"one\ntwo\n"


def test_what_keeps_a_commit_from_the_disk_is_raised(tmp_path: Path) -> None:
    """An import must not say that a job is imported which the disk doesn't have."""
    (tmp_path / "files.jsonl").mkdir()
    with pytest.raises(FtrunError, match="folder"), Committer[str](tmp_path / "files.jsonl") as commits:
        commits.note(b"one\n")


def test_a_list_without_an_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each attempt brings new entries, so that it is not the attempts that end it."""
    monkeypatch.setattr(patience, "MOST_LISTED", 50)
    numbers = itertools.count()

    def more(_after: str | None) -> Iterator[RemoteFile]:
        for number in itertools.islice(numbers, 20):
            yield RemoteFile(id=f"file-{number}", name="", bytes=1)
        raise ServiceError("the server's list has no end", code="unreadable_answer")

    with pytest.raises(FtrunError, match="has no end: more than 60 entries"):
        Patience().every(more)
    assert next(numbers) == 60
