"""Checking a state and repairing a damaged one: from its backup, from both sides of a merge, or from what the
target has. It invents nothing: what is unknown afterwards is looked for, or a person is asked.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ftrun.errors import DecisionError
from ftrun.paid.job_spec import spec_key
from ftrun.paid.ownership import is_ours
from ftrun.runner.apply import Outcome, check_target, context_of, run_offline_stages, run_stage
from ftrun.runner.session import Session
from ftrun.stages import stages_of
from ftrun.state import Intent, State
from ftrun.state.model import DEPLOY
from ftrun.state.store import BACKUP, parse_state
from ftrun.targets import Service, get_or_none, reachable
from ftrun.targets.matching import is_another
from ftrun.targets.service import DEAD, READING
from ftrun.workflow.context import Context

REPAIRABLE = ("state_damaged", "state_conflict", "state_missing", "state_older")
HUNK = re.compile(rb"^<<<<<<< .*?\n(.*?)^=======\n(.*?)^>>>>>>> .*?(?:\n|\Z)", re.DOTALL | re.MULTILINE)
LOST = "the state was damaged and had no backup"


def missing_at_target(session: Session) -> list[str] | None:
    """Return what the state knows and the target no longer has; None when the target can't be asked."""
    service = None if session.other_store else reachable(session.experiment)
    if service is None:
        return None
    service.end_within(READING)
    try:
        return list(_missing(session.state, service))
    finally:
        service.close()


def _missing(state: State, service: Service) -> Iterator[str]:
    for one in state.uploads.values():
        file = get_or_none(service.file, one.file_id)
        if file is None or is_another(file, one.name, one.bytes):
            yield f"file {one.file_id} ({one.name})"
    for key, job in state.jobs.items():
        there = get_or_none(service.job, job.job_id)
        if there is None or not is_ours(state, service, there, key):
            yield f"job {job.job_id}"


def repair(session: Session, *, wait: bool, emit: Any) -> dict[str, Any]:
    """Repair the state and say from what; the damaged file is kept beside it under another name."""
    with session.locked(wait=wait):
        try:
            session.reload()
            return {"state": session.store.shown(), "source": None, "kept": None, "wrong": None}
        except DecisionError as error:
            if error.code not in REPAIRABLE:
                raise
            older, wrong = error.code == "state_older", str(error)
        source, state = _restored(session, session.store.read("state.json") or b"", older=older)
        aside = f"state.json.damaged-{time.strftime('%Y%m%dT%H%M%S')}-{uuid.uuid4().hex[:4]}"
        kept = session.store.put_aside(aside) if session.store.exists() else None
        if state is not None:
            session.store.save(state)
        with _context(session, emit) as context:
            if state is None:
                _adopt_from_target(session, context)
    return {"state": session.store.shown(), "source": source, "kept": kept, "wrong": wrong}


def _restored(session: Session, raw: bytes, *, older: bool) -> tuple[str, State | None]:
    """Return what the state can be restored from, and it; `older`: it is whole and lacks an open call."""
    sides = _sides(raw, session.store.shown())
    if sides is not None:
        return "both sides of the merge", merged(*sides)
    try:
        state = parse_state(session.store.read(BACKUP) or b"", session.store.shown(BACKUP))
    except DecisionError:
        return "the target", None
    for intent in state.intents.values():
        intent.phase = "sending"  # the lost state was written after this one: the call may have left
    if older:
        return "the state and its backup", merged(parse_state(raw, session.store.shown()), state)
    return "the backup", state


def _sides(raw: bytes, path: str) -> tuple[State, State] | None:
    if not HUNK.search(raw):
        return None
    try:
        return parse_state(HUNK.sub(rb"\1", raw), path), parse_state(HUNK.sub(rb"\2", raw), path)
    except DecisionError:
        return None


def merged(one: State, other: State) -> State:
    """Return the newer of two states with what only the other one knows: uploads, jobs, intents, attempts,
    and a deployment.
    """
    newer, older = (one, other) if one.serial >= other.serial else (other, one)
    for key, job in older.jobs.items():
        kept = newer.jobs.get(key, job)
        if job.job_id not in (kept.job_id, *kept.duplicates) and job.status not in DEAD:
            kept.duplicates.append(job.job_id)  # each clone made one: a person decides
    for name in ("uploads", "jobs", "intents", "upload_intents"):
        setattr(newer, name, {**getattr(older, name), **getattr(newer, name)})
    newer.intents = {key: intent for key, intent in newer.intents.items() if key not in newer.jobs}
    deployed, here = older.deployment, newer.stages.get(DEPLOY)
    same = deployed is not None and here is not None and here.result.get("effect") == deployed.get("effect")
    if deployed is not None and newer.deployment is None and not same:
        newer.stages[DEPLOY] = older.stages[DEPLOY]  # it costs money until somebody removes it
    for base, number in older.attempts.items():
        newer.attempts[base] = max(number, newer.attempts.get(base, 1))
    newer.serial = max(one.serial, other.serial)
    return newer


@contextmanager
def _context(session: Session, emit: Any) -> Iterator[Context]:
    session.reload()
    context = context_of(session, emit)
    try:
        yield context
    finally:
        context.close()


def _adopt_from_target(session: Session, context: Context) -> None:
    """Adopt what the target has; a call that the lost state may have made is left to be looked for."""
    check_target(context)
    run_offline_stages(session, context, Outcome())
    if context.local:
        context.save()
        return
    for stage in stages_of(context):
        if not stage.offline and stage.decide(context, context.service()).action == "adopt":
            run_stage(stage, context, Outcome(), context.service())
    key = spec_key(context)
    if key not in context.state.jobs:
        unknown = Intent(id=str(uuid.uuid4()), phase="sending", at=time.time(), reason=LOST)
        context.state.intents[key] = unknown
    context.save()
