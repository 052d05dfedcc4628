"""Why jobs fail, in words, and the next step: moderation, data, quota, the server itself."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ftrun.targets.service import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A kind of failure: its stable code, and what to do now."""

    code: str
    hint: str


AGAIN = "`--force train` creates another job (where that costs money it asks)"
MODEL = Cause(
    code="job_model",
    hint=f"The fault is the base model's: choose or repair what `targets.T.model` names. Then {AGAIN}.",
)
# what a server's own code says is certain; its words may be those of a library
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
            "category; take the examples that touch it out of the data. Changed data are another job, "
            "without --force; a model blocked after training can't be appealed to with the same data.",
        ),
    ),
    (
        re.compile(r"quota|billing|credit|insufficient|spend|payment|balance", re.IGNORECASE),
        Cause(
            code="job_quota",
            hint=f"The account ran out of credit or reached its limit. Top it up; then {AGAIN}.",
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
            "data are another job, without --force.",
        ),
    ),
    (
        re.compile(r"server_error|internal|timed? ?out|try again|unexpected|unavailable", re.IGNORECASE),
        Cause(code="job_server", hint=f"The failure is the provider's, not the data's: {AGAIN}."),
    ),
)


def cause_of(job: Job) -> Cause:
    """Return why a job ended without a model, as far as the server told it."""
    if job.status == "cancelled":
        return Cause(code="job_cancelled", hint=f"Somebody cancelled it; {AGAIN}.")
    if job.error_code in CODES:
        return CODES[job.error_code]
    told = PATH.sub("", f"{job.error_code or ''} {job.error or ''}")  # a folder may be called anything
    found = next((cause for pattern, cause in CAUSES if pattern.search(told)), None)
    return found or Cause(code="job_failed", hint=f"Mend the cause; {AGAIN}.")
