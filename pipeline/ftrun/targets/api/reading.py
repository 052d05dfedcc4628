"""Owns the reading of answers: the SDK does not validate them, so what is missing, null or wrong is met here.

Makes no call.
"""

from __future__ import annotations

import base64
import binascii
import io
from typing import Any

from ftrun.errors import FtrunError
from ftrun.targets.service import Event, Job


def job_of(raw: Any) -> Job:
    """Return our Job from the SDK's unvalidated one; ValueError when it names no job."""
    if not isinstance(getattr(raw, "id", None), str):
        raise ValueError("the server's answer is no fine-tuning job")
    error = getattr(raw, "error", None)
    message = getattr(error, "message", None)
    return Job(
        id=raw.id,
        status=str(raw.status),
        model=str(raw.model),
        training_file=str(raw.training_file),
        validation_file=getattr(raw, "validation_file", None) or None,
        suffix=getattr(raw, "user_provided_suffix", None) or getattr(raw, "suffix", None) or None,
        fine_tuned_model=getattr(raw, "fine_tuned_model", None) or None,
        error=str(message) if message else None,
        created_at=getattr(raw, "created_at", None),
        finished_at=getattr(raw, "finished_at", None),
        estimated_finish=getattr(raw, "estimated_finish", None),
        trained_tokens=getattr(raw, "trained_tokens", None),
        seed=getattr(raw, "seed", None),
        hyperparameters=_hyperparameters(raw),
        result_files=tuple(_file_id(item) for item in getattr(raw, "result_files", None) or ()),
        metadata=dict(getattr(raw, "metadata", None) or {}),
    )


def _hyperparameters(raw: Any) -> dict[str, Any]:
    method = getattr(raw, "method", None)
    supervised = getattr(method, "supervised", None)
    found = getattr(supervised, "hyperparameters", None) or getattr(raw, "hyperparameters", None)
    return found.model_dump(exclude_none=True) if found is not None and hasattr(found, "model_dump") else {}


def _file_id(item: Any) -> str:
    return item if isinstance(item, str) else str(getattr(item, "id", None) or item["id"])


def event_of(raw: Any) -> Event:
    data = getattr(raw, "data", None)
    return Event(
        id=str(raw.id),
        created_at=int(raw.created_at),
        level=str(raw.level),
        message=str(raw.message),
        data=data if isinstance(data, dict) else {},
    )


def decode_csv(content: bytes) -> str:
    text = content.decode("utf-8-sig", errors="strict") if content else ""
    if "," not in text and text.strip():
        try:
            return io.BytesIO(base64.b64decode(text, validate=True)).read().decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise FtrunError("the result file is neither CSV nor base64 of it", code="result_file") from error
    return text
