"""Read failed calls: what an error of the SDK means for a paid call, and how to explain it."""

from __future__ import annotations

import contextlib
import email.utils
import json
import re
import time
from datetime import datetime
from typing import Any

import openai

from ftrun.targets.api.unreachable import AGAIN, network_trouble, origin
from ftrun.targets.errors import NotFoundError, ServiceError, is_api_error
from ftrun.targets.limits import NO_LIMITS, limits_of
from ftrun.targets.service import NotCreated, Unclear

REFUSED = (400, 401, 403, 404, 413, 422)
NOTHING_MADE = (402, 405, 415)  # no credit, no such call, another kind of request
LOGIN_WANTED = 511  # from a network in front of the server
FOREIGN = ("refused", "forbidden")  # what a proxy in between also answers, in its own words
PASSING = (408, 409, 425, 429)  # 4xx after which the same call may succeed later
CODES = {401: "wrong_key", 403: "forbidden", 404: "not_found", 429: "rate_limited"}
QUOTA = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "exceeded_current_quota")
# causes of a failed connection after which nothing was sent; a ProxyError is a tunnel that was refused
NEVER_SENT = ("ConnectError", "ConnectTimeout", "ProxyError", "UnsupportedProtocol")
# what reading an answer that does not follow the protocol raises, in our code or the SDK's; JSON of a hundred
# thousand brackets is a RecursionError
SHAPE = (ValueError, TypeError, AttributeError, KeyError, RecursionError)
PAYMENT_REQUIRED = 402
LOST = (408, 409, 425)  # 4xx after which the server may have answered
OUT_OF_CREDIT = re.compile(
    r"insufficient[ _](?:quota|funds|balance|credits?)|out of credits?|no credits?\b|credit balance|top up"
    r"|billing (?:hard )?limit|payment (?:method|required)|billing (?:is )?not (?:active|enabled)",
    re.IGNORECASE,
)
DAILY = re.compile(r"\b(?:daily|per[ -]day|rpd|tpd|in 24 ?h(?:ours)?|today|tomorrow)\b", re.IGNORECASE)
QUEUE = re.compile(
    r"\b(?:active|concurrent|pending|queued|running|simultaneous)\b.{0,40}\b(?:jobs?|requests?|fine-?tun)"
    r"|too_many_jobs|queue is full",
    re.IGNORECASE | re.DOTALL,
)
HINTS = {
    "not_eligible": "This account may no longer create fine-tuning jobs (OpenAI is closing its service): "
    "waiting, or another key of the account, does not help. Train the same file on this machine, or "
    "on a target with another provider or base_url (docs/targets.md); models tuned earlier answer until "
    "their "
    "shutdown date.",
    "quota": "The account has no credit left or has reached its spending limit; waiting does not help. "
    "Nothing was created.",
    "wrong_key": "The server does not accept the key. Check the variable that the target's api_key_env "
    "names.",
    "redirected": "ftrun sends keys and data to the named server only. Set base_url to the final address; "
    "or, if the network or a proxy wants a login, log in with a browser first.",
    "login_wanted": "The network or a proxy wants a login: log in with a browser, then run the same command "
    "again.",
    "unreadable_answer": "Is base_url the API's address, with its /v1? A proxy, or a network that wants a "
    "login, answers with a page of its own, too: open the address in a browser.",
    "refused": "The server does not accept this request, and won't accept it the next time: fix what its "
    "message names.",
    "forbidden": "This key may not do that on this server: check its project and its permissions.",
    "not_found": "Is base_url correct, with its /v1? If so, the server has nothing by that name for this "
    "key.",
    "foreign": "The answer is not an error of the API: it may come from a proxy or a gateway. Check the "
    "target's address, and what is between this machine and the server.",
    "queue_full": "This is not an error: your account has as many running jobs as it may have. Run the same "
    "command again when one has ended (`ftrun ls jobs CONFIG`).",
}


JOB_HINTS = {
    400: "Nothing was paid. The server would refuse the same request again: change what its message names in "
    "the experiment file. What a server does not take can be left out with `capabilities` of the target "
    "(docs/targets.md).",
    403: "Nothing was paid. This key or account may not create fine-tuning jobs here. Check the role of the "
    "key and its project at the provider, whether fine-tuning is enabled for the account, the region, and "
    "`organization` and `project` of the target.",
    404: "Nothing was paid. Is base_url correct, with its /v1? If so, this server has no fine-tuning "
    "jobs, or "
    "does not have the model or file that the message names.",
    405: "Nothing was paid. This server has no fine-tuning jobs at that address: check base_url, with its "
    "/v1.",
    413: "Nothing was paid. The request or its file is too large for this server: use fewer rows "
    "(`limit` of the source), shorter ones, or another target.",
    415: "Nothing was paid. This server expects another kind of request: is base_url the address of an "
    "API like "
    "OpenAI's, with its /v1?",
}


def outcome_of(error: Exception) -> NotCreated | Unclear:
    """Return whether a failed create certainly created no job, which only an error of the API itself proves.
    A proxy that filters answers gives its own 4xx after the server has created the job.
    """
    if isinstance(error, openai.APIStatusError):
        reason = describe(error)
        if not in_api_form(error):
            return Unclear(reason=f"{reason}; this is not an error of the API, it may come from a proxy")
        if error.status_code in (*REFUSED, *NOTHING_MADE, 429):
            return NotCreated(
                reason=reason,
                hint=_job_hint(error),
                code=code_of(error),
                retry_after=retry_after(error),
                told=error.body,
            )
        return Unclear(reason=reason)
    if isinstance(error, openai.APIConnectionError) and type(error.__cause__).__name__ in NEVER_SENT:
        return NotCreated(reason=describe(error), hint=f"Nothing was sent. {_hint(error)}")
    return Unclear(reason=describe(error))


def _job_hint(error: openai.APIStatusError) -> str:
    """Return what to check where the server refuses to create a job."""
    if code_of(error) == "refused":
        return JOB_HINTS.get(error.status_code, JOB_HINTS[400])
    return JOB_HINTS.get(error.status_code, _hint(error)) if error.status_code in (403, 404) else _hint(error)


def describe(error: Exception) -> str:
    """Return one line for the user: status, the API's own message, or what happened to the connection."""
    if isinstance(error, openai.APIStatusError):
        return _status_words(error)
    if isinstance(error, openai.APIConnectionError):
        return network_trouble(error)[0]
    if isinstance(error, json.JSONDecodeError):
        return "the server's answer was not JSON"
    if isinstance(error, ValueError):
        return str(error)
    if isinstance(error, SHAPE):
        return "the server's answer does not follow the protocol"
    return f"{type(error).__name__}: {error}"


def _status_words(error: openai.APIStatusError) -> str:
    """Return status and message; if the API says nothing, also who answered and where it points to."""
    if _body(error).get("message"):
        return f"HTTP {error.status_code}: {_api_message(error)}"
    to = origin(error.response.url.join(error.response.headers.get("location", "")))
    points = f", which points to {to}" if 300 <= error.status_code < 400 else ""
    return f"HTTP {error.status_code} from {origin(error.request.url)}{points}: {_api_message(error)}"


def as_error(error: Exception, doing: str, asked: str = "", *, parameter: str | None = None) -> ServiceError:
    """Return the error for a failed call; `doing` is a phrase such as `uploading x`, `asked` the address of
    the last request, `parameter` what the server refuses.
    """
    code = code_of(error)
    at = f" ({asked})" if code == "unreadable_answer" else ""
    kind = NotFoundError if code == "not_found" else ServiceError
    return kind(
        f"{doing}: {describe(error)}{at}",
        code=code,
        hint=_hint(error),
        retry_after=retry_after(error),
        parameter=parameter,
        certain=not isinstance(error, openai.APIStatusError) or in_api_form(error),
        lost=_is_lost(error),
        limits=limits_of(error.response.headers) if isinstance(error, openai.APIStatusError) else NO_LIMITS,
    )


def _is_lost(error: Exception) -> bool:
    """Return whether the server may have done the work, and its answer was lost or is an error."""
    if isinstance(error, openai.APIStatusError):
        return error.status_code in LOST or error.status_code >= 500
    if isinstance(error, openai.APIConnectionError):
        return type(error.__cause__).__name__ not in NEVER_SENT
    return True  # the answer could not be read


def in_api_form(error: openai.APIStatusError) -> bool:
    """Return whether the answer is an error in the API's own form."""
    try:
        answer = json.loads(error.response.content)
    except (ValueError, RecursionError):
        return False
    return is_api_error(answer)


def code_of(error: Exception) -> str:
    """Return the stable code of what went wrong."""
    if isinstance(error, SHAPE) and not isinstance(error, openai.OpenAIError):
        return "unreadable_answer"
    if not isinstance(error, openai.APIStatusError):
        return "unreachable"
    body = _body(error)
    code, status = str(body.get("code") or ""), error.status_code
    if code == "training_not_available":
        return "not_eligible"
    if code in QUOTA or body.get("type") in QUOTA:
        return "quota"
    if status == PAYMENT_REQUIRED or (
        status != 429 and OUT_OF_CREDIT.search(f"{code} {body.get('message')}")
    ):
        return "quota"
    if status == 429:
        return _limit(f"{code} {body.get('message')}")
    if 300 <= status < 400:
        return "redirected"
    refused = 400 <= status < 500 and status not in PASSING
    return CODES.get(status, "refused" if refused else "api_error")


def _limit(message: str) -> str:
    """Return which limit a 429 means: the daily one, that of running jobs, or a short one."""
    if DAILY.search(message):
        return "daily_limit"
    return "queue_full" if QUEUE.search(message) else "rate_limited"


def retry_after(error: Exception) -> float | None:
    """Return the seconds of an answer's Retry-After (a number or a date), None if there is none. OpenAI and
    Azure give milliseconds as well.
    """
    if not isinstance(error, openai.APIStatusError):
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(error.response.headers.get("retry-after-ms", "")) / 1000)
    value = error.response.headers.get("retry-after")
    if not value:
        return None
    with contextlib.suppress(ValueError):  # else it is a date
        return max(0.0, float(value))
    try:
        at = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    # by the server's clock if the answer has it: ours may be days off
    now = email.utils.parsedate_tz(error.response.headers.get("date") or "")
    return max(0.0, at.timestamp() - (email.utils.mktime_tz(now) if now else time.time()))


def _body(error: openai.APIStatusError) -> dict[str, Any]:
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error", body)
        return inner if isinstance(inner, dict) else {}
    return {}


def _api_message(error: openai.APIStatusError) -> str:
    text = error.body if isinstance(error.body, str) and not error.body.startswith("<") else None
    message = _body(error).get("message") or _body(error).get("detail") or text or "no message in the answer"
    return (message if isinstance(message, str) else json.dumps(message, ensure_ascii=False))[:500]


def _hint(error: Exception) -> str:
    """Return what to check; suggest the same command again only if that can help."""
    if isinstance(error, openai.APIConnectionError):
        return network_trouble(error)[1]
    code, pause = code_of(error), retry_after(error)
    if isinstance(error, openai.APIStatusError):
        if error.status_code == LOGIN_WANTED:
            return HINTS["login_wanted"]
        body = _body(error)
        if code in FOREIGN and not (body.get("message") or body.get("detail")):
            return HINTS["foreign"]
    if code == "daily_limit":
        return f"This is not an error: the account has reached its daily limit. Come back {_when(pause)}."
    if code == "rate_limited" and pause:
        return f"The server asks to wait: run the same command again {_when(pause)}."
    return HINTS.get(code, AGAIN)


def _when(pause: float | None) -> str:
    if not pause or pause > 10 * 86400:  # nothing said, or nonsense
        return "tomorrow"
    at = datetime.fromtimestamp(time.time() + pause)
    return f"after {at:%H:%M}" if pause < 3600 * 12 else f"after {at:%Y-%m-%d %H:%M}"
