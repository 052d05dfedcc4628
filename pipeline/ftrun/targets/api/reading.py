"""Read answers: the SDK does not validate them, so what is missing, null or wrong is handled here.

Makes no call. A ValueError means that the answer is not what was asked for.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import math
from datetime import UTC, datetime
from typing import Any

from ftrun.errors import FtrunError
from ftrun.targets.limits import NO_LIMITS, RateLimits
from ftrun.targets.refusals import FILTERED
from ftrun.targets.service import Event, Job, RemoteFile, RemoteModel, RemoteUpload, Reply

END_OF_TIME = 32_503_680_000  # the year 3000, in Unix seconds
MOST = 2**63  # the largest count that is believed
MOST_METADATA = 64  # pairs that are read; the protocol has 16


def job_of(raw: Any) -> Job:
    """Return our Job from the SDK's unvalidated one; ValueError if it has no id."""
    return Job(
        id=_id(raw, "fine-tuning job"),
        status=_status(raw),
        model=_name(raw, "model") or "",
        training_file=_file_id(raw, "training_file") or "",
        validation_file=_file_id(raw, "validation_file"),
        suffix=_text(raw, "user_provided_suffix") or _text(raw, "suffix"),
        fine_tuned_model=_text(raw, "fine_tuned_model"),
        error=_error(raw),
        error_code=_text(getattr(raw, "error", None), "code"),
        created_at=_time(raw, "created_at"),
        finished_at=_time(raw, "finished_at"),
        estimated_finish=_time(raw, "estimated_finish"),
        trained_tokens=_whole(raw, "trained_tokens"),
        dtype=_text(raw, "dtype"),
        seed=_whole(raw, "seed"),
        hyperparameters=_hyperparameters(raw),
        result_files=_result_files(raw),
        metadata=_metadata(raw),
        method=_method(raw),
        grader=_grader(raw),
        document=_document(raw),
    )


def file_of(raw: Any) -> RemoteFile:
    """Return our RemoteFile from the SDK's unvalidated one; ValueError if it has no id."""
    return RemoteFile(
        id=_id(raw, "file"),
        name=_text(raw, "filename") or "",
        bytes=_whole(raw, "bytes") or 0,
        purpose=_text(raw, "purpose") or "",
        status=_text(raw, "status"),
        status_details=_text(raw, "status_details"),
        created_at=_time(raw, "created_at"),
        expires_at=_time(raw, "expires_at"),
    )


def upload_of(raw: Any) -> RemoteUpload:
    """Return our RemoteUpload from the SDK's unvalidated one; ValueError if it has no id."""
    return RemoteUpload(id=_id(raw, "upload"), expires_at=_time(raw, "expires_at"))


def part_of(raw: Any) -> str:
    """Return the id of a part of an upload; ValueError if there is none."""
    return _id(raw, "part of an upload")


def model_of(raw: Any) -> RemoteModel:
    """Return our RemoteModel from the SDK's unvalidated one; ValueError if it has no id.

    `shutdown_date` is OpenAI's; `capabilities.fine_tune` and `deprecation` are Azure's.
    """
    capabilities, told = getattr(raw, "capabilities", None), getattr(raw, "deprecation", None)
    tunable = capabilities.get("fine_tune") if isinstance(capabilities, dict) else None
    deprecation = told if isinstance(told, dict) else {}
    return RemoteModel(
        id=_id(raw, "model"),
        created_at=_time(raw, "created"),
        owned_by=_text(raw, "owned_by"),
        shutdown_date=_day(getattr(raw, "shutdown_date", None)),
        fine_tunable=tunable if isinstance(tunable, bool) else None,
        training_ends=_moment(deprecation.get("fine_tune")),
        answers_end=_moment(deprecation.get("inference")),
    )


def event_of(raw: Any) -> Event:
    """Return our Event from the SDK's unvalidated one; ValueError if it has no id."""
    data = getattr(raw, "data", None)
    return Event(
        id=_id(raw, "event"),
        created_at=_time(raw, "created_at") or 0,
        level=_text(raw, "level") or "info",
        message=_text(raw, "message") or "",
        data=data if isinstance(data, dict) else {},
    )


def checkpoint_of(raw: Any) -> dict[str, Any]:
    """Return step, model and metrics of a checkpoint."""
    metrics: Any = getattr(raw, "metrics", None)
    return {
        "step": _whole(raw, "step_number") or 0,
        "model": _text(raw, "fine_tuned_model_checkpoint"),
        "metrics": metrics.model_dump(exclude_none=True, warnings=False)
        if hasattr(metrics, "model_dump")
        else {},
    }


def decode_csv(content: bytes) -> str:
    """Return the text of a result file, decoded if it is base64. FtrunError if it is neither."""
    try:
        text = content.decode("utf-8-sig")
        if "," in text or not text.strip():
            return text
        return base64.b64decode(text, validate=True).decode("utf-8-sig")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise FtrunError("the result file is neither CSV nor base64 of it", code="result_file") from error


def _id(raw: Any, kind: str) -> str:
    """Return the id, which must be printable: a user must be able to type it in a command."""
    name = _text(raw, "id")
    if name is None or not name.isprintable():
        raise wrong_answer(raw, kind)
    return name


def wrong_answer(raw: Any, kind: str) -> ValueError:
    """Return the error for an answer that is not what was asked for, such as a web page."""
    page = isinstance(raw, str) and raw.lstrip().startswith("<")
    return ValueError(f"the server's answer is {'a web page, ' if page else ''}not a {kind}")


def _text(raw: Any, name: str) -> str | None:
    value = raw.get(name) if isinstance(raw, dict) else getattr(raw, name, None)
    return value if isinstance(value, str) and value else None


def _name(raw: Any, name: str) -> str | None:
    """Return an id; some servers give the whole object."""
    return _text(raw, name) or _text(getattr(raw, name, None), "id")


def _file_id(raw: Any, name: str) -> str | None:
    """Return a file's id; some servers give the whole file, or the path to it."""
    parts = [part for part in (_name(raw, name) or "").split("/") if part not in ("", "content")]
    return parts[-1] if parts else None


def _whole(raw: Any, name: str) -> int | None:
    return _number(getattr(raw, name, None))


def _time(raw: Any, name: str) -> int | None:
    return _moment(getattr(raw, name, None))


def _day(value: Any) -> str | None:
    """Return a date as text; a number is one in Unix seconds."""
    if isinstance(value, str):
        return value or None
    moment = _moment(value)
    return None if moment is None else datetime.fromtimestamp(moment, UTC).date().isoformat()


def _moment(value: Any) -> int | None:
    found = _number(value)
    return found if found is not None and found < END_OF_TIME else None


def _number(value: Any) -> int | None:
    """Return a count or a time, even if it is given as text; None if it is negative or not finite."""
    with contextlib.suppress(ValueError):
        value = float(value) if isinstance(value, str) else value
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    return int(value) if usable and 0 <= value < MOST else None


def reply_of(content: bytes, seconds: float, limits: RateLimits = NO_LIMITS) -> Reply:
    """Return the reply that the body of a chat completion holds; ValueError if it has no message."""
    answer: Any = json.loads(content) if content.strip() else None
    if isinstance(answer, dict) and _text(answer.get("error"), "code") == FILTERED:  # of the question
        return Reply(
            text="",
            usage=_usage(None),
            seconds=seconds,
            refusal=FILTERED,
            limits=limits,
            finish_reason=FILTERED,
        )
    try:
        choice = answer["choices"][0]
        said = choice["message"]
        text, refused = str(said.get("content") or ""), said.get("refusal")
        ending, calls = choice.get("finish_reason"), said.get("tool_calls")
    except (AttributeError, IndexError, KeyError, TypeError):
        raise ValueError("the server's answer has no message") from None
    refusal = None
    if ending == FILTERED:
        refusal = FILTERED
    elif not text and isinstance(refused, str) and refused:
        text, refusal = refused, "model"
    return Reply(
        text=text,
        usage=_usage(answer.get("usage")),
        seconds=seconds,
        cut=ending == "length",
        refusal=refusal,
        tool_calls=tuple(one for one in calls if isinstance(one, dict)) if isinstance(calls, list) else (),
        limits=limits,
        finish_reason=_text(choice, "finish_reason"),
        system_fingerprint=_text(answer, "system_fingerprint"),
    )


def _usage(usage: Any) -> dict[str, int]:
    """Return the token counts of a chat completion; 0 if one is missing, and a total only if there is one."""
    told = usage if isinstance(usage, dict) else {}
    counts = {name: _number(told.get(name)) or 0 for name in ("prompt_tokens", "completion_tokens")}
    total = _number(told.get("total_tokens"))
    return {**counts, "total_tokens": total} if total else counts


def _status(raw: Any) -> str:
    """Return the status, `unknown` if it is missing; some servers spell `cancelled` with one l."""
    status = _text(raw, "status") or "unknown"
    return "cancelled" if status == "canceled" else status


def _error(raw: Any) -> str | None:
    """Return the reason for a failure; `error: {}` and an error without a message are none."""
    error = getattr(raw, "error", None)
    return error if isinstance(error, str) and error else _text(error, "message")


def _hyperparameters(raw: Any) -> dict[str, Any]:
    method = getattr(raw, "method", None)
    settings = getattr(method, str(getattr(method, "type", "supervised")), None)
    found: Any = getattr(settings, "hyperparameters", None) or getattr(raw, "hyperparameters", None)
    return found.model_dump(exclude_none=True, warnings=False) if hasattr(found, "model_dump") else {}


def _method(raw: Any) -> str:
    """Return the method; jobs from before there were several don't say."""
    return _text(getattr(raw, "method", None), "type") or "supervised"


def _grader(raw: Any) -> dict[str, Any] | None:
    grader = _document(getattr(getattr(raw, "method", None), _method(raw), None)).get("grader")
    return grader if isinstance(grader, dict) else None


def _document(raw: Any) -> dict[str, Any]:
    """Return an object of the SDK as JSON values, nothing if it is none."""
    if not hasattr(raw, "model_dump"):
        return raw if isinstance(raw, dict) else {}
    found: dict[str, Any] = raw.model_dump(exclude_unset=True, warnings=False)
    return found


def _result_files(raw: Any) -> tuple[str, ...]:
    """Return the ids; some servers give whole files."""
    listed = getattr(raw, "result_files", None)
    ids = [
        one if isinstance(one, str) else _text(one, "id")
        for one in (listed if isinstance(listed, list) else ())
    ]
    return tuple(one for one in ids if one)


def _metadata(raw: Any) -> dict[str, str]:
    found = getattr(raw, "metadata", None)
    if not isinstance(found, dict):
        return {}
    pairs = list(found.items())[:MOST_METADATA]
    return {key: value for key, value in pairs if isinstance(key, str) and isinstance(value, str)}
