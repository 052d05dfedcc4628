"""Answers that never end, unfold, repeat or lead elsewhere are bounded; honest pages are read whole."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator

import pytest

from ftrun.targets.api import connection
from ftrun.targets.errors import ServiceError
from ftrun.targets.service import Created
from support.scripted_server import Answer, Asked, listed
from targets.conftest import JOB, REQUEST, Connect


def test_an_endless_answer_is_cut_off(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without an end is read to the limit, not to the end of memory."""
    monkeypatch.setattr(connection.End, "most", 2**20)

    def pieces() -> Iterator[bytes]:
        while True:
            yield b" " * 65536

    _, service = connect(lambda asked: Answer(pieces()))
    with pytest.raises(ServiceError, match="larger than 1 MB"):
        service.job("ftjob-1")


def test_a_trickling_answer_is_cut_off(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that comes byte by byte does not hold a run for ever."""
    monkeypatch.setattr(connection, "BODY_SECONDS", 0.3)

    def pieces() -> Iterator[bytes]:
        while True:
            time.sleep(0.05)
            yield b" "

    _, service = connect(lambda asked: Answer(pieces()))
    with pytest.raises(ServiceError, match="no end"):
        service.job("ftjob-1")


def test_a_bomb_is_not_unpacked(connect: Connect) -> None:
    """A compressed answer was not asked for: what it unfolds into can't be known."""
    server, service = connect(lambda asked: Answer(b"\x1f\x8b", 200, {"Content-Encoding": "gzip"}))
    with pytest.raises(ServiceError, match="compressed"):
        service.job("ftjob-1")
    assert server.asked[0].headers["Accept-Encoding"] == "identity"


def test_a_cursor_that_does_not_move_is_an_error(connect: Connect) -> None:
    """Where a server says that more follows and shows the same again, nobody knows which jobs it has."""
    server, service = connect(lambda asked: listed([JOB], has_more=True))
    with pytest.raises(ServiceError, match="no end"):
        list(service.jobs())
    assert len(server.asked) == 2


def test_a_server_without_pages_is_read_once(connect: Connect) -> None:
    """Where a server has no pages and says nothing of more, its one list is all there is."""
    _, service = connect(lambda asked: Answer({"data": [JOB]}))
    assert [job.id for job in service.jobs()] == ["ftjob-1"]


def test_an_empty_list_may_be_null(connect: Connect) -> None:
    """`data: null` is an empty list; no `data` at all is none."""
    _, service = connect(lambda asked: Answer({"object": "list", "data": None}))
    assert list(service.jobs()) == []


def test_pages_are_followed(connect: Connect) -> None:
    """All pages are read, by the last id of each."""

    def script(asked: Asked) -> Answer:
        start = int(asked.query.get("after", "j-0").split("-")[1])
        entries = [{**JOB, "id": f"j-{number}"} for number in range(start + 1, start + 4)]
        return listed(entries, has_more=start < 6)

    _, service = connect(script)
    assert [job.id for job in service.jobs()] == [f"j-{number}" for number in range(1, 10)]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_no_call_follows_a_redirect(connect: Connect, status: int) -> None:
    """Neither key nor data go to an address that a server names; a create is then not created or unclear."""
    other, _ = connect(lambda asked: Answer(JOB))
    _, service = connect(lambda asked: Answer(b"", status, {"Location": f"{other.base_url}/x"}))
    for call in (
        lambda: service.job("j"),
        lambda: list(service.jobs()),
        lambda: service.upload(io.BytesIO(b"{}"), "f"),
        lambda: service.chat("m", [], {}),
        lambda: service.result_csv("f"),
        lambda: service.delete_model("m"),
    ):
        with pytest.raises(ServiceError) as caught:
            call()
        assert caught.value.code == "redirected"
    assert not isinstance(service.create_job(REQUEST, "key"), Created)
    assert other.asked == []
