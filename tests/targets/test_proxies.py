"""A server elsewhere is reached through the environment's proxy, and nobody else is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from ftrun import redaction
from ftrun.errors import UsageError
from ftrun.targets.api import ApiService
from ftrun.targets.api.proxies import certificates, direct_client, proxy_for
from ftrun.targets.errors import ServiceError
from ftrun.targets.service import NotCreated
from support.provider import KEY
from targets.conftest import REQUEST

HOST = "https://provider.example/v1"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without the proxies of the machine that tests."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def tunnels(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Yield what a proxy that refuses every tunnel was asked."""
    asked: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    monkeypatch.setenv("HTTPS_PROXY", f"http://me:my-proxy-password@127.0.0.1:{listener.getsockname()[1]}")
    yield asked
    listener.close()


def test_a_refused_tunnel_made_no_job(tunnels: list[bytes]) -> None:
    """The proxy is asked for a tunnel to the host, never sees the key, and a create surely did not leave."""
    service = ApiService(base_url=HOST, key=KEY, organization=None, project=None)
    assert isinstance(service.create_job(REQUEST, "key"), NotCreated)
    assert tunnels[0].startswith(b"CONNECT provider.example:443")
    assert all(KEY.encode() not in one for one in tunnels)
    with pytest.raises(ServiceError, match=r"proxy of HTTPS_PROXY.*502"):
        service.models()
    service.close()
    assert "my-proxy-password" not in redaction.hide("my-proxy-password")


def test_who_is_reached_without(tunnels: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine, and hosts that NO_PROXY names."""
    assert proxy_for("http://127.0.0.1:8000/v1") is None
    assert proxy_for(HOST) is not None
    monkeypatch.setenv("NO_PROXY", "other.example,provider.example")
    assert proxy_for(HOST) is None


@pytest.mark.parametrize("value", ["ftp://proxy:21", "http://[", "socks5://127.0.0.1:1080"])
def test_what_is_no_proxy_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message that names the variables and the way out; SOCKS needs a package that is not here."""
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(UsageError, match="HTTPS_PROXY"):
        proxy_for(HOST)


def test_a_proxy_without_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    """`HOST:PORT` is an http proxy, as elsewhere."""
    monkeypatch.setenv("https_proxy", "proxy.example:8080")
    proxy = proxy_for(HOST)
    assert proxy is not None and str(proxy.url) == "http://proxy.example:8080"


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_authorities_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    """A wrong SSL_CERT_FILE is named before anything is sent; a server without TLS needs none."""
    file = tmp_path / "company.pem"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    certificates.cache_clear()
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        ApiService(base_url=HOST, key=KEY, organization=None, project=None)
    with pytest.raises(UsageError, match="SSL_CERT_FILE"):
        direct_client(HOST, httpx2.Timeout(1.0))
    ApiService(base_url="http://127.0.0.1:1/v1", key=KEY, organization=None, project=None).close()
