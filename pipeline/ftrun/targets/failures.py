"""Owns the reading of failed calls: what an error of the SDK means for a paid call, and in words."""

from __future__ import annotations

import json
from typing import Any

import openai

from ftrun.errors import FtrunError
from ftrun.targets.service import NotCreated, Unclear

REFUSED = (400, 401, 403, 404, 413, 422)
NOT_ELIGIBLE = (
    "This account may not create fine-tuning jobs any more (OpenAI is closing its service). Train the same "
    "file elsewhere: `--target local`, or a target with another base_url."
)


def outcome_of(error: Exception) -> NotCreated | Unclear:
    """Tell whether a failed create certainly made no job."""
    if isinstance(error, openai.APIStatusError):
        told = describe(error)
        if error.status_code in REFUSED or (error.status_code == 429 and _has_api_body(error)):
            return NotCreated(reason=told, hint=_hint(error))
        return Unclear(reason=told)
    if isinstance(error, openai.APIConnectionError) and _never_sent(error):
        return NotCreated(reason=describe(error), hint="Nothing was sent. Run the same command again.")
    return Unclear(reason=describe(error))


def describe(error: Exception) -> str:
    """Return one line for the user: status, the API's own message, or what happened to the connection."""
    if isinstance(error, openai.APIStatusError):
        return f"HTTP {error.status_code}: {_api_message(error)}"
    cause = error.__cause__
    if isinstance(error, openai.APITimeoutError):
        return "the server did not answer in time"
    if isinstance(error, openai.APIConnectionError):
        return f"the connection failed ({type(cause).__name__ if cause else 'no reason given'})"
    if isinstance(error, json.JSONDecodeError):
        return "the server's answer was not JSON"
    return f"{type(error).__name__}: {error}"


def as_error(error: Exception, doing: str) -> FtrunError:
    """Return the error of a stage whose call failed; `doing` is a clause such as `uploading x`."""
    status = getattr(error, "status_code", None)
    code = {401: "wrong_key", 403: "forbidden", 404: "not_found", 429: "rate_limited"}.get(status or 0)
    return FtrunError(
        f"{doing}: {describe(error)}",
        code=code or ("unreachable" if status is None else "api_error"),
        hint=_hint(error) or "Nothing is lost: run the same command again.",
    )


def _never_sent(error: openai.APIConnectionError) -> bool:
    return type(error.__cause__).__name__ in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol")


def _body(error: openai.APIStatusError) -> dict[str, Any]:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        return inner if isinstance(inner, dict) else {}
    return {}


def _has_api_body(error: openai.APIStatusError) -> bool:
    return bool(_body(error).get("message"))


def _api_message(error: openai.APIStatusError) -> str:
    return str(_body(error).get("message") or "no message in the answer")[:500]


def _hint(error: Exception) -> str | None:
    if not isinstance(error, openai.APIStatusError):
        return None
    code = _body(error).get("code")
    if code == "training_not_available":
        return NOT_ELIGIBLE
    if code == "insufficient_quota":
        return "The account has no credit left; waiting does not help. Nothing was created."
    if error.status_code == 401:
        return "The server does not accept the key. Check the variable that the target's api_key_env names."
    return None
