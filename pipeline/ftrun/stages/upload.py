"""Training and validation file go to the target, under a name that holds the hash of their bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrun.paid.job_spec import spec_key
from ftrun.state import Upload
from ftrun.targets import RemoteFile, Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, fingerprint

NAME = "upload"
ROLES = ("train", "validation")


def inputs(context: Context) -> dict[str, Any]:
    """Return the hashes of the files to upload."""
    return {f"{role} data": context.sha(role) for role in ROLES}


def outputs(context: Context) -> tuple[str, ...]:
    """Return no file: it writes none."""
    return ()


def remote_name(context: Context, role: str) -> str:
    """Return the content-addressed name of a file at the target: hiroyuki-train-<sha>.jsonl."""
    return f"{context.experiment.name}-{role}-{(context.sha(role) or '')[:16]}.jsonl"


def decide(context: Context, remote: Service | None) -> Decision:
    """Skip what the state knows, adopt what the target has, upload the rest."""
    needed = {role: sha for role in ROLES if (sha := context.sha(role))}
    if context.force == NAME:
        return Decision(action="run", reasons=("--force",))
    missing = [role for role, sha in needed.items() if sha not in context.state.uploads]
    gone = [] if missing else _gone(context, remote, needed)
    if not missing and not gone and needed:
        return Decision(action="skip", reasons=("uploaded before",))
    record = context.state.stages.get(NAME)
    changed = record is not None and record.fingerprint != fingerprint(inputs(context))
    why = "the data changed" if changed else f"{' and '.join(missing)} data not uploaded yet"
    if gone:
        missing, why = gone, f"the target has the {' and '.join(gone)} data no more"
    if remote is not None and all(_found(context, remote, role) for role in missing):
        return Decision(action="adopt", reasons=("the target has these bytes already",))
    return Decision(action="run", reasons=(why,))


def _gone(context: Context, remote: Service | None, needed: Mapping[str, str]) -> list[str]:
    """Return the roles whose file the target no longer has, while no job has it; while one may have it,
    those whose id is another file's by now.
    """
    key = spec_key(context)
    if remote is None or key in context.state.jobs:
        return []
    unclear = key in context.state.intents
    return [
        role for role, sha in needed.items() if not _is_there(remote, context.state.uploads[sha], unclear)
    ]


def _is_there(remote: Service, known: Upload, deleted_too: bool = False) -> bool:
    """Return whether the target still has our file; a server that was set up again may have another's."""
    from ftrun.targets.matching import is_another

    file = remote.file(known.file_id)
    return deleted_too if file is None else not is_another(file, known.name, known.bytes)


def _found(context: Context, remote: Service, role: str) -> RemoteFile | None:
    return remote.find_file(remote_name(context, role), size_of(context, role))


def size_of(context: Context, role: str) -> int:
    """Return the size in bytes of the prepared file of that role."""
    return int(context.result("prepare")["files"][role]["bytes"])


def costs(context: Context, decision: Decision) -> bool:
    """Tell that it costs nothing anywhere."""
    return False


def run(context: Context) -> dict[str, Any]:
    """Make sure that the target has each file; record it the moment it has."""
    needed = {role: sha for role in ROLES if (sha := context.sha(role))}
    ids = {} if context.force == NAME else _there(context, needed)
    if len(ids) == len(needed):
        return ids
    from ftrun.paid.uploads import Cargo, deliver  # a run with nothing to do sends nothing

    cargos = [
        Cargo(path=context.path(role), name=remote_name(context, role), sha=sha, size=size_of(context, role))
        for role, sha in needed.items()
        if role not in ids
    ]
    sent = deliver(context, cargos, anew=context.force == NAME)
    return {role: ids.get(role) or sent[sha].id for role, sha in needed.items()}


def _there(context: Context, needed: Mapping[str, str]) -> dict[str, Any]:
    """Return the ids of the files that the state knows and the target still has."""
    service, known = context.service(), context.state.uploads
    found = {role: known[sha] for role, sha in needed.items() if sha in known}
    return {role: one.file_id for role, one in found.items() if _is_there(service, one)}
