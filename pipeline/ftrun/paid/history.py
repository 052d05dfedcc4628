"""The archive of every model that was trained: configuration, metrics and answers, by spec key.

A later run that comes back to a configuration takes them from here, also where the server is gone or the
clone is fresh; nothing in it is ever asked or paid for again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftrun.experiment.places import shown_path
from ftrun.files import write_atomic, write_json
from ftrun.paid.job_spec import spec_key
from ftrun.state import State
from ftrun.state.forms import check_result
from ftrun.text import without_formulas
from ftrun.workflow.context import Context
from ftrun.workflow.decision import shortened

FOLDER, ENTRY, METRICS, ANSWERS = "history", "model.json", "metrics.csv", "answers.jsonl"
SCORES, REPORT = "scores.json", "report.md"
JOB_FACTS = (
    *("job_id", "status", "attempt", "fine_tuned_model", "adopted", "created_at", "finished_at"),
    *("trained_tokens", "hyperparameters", "spec"),
)


def archive_folder(run: Path, key: str) -> Path:
    """Return the folder, in a run folder, with the archive of the model with this spec key."""
    return run / FOLDER / key[:16]


def archive_of(context: Context) -> Path:
    """Return the folder with the archive of the present configuration's model."""
    return archive_folder(context.folder, spec_key(context))


def archive(context: Context, *, answers: bool, reported: bool = False) -> None:
    """Archive the model of the present configuration with everything that is known of it.

    What is archived already never becomes less: a fresh clone, or a run without questions, knows less.
    `answers`, `reported`: answers.jsonl, and report.md too, are the present configuration's.
    """
    key = spec_key(context)
    job, waited = context.state.jobs.get(key), context.state.stages.get("wait")
    if job is None or waited is None or waited.status != "done" or waited.result.get("spec") != key:
        return
    folder = archive_of(context)
    before = _entry(folder)
    same_job = _mapping(before, "wait").get("job_id") in (None, waited.result.get("job_id"))
    scores = evaluated(context, key) if answers else None
    answered = scores is not None and archive_answers(context, present=True)
    checked = context.result("check")
    learned_from = {name: checked.get(name) for name in ("examples", "train_tokens")}
    entry = {
        **before,
        "spec_key": key,
        "spec": job.spec,
        "wait": _fuller(_mapping(before, "wait"), waited.result) if same_job else waited.result,
        "data": _fuller(_mapping(before, "data"), learned_from),
        "metrics": scores or _mapping(before, "metrics"),
        **(_decided(context) if scores is not None else {}),
    }
    if not before and (folder / ENTRY).exists():
        context.emit("warning", message=f"{shown_path(folder / ENTRY)} is damaged: it is rewritten")
    if entry != before:
        write_json(folder / ENTRY, entry)
    _keep_metrics(context, folder, same_job=same_job)
    # without a question there is nothing new to add to archived answers
    if scores is not None and (answered or not (folder / ANSWERS).exists()):
        for name in (SCORES, *((REPORT,) if reported else ())):
            _write_changed(folder / name, _bytes(context.folder / name))


def _decided(context: Context) -> dict[str, Any]:
    """Return the verdict and the gates of the present evaluation, where it has them."""
    found = context.result("evaluate")
    return {name: found[name] for name in ("verdict", "gates") if found.get(name)}


def evaluated(context: Context, key: str) -> Mapping[str, Any] | None:
    """Return the scores of the present configuration's evaluation, None where it was not evaluated yet."""
    record = context.state.stages.get("evaluate")
    if record is None or record.status != "done":
        return None
    if record.inputs.get("job") != shortened({"job": key})["job"]:
        return None
    return _mapping(record.result, "metrics")


def _fuller(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known now, and what was known before of that which is now unknown or empty."""
    return {**before, **{name: value for name, value in now.items() if before.get(name) is None or value}}


def _keep_metrics(context: Context, folder: Path, *, same_job: bool) -> None:
    """Archive the training curve, unless the archived one of this job has measurements that it lacks."""
    kept, now = _bytes(folder / METRICS), _bytes(context.folder / METRICS)
    if kept is None or (_measured(now) >= _measured(kept) if same_job else _measured(now)):
        _write_changed(folder / METRICS, now)


def _measured(metrics: bytes | None) -> set[tuple[int, str]]:
    """Return which values a training curve has: of which step, and of which series."""
    from ftrun.evaluation.learning_curve.metric_rows import parse_metrics

    rows = parse_metrics((metrics or b"").decode("utf-8", "replace"))
    return {
        (row.step, name)
        for row in rows
        for name, value in dataclasses.asdict(row).items()
        if name != "step" and value is not None
    }


def archive_answers(context: Context, *, present: bool = False) -> bool:
    """Archive every answer of the present model; return whether there are present ones.

    Those to the present questions (`present`: answers.jsonl has them) come first, then all that was
    archived before, byte for byte, then what was asked since.
    """
    from ftrun.evaluation.answer_files import (  # a run with nothing to do needs none
        CACHE,
        line_of,
        read_lines,
        read_records,
    )

    path = archive_of(context) / ANSWERS
    others = models_of_others(context)
    now = [one for one in read_records(context.folder / ANSWERS) if present and one.model not in others]
    present_ones = {(one.cache_key, one.candidate, one.answer) for one in now}
    lines, known = [line_of(one) for one in now], {(one.cache_key, one.answer) for one in now}
    for _, line, record in read_lines(path):
        if record is None or (record.cache_key, record.candidate, record.answer) not in present_ones:
            lines.append(line)
        if record is not None:
            known.add((record.cache_key, record.answer))
    for record in read_records(context.folder / CACHE):
        if record.model not in others and (record.cache_key, record.answer) not in known:
            known.add((record.cache_key, record.answer))
            lines.append(line_of(record))
    if lines:
        _write_changed(path, b"".join(dict.fromkeys(lines)))
    return bool(now)


def warn_damaged(context: Context) -> None:
    """Warn of every line of archived answers that can't be read: it is kept, and counts as not answered."""
    from ftrun.evaluation.answer_files import read_lines

    for path in sorted(context.folder.glob(f"{FOLDER}/*/{ANSWERS}")):
        for number, _, record in read_lines(path):
            if record is None:
                where = f"{shown_path(path)}:{number}"
                context.emit("warning", message=f"{where}: not an answer; the line is kept, but not used")


def models_of_others(context: Context) -> set[str | None]:
    """Return the tuned models of other configurations: their answers are archived with them."""
    key = spec_key(context)
    return {job.fine_tuned_model for other, job in context.state.jobs.items() if other != key}


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def _write_changed(path: Path, data: bytes | None) -> None:
    """Write `data` unless the file holds it already."""
    if data is not None and data != _bytes(path):
        write_atomic(path, data)


def restore_wait(context: Context) -> Mapping[str, Any] | None:
    """Return what waiting for this job found, with its metrics restored; None if nothing is archived."""
    key = spec_key(context)
    folder, job = archive_of(context), context.state.jobs.get(key)
    try:
        found = dict[str, Any](_entry(folder)["wait"])
        metrics = without_formulas((folder / METRICS).read_bytes().decode()).encode()
        if found.get("spec") != key:
            return None
        check_result("wait", found, "wait", done=True)  # it goes into the state
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None  # the server is asked instead
    if job is None or found.get("job_id") != job.job_id:
        return None
    if _measured(metrics) or not _measured(_bytes(context.folder / METRICS)):
        _write_changed(context.folder / METRICS, metrics)
    return found


def restore_fuller_curve(context: Context, found: str) -> bool:
    """Restore this job's archived metrics where `found` is empty or lacks some of their measurements; return
    whether they were restored.
    """
    now, archived = _measured(found.encode()), _measured(_bytes(archive_of(context) / METRICS))
    return not (now and now >= archived) and restore_wait(context) is not None


def with_earlier(context: Context, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what waiting for a job found and, of that which is now unknown, what was found earlier."""
    earlier = (_mapping(_entry(archive_of(context)), "wait"), context.result("wait"))
    archived, known = (one if one.get("job_id") == found["job_id"] else {} for one in earlier)
    return _fuller(_fuller(archived, known), found)


def history(state: State, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield every job of a state, oldest first, with configuration, scores, cost and path of its answers."""
    from ftrun.state.ledger import NAME, effects, read_ledgers

    waited = state.stages.get("wait")
    current = waited.result.get("spec") if waited else None
    found = effects(read_ledgers([folder / NAME]))
    costs = {one.effect: one for one in found}
    # a job that was adopted after a lost state was paid for by the effect that names it
    paid = {one.what: one for one in found if one.kind == "job" and one.standing == "actual"}
    for key, job in sorted(state.jobs.items(), key=lambda item: item[1].created_at or 0):
        kept = archive_folder(folder, key)
        entry = _entry(kept)
        cost = paid.get(job.job_id) or costs.get(job.intent or job.job_id)
        yield {
            "spec_key": key,
            "current": key == current,
            **{name: getattr(job, name) for name in JOB_FACTS},
            "usd": cost.usd if cost else None,
            "examples": _mapping(entry, "data").get("examples"),
            "metrics": _mapping(entry, "metrics"),
            "verdict": _mapping(entry, "verdict") or None,
            "answers": str(kept / ANSWERS) if (kept / ANSWERS).exists() else None,
        }


def _entry(folder: Path) -> Mapping[str, Any]:
    try:
        found = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
        json.dumps(
            found, ensure_ascii=False
        ).encode()  # what can't be written again, such as a lone surrogate, is damage
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _mapping(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = entry.get(name)
    return found if isinstance(found, dict) else {}
