"""Who is refused, and that every refusal has the API's form."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from support.engine_process import PATIENCE, Engine, upload


def ask(
    engine: Engine,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, Any]:
    """Send a request with the right token, unless `headers` say otherwise; return status and JSON."""
    address = urlsplit(engine.base_url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=PATIENCE)
    sent = {"Authorization": f"Bearer {engine.token}", **(headers or {})}
    connection.request(method, path, body=body, headers=sent)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Authorization": ""}, 401, "invalid_api_key"),
        ({"Authorization": "Bearer wrong"}, 401, "invalid_api_key"),
        ({"Authorization": "Bearer Ｗｒｏｎｇ".encode().decode("latin-1")}, 401, "invalid_api_key"),
        ({"Host": "evil.example:80"}, 403, "host_not_allowed"),
        ({"Host": "127.0.0.1.evil.example"}, 403, "host_not_allowed"),
        ({"Host": "["}, 403, "host_not_allowed"),
        ({"Origin": "http://evil.example"}, 403, "origin_not_allowed"),
        ({"Origin": "null"}, 403, "origin_not_allowed"),
    ],
)
def test_strangers_are_refused(engine: Engine, headers: dict[str, str], status: int, code: str) -> None:
    """Without the token, under a foreign host name or from a foreign page nothing is answered."""
    for path in ("/v1/models", "/ftrun/info", "/nowhere"):
        got, body = ask(engine, "GET", path, headers=headers)
        assert (got, body["error"]["code"]) == (status, code)


def test_no_page_is_allowed_across_origins(engine: Engine) -> None:
    """A browser's preflight request gets no permission."""
    status, body = ask(engine, "OPTIONS", "/v1/files", headers={"Origin": "http://evil.example"})
    assert (status, body["error"]["code"]) == (403, "origin_not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/nothing", None, 404, "not_found"),
        ("GET", "/v1/files/file-none", None, 404, "not_found"),
        ("GET", "/v1/fine_tuning/jobs/ftjob-none/events", None, 404, "not_found"),
        ("GET", "/v1/models/ft:a/b:local::x", None, 404, "model_not_found"),
        ("PUT", "/v1/files", b"", 405, "method_not_allowed"),
        ("GET", "/v1/fine_tuning/jobs?limit=0", None, 400, "invalid_value"),
        ("GET", "/v1/fine_tuning/jobs?after=ftjob-none", None, 400, "invalid_value"),
        ("POST", "/v1/files", b"no form", 400, "missing_required_parameter"),
        ("POST", "/v1/fine_tuning/jobs", b"{", 400, "invalid_json"),
        ("POST", "/v1/fine_tuning/jobs", b"[]", 400, "invalid_json"),
        ("POST", "/v1/fine_tuning/jobs", b'{"seed": NaN}', 400, "invalid_json"),
        ("POST", "/v1/fine_tuning/jobs", b'{"model": "\\ud800"}', 400, "invalid_json"),
        ("POST", "/v1/fine_tuning/jobs", b"[" * 100_000, 400, "invalid_json"),
        ("POST", "/v1/fine_tuning/jobs", b"\xff", 400, "invalid_json"),
    ],
)
def test_every_failure_has_the_apis_form(
    engine: Engine, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    """Unknown paths, methods, ids and broken bodies are errors with message, type, param and code."""
    got, answer = ask(engine, method, path, body)
    assert (got, answer["error"]["code"]) == (status, code)
    assert answer["error"].keys() == {"message", "type", "param", "code"}
    assert answer["error"]["message"]


def test_too_large_bodies_are_refused(engine: Engine) -> None:
    """A body over the limit is a 413: by its length before it is read, or while it comes in pieces."""
    status, answer = ask(
        engine, "POST", "/v1/files", None, headers={"Content-Length": str(600 * 1024 * 1024)}
    )
    assert (status, answer["error"]["code"]) == (413, "request_too_large")
    address = urlsplit(engine.base_url)
    with socket.create_connection((str(address.hostname), address.port)) as connection:
        connection.sendall(
            b"POST /v1/fine_tuning/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n"
            + f"Authorization: Bearer {engine.token}\r\n\r\n".encode()
        )
        piece = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
        with contextlib.suppress(ConnectionError):  # it may hang up before the last of them is sent
            for _ in range(17):
                connection.sendall(piece)
        assert b" 413 " in connection.recv(4096).splitlines()[0]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"functions": [{"name": "a"}]}, "functions"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].type"),
        ({"temprature": 0}, "temprature"),
    ],
)
def test_chat_refuses_what_it_would_ignore(client: openai.OpenAI, change: dict[str, Any], param: str) -> None:
    """A parameter that this engine can't honour is a 400 that names it."""
    body = {"model": "rehearsal", "messages": [{"role": "user", "content": "x"}], **change}
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", cast_to=object, body=body)
    assert caught.value.param == param


def test_an_unknown_model_is_a_404_in_chat(client: openai.OpenAI) -> None:
    """Asking a model that is not there names those that are."""
    with pytest.raises(openai.NotFoundError, match="rehearsal"):
        client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "x"}])


def test_empty_files_and_odd_purposes_are_refused(client: openai.OpenAI) -> None:
    """An empty file, an unknown purpose and a missing file are 400s and leave nothing."""
    with pytest.raises(openai.BadRequestError, match="empty"):
        upload(client, b"")
    purpose: Any = "world-domination"
    with pytest.raises(openai.BadRequestError, match="purpose must be one of"):
        client.files.create(file=b"x", purpose=purpose)
    assert all(file.bytes for file in client.files.list())


def test_polling_is_quick(client: openai.OpenAI) -> None:
    """Answers on a kept connection do not wait for TCP acknowledgements (40 ms each)."""
    client.models.list()
    seconds = []
    for _ in range(40):
        started = time.monotonic()
        client.models.list()
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.04, "each of them waits, not only those for which the machine is busy"
