"""Owns what is kept of every model that was trained: configuration, metrics and answers, by spec key.

A later run that comes back to a configuration takes them from here, also where the server is gone or the
clone is fresh; nothing kept here is ever asked or paid for again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftrun.files import write_atomic, write_json
from ftrun.stages.context import Context
from ftrun.stages.spec import spec_key
from ftrun.state import JobRecord, State
from ftrun.state.forms import check_result
from ftrun.text import without_formulas

FOLDER, ENTRY, METRICS, ANSWERS = "history", "model.json", "metrics.csv", "answers.jsonl"
KEPT = (METRICS, "scores.json", "report.md")
TOLD = (  # of a job
    *("job_id", "status", "attempt", "fine_tuned_model", "adopted", "created_at", "finished_at"),
    *("trained_tokens", "hyperparameters", "spec"),
)


def kept_folder(run: Path, key: str) -> Path:
    """Return where, of a run folder, the model with this spec key is kept."""
    return run / FOLDER / key[:16]


def keep(context: Context) -> None:
    """Keep the model of the present configuration with all that was found out about it."""
    key = spec_key(context)
    job, waited = context.state.jobs.get(key), context.state.stages.get("wait")
    if job is None or waited is None or waited.status != "done" or waited.result.get("spec") != key:
        return
    folder = kept_folder(context.folder, key)
    evaluated = context.state.stages.get("evaluate")
    metrics = evaluated.result.get("metrics", {}) if evaluated and evaluated.status == "done" else {}
    entry = {
        "spec_key": key,
        "spec": job.spec,
        "wait": waited.result,
        "data": _data(context),
        "metrics": metrics,
    }
    write_json(folder / ENTRY, entry)
    for name in KEPT:
        if (context.folder / name).exists():
            write_atomic(folder / name, (context.folder / name).read_bytes())
    _keep_answers(context, folder)


def _data(context: Context) -> dict[str, Any]:
    """Return how much the model learned from."""
    checked = context.result("check")
    return {name: checked.get(name) for name in ("examples", "train_tokens")}


def _keep_answers(context: Context, folder: Path) -> None:
    """Keep the present answers, and those that the same models gave to earlier questions."""
    from ftrun.evaluation.cache import (  # a run with nothing to do needs none
        CACHE,
        read_records,
        write_records,
    )

    now = read_records(context.folder / ANSWERS)
    seen, models = {record.cache_key for record in now}, {record.model for record in now}
    earlier = (*read_records(folder / ANSWERS), *read_records(context.folder / CACHE))
    others = {record.cache_key: record for record in earlier if record.model in models}
    write_records(folder, [*now, *(one for key, one in others.items() if key not in seen)])


def recalled(context: Context) -> Mapping[str, Any] | None:
    """Return what waiting for this job found once, with its metrics put back; None if nothing is kept."""
    folder = kept_folder(context.folder, spec_key(context))
    try:
        entry = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
        found: dict[str, Any] = entry["wait"]
        metrics = without_formulas((folder / METRICS).read_bytes().decode())
        if found.get("spec") != spec_key(context):
            return None
        check_result("wait", found, "wait", done=True)  # it goes into the state
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # the server is asked instead
    write_atomic(context.folder / METRICS, metrics)
    return found


def history(state: State, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every job of a state, oldest first, with configuration, scores, cost and place of its answers."""
    from ftrun.state.ledger import NAME, effects, read_ledgers

    waited = state.stages.get("wait")
    current = waited.result.get("spec") if waited else None
    found = effects(read_ledgers([folder / NAME]))
    costs = {one.effect: one for one in found}
    # a job that was adopted after a lost state was paid for by the effect that names it
    paid = {one.what: one for one in found if one.kind == "job" and one.standing == "actual"}
    for key, job in sorted(state.jobs.items(), key=lambda item: item[1].created_at or 0):
        kept = kept_folder(folder, key)
        entry = _entry(kept)
        cost = paid.get(job.job_id) or costs.get(job.intent or job.job_id)
        yield {
            "spec_key": key,
            "current": key == current,
            **_facts(job),
            "usd": cost.usd if cost else None,
            "examples": _mapping(entry, "data").get("examples"),
            "metrics": _mapping(entry, "metrics"),
            "answers": str(kept / ANSWERS) if (kept / ANSWERS).exists() else None,
        }


def _facts(job: JobRecord) -> dict[str, Any]:
    return {name: getattr(job, name) for name in TOLD}


def _entry(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _mapping(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = entry.get(name)
    return found if isinstance(found, dict) else {}
