"""A server that never answers, or never ends, holds nothing up for ever; and what is waited for is said."""

from __future__ import annotations

import io
import itertools
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator

import httpx2
import pytest

from ftrun import waiting
from ftrun.targets.api import ApiService, connection, files
from ftrun.targets.errors import ServiceError
from ftrun.targets.service import Unclear
from support.provider import KEY
from support.scripted_server import Answer, refusal
from targets.conftest import REQUEST, Connect

Talk = Callable[[socket.socket], None]
Raw = Callable[[Talk], str]
BOUND = 0.5  # seconds, instead of a minute


@pytest.fixture
def raw(monkeypatch: pytest.MonkeyPatch) -> Iterator[Raw]:
    """Yield a way to serve bytes as a function writes them, and to get its address; bounds are short."""
    monkeypatch.setattr(connection, "TIMEOUT", httpx2.Timeout(BOUND, connect=BOUND))
    monkeypatch.setattr("ftrun.targets.api.jobs.CREATE_TIMEOUT", httpx2.Timeout(BOUND))
    monkeypatch.setattr(connection, "READ_RETRIES", 0)
    listeners: list[socket.socket] = []

    def serve(talk: Talk) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_accept, args=(listener, talk), daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield serve
    for listener in listeners:
        listener.close()


def _accept(listener: socket.socket, talk: Talk) -> None:
    def one(connection: socket.socket) -> None:
        with connection:
            try:
                talk(connection)
            except OSError:  # the client has had enough
                return

    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=one, args=(accepted,), daemon=True).start()


def service_at(address: str) -> ApiService:
    """Return a service at an address."""
    return ApiService(base_url=address, key=KEY, organization=None, project=None)


def silence(connection: socket.socket) -> None:
    """Take the request and say nothing."""
    while connection.recv(65536):
        pass


def trickle(start: bytes, again: bytes) -> Talk:
    """Return a server that begins with `start` and goes on with `again`, without an end."""

    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            time.sleep(0.02)
            connection.sendall(again)

    return talk


ENDLESS = {
    "silence": silence,
    "status line": trickle(b"HTTP/1.1 200 ", b"O"),
    "headers": trickle(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n"),
    "early hints": trickle(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "continue": trickle(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": trickle(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{", b" "),
}


def test_ctrl_c_is_heard_while_an_answer_trickles(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """A create whose headers never end is left at once, and its connection is cut."""
    monkeypatch.setattr("ftrun.targets.api.jobs.CREATE_TIMEOUT", httpx2.Timeout(60.0))
    cut = threading.Event()

    def talk(connection: socket.socket) -> None:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        try:
            ENDLESS["headers"](connection)
        finally:
            cut.set()

    service = service_at(f"http://{raw(talk)}/v1")
    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        service.create_job(REQUEST, "key")
    assert time.monotonic() - begin < 10  # the promise is 2 s; a busy machine gets more
    assert cut.wait(10)
    service.close()


@pytest.mark.parametrize("kind", ENDLESS)
def test_a_request_is_bounded_as_a_whole(raw: Raw, kind: str) -> None:
    """Whatever comes byte by byte, a call ends in time, names the address, and leaves no thread behind."""
    address = raw(ENDLESS[kind])
    service = service_at(f"http://{address}/v1")
    begin = time.monotonic()
    with pytest.raises(ServiceError) as caught:
        service.job("ftjob-1")
    assert isinstance(service.create_job(REQUEST, "key"), Unclear)
    service.close()
    assert time.monotonic() - begin < 20 * BOUND
    assert address in str(caught.value) and caught.value.code == "unreachable"
    assert "call" not in [thread.name for thread in threading.enumerate()]


def test_a_handshake_that_trickles_is_given_up(raw: Raw) -> None:
    """TLS has its bound too: a server that sends its part of it byte by byte ends the call."""
    address = raw(trickle(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00"))
    service = service_at(f"https://{address}/v1")
    begin = time.monotonic()
    with pytest.raises(ServiceError) as caught:
        service.job("ftjob-1")
    service.close()
    assert time.monotonic() - begin < 20 * BOUND
    assert address in str(caught.value)


def test_an_upload_may_take_as_long_as_its_size_and_no_longer(
    raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that sips is given up; a slow one gets the time that the size needs."""
    monkeypatch.setattr(files, "UPLOAD_TIMEOUT", httpx2.Timeout(0.2, write=10.0))
    monkeypatch.setattr(connection, "LEAST_SPEED", 32 * 2**20)

    def sip(connection: socket.socket) -> None:
        while connection.recv(1000):
            time.sleep(0.02)

    def sleepy(connection: socket.socket) -> None:
        time.sleep(0.4)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"id":"file-1"}')
        silence(connection)

    service = service_at(f"http://{raw(sip)}/v1")
    with pytest.raises(ServiceError, match="did not answer"):
        service.upload(io.BytesIO(bytes(8 * 2**20)), "f")
    service.close()
    service = service_at(f"http://{raw(sleepy)}/v1")
    with pytest.raises(ServiceError, match="did not answer"):
        service.upload(io.BytesIO(b"{}"), "f")
    assert service.upload(io.BytesIO(bytes(32 * 2**20)), "f").id == "file-1"
    service.close()


def test_a_command_that_reads_ends_with_all_its_retries(
    raw: Raw, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bound holds for retries, for pauses that a server asks for, and for every call after."""
    monkeypatch.setattr(connection, "READ_RETRIES", 4)
    busy, _ = connect(lambda asked: refusal(503, "busy", None, {"Retry-After": "100"}))
    for address in (f"http://{raw(silence)}/v1", busy.base_url):
        service = service_at(address)
        service.end_within(1.2)
        begin = time.monotonic()
        for _ in range(3):
            with pytest.raises(ServiceError):
                service.job("ftjob-1")
        service.close()
        assert time.monotonic() - begin < 5


def test_a_wait_is_said_less_and_less_often(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first pause it names what, where and since when; then the pauses grow."""
    said: list[str] = []
    monkeypatch.setattr(waiting, "_say", [said.append])
    monkeypatch.setattr(waiting, "PAUSES", (0.05, 0.1))
    address = raw(silence)
    service = service_at(f"http://{address}/v1")
    with pytest.raises(ServiceError):
        service.job("ftjob-1")
    service.close()
    assert len(said) == 2
    start = f"waiting for http://{address}/v1/fine_tuning/jobs/ftjob-1 to answer GET, since "
    assert all(text.startswith(start) and KEY not in text for text in said)
    assert time.strptime(said[0].removeprefix(start), "%H:%M:%S")


def test_an_answer_in_time_is_not_worth_a_word(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said of calls that end at once."""
    said: list[str] = []
    monkeypatch.setattr(waiting, "_say", [said.append])
    _, service = connect(lambda asked: Answer({"data": []}))
    assert list(service.jobs()) == []
    assert said == []


def test_a_pause_that_a_server_asks_for_is_said(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK waiting as long as Retry-After says, without a word of its own."""
    said: list[str] = []
    monkeypatch.setattr(waiting, "_say", [said.append])
    monkeypatch.setattr(connection, "QUIET_PAUSE", 0)
    answers = itertools.chain(
        [refusal(429, "slow down", None, {"Retry-After": "1"})], itertools.repeat(Answer({"data": []}))
    )
    server, _ = connect(lambda asked: next(answers))
    monkeypatch.setattr(connection, "READ_RETRIES", 1)
    service = service_at(server.base_url)
    assert list(service.jobs()) == []
    service.close()
    assert said == [f"{server.origin} answered HTTP 429 and asks to wait 1 s"]


def test_tries_that_fail_are_said(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK tries again without a word, with rests of seconds: from the third try on that is said, once."""
    said: list[str] = []
    monkeypatch.setattr(waiting, "_say", [said.append])
    answers = iter([refusal(500), refusal(500), Answer({"data": []})])
    server, _ = connect(lambda asked: next(answers))
    monkeypatch.setattr(connection, "READ_RETRIES", 4)
    service = service_at(server.base_url)
    assert list(service.jobs()) == []
    service.close()
    assert said == [f"{server.origin}: GET /v1/fine_tuning/jobs failed 2 times, trying again"]


def close(connection: socket.socket) -> None:
    """Hang up as soon as something is asked."""
    connection.recv(65536)


def page(status: str) -> Talk:
    """Return a server that answers everything with a page, as a hotel's network does."""
    body = b"<html>Welcome! Please log in.</html>"
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nLocation: https://login.hotel/?a=b\r\n"

    def talk(connection: socket.socket) -> None:
        while connection.recv(65536):
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    return talk


@pytest.mark.parametrize(
    ("talk", "scheme", "words", "hint", "again"),
    [
        (close, "http", "was cut", "closed it", True),
        (silence, "http", "did not answer within", "status page", True),
        (page("200 OK"), "http", "web page", "base_url", False),
        (page("302 Found"), "http", "points to https://login.hotel", "log in with a browser", False),
        (page("511 Network Authentication Required"), "http", "HTTP 511", "log in with a browser", True),
        (page("404 Not Found"), "http", "HTTP 404", "/v1", False),
        (page("400 Bad Request"), "https", "no TLS", "http://", False),
    ],
)
def test_trouble_names_the_address_and_what_to_look_at(
    raw: Raw, talk: Talk, scheme: str, words: str, hint: str, again: bool
) -> None:
    """Each kind has its own words; the same command again is named only where that can help."""
    address = raw(talk)
    service = service_at(f"{scheme}://{address}/v1")
    with pytest.raises(ServiceError) as caught:
        service.job("ftjob-1")
    service.close()
    told = str(caught.value.problem.hint)
    assert address in str(caught.value) and words in str(caught.value)
    assert hint in told and ("same command" in told) == again


def test_a_port_where_nobody_listens(raw: Raw) -> None:
    """A refused connection names the port and asks whether the server is started; a create did not leave."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    service = service_at(f"http://{address}/v1")
    with pytest.raises(ServiceError, match=f"nothing answers at http://{address}") as caught:
        service.job("ftjob-1")
    outcome = service.create_job(REQUEST, "key")
    service.close()
    assert "Is the server running? Start it" in str(caught.value.problem.hint)
    assert "Is the server running? Start it" in str(getattr(outcome, "hint", ""))


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that does not exist is named, with where to look."""
    monkeypatch.setattr(connection, "READ_RETRIES", 0)
    service = service_at("https://api.provider.invalid/v1")
    service.end_within(20)
    with pytest.raises(ServiceError, match=r"https://api\.provider\.invalid") as caught:
        service.job("ftjob-1")
    service.close()
    assert "base_url" in str(caught.value.problem.hint)
