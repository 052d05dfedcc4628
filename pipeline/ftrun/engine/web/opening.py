"""How a command opens the engine's page: it asks the engine for a one-time code and makes the address."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Mapping
from typing import Any

from ftrun.engine.launch import Endpoint, ask_engine
from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.language import ENGLISH, screen_language

LONGEST_SECONDS = 600  # that a code can be valid
MOST_MODELS = 3  # that a page shows side by side at first; it can choose any other


def page_address(base_url: str, code: str = "") -> str:
    """Return the address of the page in the language of the screen; with a code, it opens the page once.

    What comes after `#` is sent to no server and no other page.
    """
    language = screen_language()
    query = "" if language == ENGLISH else f"?lang={language}"
    return f"{base_url.removesuffix('v1')}{query}" + (f"#code={code}" if code else "")


def issue_page(endpoint: Endpoint, page: Mapping[str, Any]) -> str:
    """Return the address that opens the page once, with what `POST /ftrun/pages` was given to show.

    Raises UsageError for a model that isn't there, DecisionError if the engine that runs has no page.
    """
    try:
        found = ask_engine(endpoint.base_url, endpoint.token, "/ftrun/pages", page)
    except urllib.error.HTTPError as error:
        raise _refused(error) from error
    except (OSError, ValueError) as error:
        raise FtrunError(f"The engine does not answer: {error}.", code="engine_hangs") from error
    return page_address(endpoint.base_url, found["code"])


def page_waits(endpoint: Endpoint, address: str) -> bool:
    """Return whether no browser has opened the address yet, though one still could."""
    code = address.partition("#code=")[2]
    try:
        found = ask_engine(endpoint.base_url, endpoint.token, f"/ftrun/pages/{code}/waiting")
    except (OSError, ValueError):
        return False
    return bool(found["waiting"])


def _refused(error: urllib.error.HTTPError) -> FtrunError:
    with error:
        told = json.load(error)["error"]
    if told["code"] == "model_not_found":
        return UsageError(told["message"], code="usage")
    return DecisionError(
        f"The engine that is running can't show this page: {told['message']}",
        code="engine_incompatible",
        hint="An older ftrun may have started it: end it with `ftrun serve --stop` and run this again",
    )
