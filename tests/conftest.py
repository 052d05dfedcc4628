"""The guard around every test: no key in the environment, loopback only, a home of its own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOREIGN = ("OPENAI_", "AZURE_", "ANTHROPIC_", "HF_", "FTRUN_")


@pytest.fixture(autouse=True)
def guard(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take keys out of the environment, put home and stores in a temporary folder, refuse foreign hosts."""
    keep = {"FTRUN_TEST_CACHE"}
    for name in list(os.environ):
        if name.startswith(FOREIGN) and name not in keep:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    monkeypatch.setenv("FTRUN_HOME", str(home / "engine"))
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            assert isinstance(address, tuple)
            assert str(address[0]).startswith("127.") or address[0] in ("::1", "localhost"), address
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)
    yield
