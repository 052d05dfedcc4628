"""Addresses: all spellings of one server are one, and what is another server stays another."""

from __future__ import annotations

import pytest

from ftrun.targets import same_account, server_of

V1 = "https://llm.example/v1"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (V1, "HTTPS://LLM.Example:443/v1/", True),
        (V1, "https://llm.example.//./v1", True),
        ("http://127.0.0.1:80/v1", "http://[::1]/v1", True),
        ("http://localhost:8000/v1", "http://127.0.0.2:8000/v1", True),
        ("http://localhost:8000/v1", "http://[::ffff:127.0.0.1]:8000/v1", True),
        ("https://[2001:DB8::0:1]/v1", "https://[2001:db8::1]/v1", True),
        (V1, "https://llm.example/v2", False),
        (V1, "https://llm.example:8443/v1", False),
        (V1, "https://other.example/v1", False),
        (V1, "https://llm.example/V1", False),
        ("http://localhost:8000/v1", "http://localhost:8001/v1", False),
        ("http://localhost:8000/v1", "http://10.0.0.1:8000/v1", False),
    ],
)
def test_spellings_of_one_server_are_one(one: str, other: str, same: bool) -> None:
    """Case, usual port, dots, slashes and this machine's names change nothing; anything else does."""
    assert (server_of(one) == server_of(other)) is same


def test_an_account_is_more_than_its_server() -> None:
    """Another organization is another account; an odd address of an earlier version is only itself."""
    mine = {"provider": "openai", "origin": V1, "organization": None, "project": None}
    assert same_account(mine, {**mine, "origin": "https://LLM.example:443/v1"})
    assert not same_account(mine, {**mine, "organization": "org-other"})
    odd = {**mine, "origin": "http://::1:8000/v1"}
    assert same_account(odd, odd) and not same_account(odd, mine)
