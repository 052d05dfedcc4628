"""Training and validation file go to the target, under a name that holds the hash of their bytes."""

from __future__ import annotations

from typing import Any

from ftrun.paid.job_spec import ROLES, spec_key
from ftrun.state import Upload
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, fingerprint
from ftrun.workflow.stage import Stage


class UploadStage(Stage):
    """Makes sure that the target has the files, each once."""

    name = "upload"
    trains = True
    makes_news = False

    def applies(self, context: Context) -> bool:
        """Return whether the experiment has data to train on."""
        return context.experiment.trains

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return the hashes of the files to upload."""
        return {f"{role} data": context.sha(role) for role in ROLES}

    def decide(self, context: Context, remote: Service | None) -> Decision:
        """Skip what the state knows, adopt what the target has, upload the rest."""
        needed = _needed(context)
        if self.forced(context):
            return Decision(action="run", reasons=("--force",))
        missing = [role for role, sha in needed.items() if sha not in context.state.uploads]
        gone = [] if missing else _gone(context, remote, needed)
        if not missing and not gone and needed:
            return Decision(action="skip", reasons=("uploaded before",))
        record = context.state.stages.get(self.name)
        changed = record is not None and record.fingerprint != fingerprint(self.inputs(context))
        why = "the data changed" if changed else f"{' and '.join(missing)} data not uploaded yet"
        if gone:
            missing, why = gone, f"the target no longer has the {' and '.join(gone)} data"
        if remote is not None and all(_is_found(context, remote, role) for role in missing):
            return Decision(action="adopt", reasons=("the target has these bytes already",))
        return Decision(action="run", reasons=(why,))

    def run(self, context: Context) -> dict[str, Any]:
        """Make sure that the target has each file; record each at once."""
        needed = _needed(context)
        ids = {} if self.forced(context) else _kept_ids(context, needed)
        if len(ids) == len(needed):
            return ids
        from ftrun.paid.sending import local_file  # a run with nothing to do sends nothing
        from ftrun.paid.uploads import upload_files

        files = [local_file(context, role) for role in needed if role not in ids]
        sent = upload_files(context, files, again=self.forced(context))
        return {role: ids.get(role) or sent[sha].id for role, sha in needed.items()}


def _needed(context: Context) -> dict[str, str]:
    """Return the hashes of the files that the job reads, by role."""
    left_out = context.experiment.target.capabilities.get("validation_file") == "left_out"
    roles = ROLES[:1] if left_out else ROLES
    return {role: sha for role in roles if (sha := context.sha(role))}


def _gone(context: Context, remote: Service | None, needed: dict[str, str]) -> list[str]:
    """Return the roles whose file the target no longer has, while no job has it; while one may have it,
    those whose id is another file's by now.
    """
    key = spec_key(context)
    if remote is None or key in context.state.jobs:
        return []
    unclear = key in context.state.intents
    return [role for role, sha in needed.items() if not _exists(remote, context.state.uploads[sha], unclear)]


def _exists(remote: Service, known: Upload, or_deleted: bool = False) -> bool:
    """Return whether the target still has our file; a server that was set up again may have another's."""
    from ftrun.targets.errors import get_or_none
    from ftrun.targets.matching import is_another

    file = get_or_none(remote.file, known.file_id)
    return or_deleted if file is None else not is_another(file, known.name, known.bytes)


def _is_found(context: Context, remote: Service, role: str) -> bool:
    from ftrun.paid.sending import local_file

    wanted = local_file(context, role)
    return remote.find_file(wanted.name, wanted.size) is not None


def _kept_ids(context: Context, needed: dict[str, str]) -> dict[str, Any]:
    """Return the ids of the files that the state knows and the target still has."""
    service, known = context.service(), context.state.uploads
    found = {role: known[sha] for role, sha in needed.items() if sha in known}
    return {role: one.file_id for role, one in found.items() if _exists(service, one)}
