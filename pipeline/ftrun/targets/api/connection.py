"""Owns the openai SDK's clients: how often and how long they try, and that they never follow a redirect."""

from __future__ import annotations

from typing import Any

import httpx2
import openai

READ_RETRIES = 4
TIMEOUT = httpx2.Timeout(120.0, connect=10.0)  # seconds


class Connection:
    """A client for a server of the protocol; the calls of `files`, `jobs` and `chat` are made on it."""

    def __init__(
        self,
        *,
        base_url: str,
        key: str,
        organization: str | None,
        project: str | None,
        honours_keys: bool = False,
    ) -> None:
        self.honours_keys = honours_keys
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "api_key": key,
            "organization": organization,
            "project": project,
        }
        self._client = self._make_client(READ_RETRIES)

    def _make_client(self, retries: int) -> openai.OpenAI:
        # no redirects: a body that is paid for, and the key, go to the named server or nowhere
        http = httpx2.Client(follow_redirects=False, timeout=TIMEOUT)
        return openai.OpenAI(**self._options, max_retries=retries, http_client=http)

    def close(self) -> None:
        """Close connections."""
        self._client.close()
