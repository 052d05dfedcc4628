"""Waiting until the server has processed the uploaded files: all together, at the pace of `poll`. Sends
nothing.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ftrun.errors import FtrunError, PendingError
from ftrun.experiment.places import shown_path
from ftrun.targets import RemoteFile
from ftrun.waiting import waiting
from ftrun.workflow.context import Context

LONGEST = 3600.0  # seconds
SHARE = 0.125  # of the time waited so far that the next pause takes: the end is noticed soon
UPLOADED_IS_ENOUGH = 5.0  # seconds; the status is deprecated, and creating the job checks the file anyway


def until_processed(
    context: Context,
    sent: Mapping[str, RemoteFile],
    *,
    ready: Callable[[str, RemoteFile], None],
    refused: Callable[[str, RemoteFile], FtrunError],
) -> dict[str, RemoteFile]:
    """Return the files when all are processed. `ready` is called with the key of each that is, `refused` with
    one that can't be used. PendingError when --max-wait is over, FtrunError after LONGEST.
    """
    start, left = time.monotonic(), dict(sent)
    done: dict[str, RemoteFile] = {}
    with waiting(f"{context.where} to process {_names(list(sent.values()))}"):
        while True:
            waited = time.monotonic() - start
            looked = {key: context.service().look_at_file(file.id) for key, file in left.items()}
            for key, file in looked.items():
                if file.processed or (file.status == "uploaded" and waited >= UPLOADED_IS_ENOUGH):
                    ready(key, file)
                    done[key] = file
                    del left[key]
            for key in left:
                if looked[key].refused:
                    raise refused(key, looked[key])
            if not left:
                return done
            if not _rest(context, waited):
                names = _names(list(left.values()))
                late = f"{context.where} has not processed {names} in {waited:.0f} s; no job was created"
                raise _over(context, late)


def refused_error(context: Context, file: RemoteFile, path: Path) -> FtrunError:
    """Return the error for a file that the server can't use; `path` is where it came from."""
    experiment, why = context.experiment, file.status_details or f"status {file.status}, no reason given"
    config, target = shown_path(experiment.file), experiment.target.name
    delete = shlex.join(["ftrun", "rm", file.id, config, "--target", target])
    return FtrunError(
        f"{context.where} refused {file.name} ({file.id}): {why}",
        code="file_refused",
        file=shown_path(path),
        hint=f"`{context.command('check')}` checks the data. The same command uploads the file again, "
        f"which helps only if the server was at fault. `{delete}` deletes the refused file.",
    )


def _names(files: Sequence[RemoteFile]) -> str:
    return " and ".join(f"{file.name} ({file.id})" for file in files)


def wait_for_files(context: Context, started: float) -> None:
    """Rest before a job is requested again that the server refused because it has not processed the files;
    `started` is when it did first (monotonic). The error of a wait that is over.
    """
    waited = time.monotonic() - started
    if not _rest(context, waited):
        raise _over(
            context, f"{context.where} has not processed the files in {waited:.0f} s; no job was created"
        )


def _rest(context: Context, waited: float) -> bool:
    """Sleep until the next look: an eighth of the time so far, within `poll`. False: the wait is over."""
    shortest, longest = context.poll
    most = LONGEST if context.settings.max_wait is None else context.settings.max_wait
    if waited >= most:
        return False
    time.sleep(min(max(shortest, waited * SHARE), longest, most - waited))
    return True


def _over(context: Context, message: str) -> FtrunError:
    late = context.settings.max_wait is None
    kind, code = (FtrunError, "file_not_ready") if late else (PendingError, "pending")
    return kind(
        message,
        code=code,
        hint=f"`{context.command('run')}` finds what was uploaded and waits for it again.",
    )
