"""Explain why a job failed, and what to do next: moderation, data, quota, the server itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftrun.targets.service import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A kind of failure: its stable code, and what to do about it."""

    code: str
    hint: str


AGAIN = "`--force train` creates another job (if that costs money, it asks first)"
MODEL = Cause(
    code="job_model",
    hint=f"The base model is the problem: choose another or repair it (`targets.T.model`). Then {AGAIN}.",
)
# a server's own code is certain; its message may be a library's
CODES = dict.fromkeys(
    (
        *("model_not_loadable", "model_not_found", "no_model", "no_safetensors", "unsupported_architecture"),
        "unsupported_chat_template",
    ),
    MODEL,
)
PATH = re.compile(r"\S*[/\\]\S*")
CAUSES = (
    (
        re.compile(r"moderation|safety|usage polic|unsafe|content[ _]policy|harm|blocked", re.IGNORECASE),
        Cause(
            code="job_moderation",
            hint="The provider's moderation stopped it. Its events (`ftrun events CONFIG`) name the "
            "category; remove the examples that fall into it from the data. Changed data make another job, "
            "without --force. If the trained model itself was blocked, the same data will not help.",
        ),
    ),
    (
        re.compile(r"quota|billing|credit|insufficient|spend|payment|balance", re.IGNORECASE),
        Cause(
            code="job_quota",
            hint=f"The account ran out of credit or reached its limit. Add credit; then {AGAIN}.",
        ),
    ),
    (
        re.compile(
            r"invalid_(?:training|validation)?_?file|training[ _]file|validation[ _]file|too_few_examples"
            r"|invalid (?:data|format)|format of|\bline \d+|jsonl?\b|examples?\b",
            re.IGNORECASE,
        ),
        Cause(
            code="job_data",
            hint="The provider does not accept the data. `ftrun check CONFIG` names files and lines; changed "
            "data make another job, without --force.",
        ),
    ),
    (
        re.compile(r"server_error|internal|timed? ?out|try again|unexpected|unavailable", re.IGNORECASE),
        Cause(code="job_server", hint=f"The provider failed, not your data: {AGAIN}."),
    ),
)


def cause_of(job: Job) -> Cause:
    """Return why a job ended without a model, as far as the server says."""
    if job.status == "cancelled":
        return Cause(code="job_cancelled", hint=f"Someone cancelled it; {AGAIN}.")
    if job.error_code in CODES:
        return CODES[job.error_code]
    text = PATH.sub("", f"{job.error_code or ''} {job.error or ''}")  # a folder may have any name
    found = next((cause for pattern, cause in CAUSES if pattern.search(text)), None)
    return found or Cause(code="job_failed", hint=f"Fix the cause; {AGAIN}.")
