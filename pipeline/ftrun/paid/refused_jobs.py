"""The errors of a server that refuses to create a job, or whose job failed, with what helps: the key to
change or, where the server names a line of an uploaded file, the row of the source that the line was made of.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun.errors import FtrunError
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.targets import NotCreated
from ftrun.targets.job_refusals import advice, elsewhere, is_file_busy
from ftrun.targets.service import NOT_ALLOWED
from ftrun.workflow.context import Context

if TYPE_CHECKING:  # most runs need no row
    from ftrun.data.pipeline.samples import PreparedExample

# a line of an uploaded file: counted from 1, unless it is called an index
LINE = re.compile(
    r"\b(?:(?P<several>lines|rows|examples|records|samples|entries|items|datapoints|conversations)"
    r"|line|row|example|record|sample|entry|item|datapoint|conversation|line_number)"
    r"[\"']?\s*(?:numbers?|nos?\.?|#|at)?\s*(?P<index>index)?\s*[:=#(\[]?\s*(?P<number>\d{1,9})\b",
    re.IGNORECASE,
)
COUNTED = re.compile(  # `too few examples: 8` names a number of them, not one
    r"too (?:few|many)|at least|minimum|not enough|insufficient|fewer than|more than|only|at most|maximum",
    re.IGNORECASE,
)
# a message of it: [1], .1 and lists of keys count from 0, `message 2` from 1
INDEX = re.compile(r"\bmessages?[\"']?\s*(?:\[\s*|\.|,\s*)(?P<number>\d{1,6})\b", re.IGNORECASE)
ORDINAL = re.compile(
    r"\bmessage\s+(?:number\s*|no\.?\s*|#\s*)?(?P<index>(?:at )?index\s*)?(?P<number>\d{1,6})\b",
    re.IGNORECASE,
)
WAITING = re.compile(r"\bfiles?\b|\bready\b|process|pending|in progress|later|wait", re.IGNORECASE)
FILES_BUSY = "files_busy"  # the code of a refusal that passes once the server has processed the files
KINDS = {"train": "training", "validation": "validation"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlace:
    """Where the row is that a server complains about, and which of its messages in words."""

    file: str
    line: int
    message: str


def refusal_error(context: Context, outcome: NotCreated) -> FtrunError:
    """Return the error for a job that the server refused to create."""
    error = outcome.as_error()
    if outcome.code in NOT_ALLOWED:
        error.problem.hint = f"{error.problem.hint} {elsewhere(context.experiment)}"
    if outcome.code not in ("refused", "not_found", "forbidden", "not_created"):
        return error
    row = row_of(context, outcome.reason)
    found = None if row is not None else advice(context.experiment, outcome.told or outcome.reason)
    known = row is not None or (found is not None and found.key != ())
    if _are_files_busy(context, outcome, known=known):
        return FtrunError("the server has not processed the files yet", code=FILES_BUSY)
    if row is not None:
        with_place(error, row, context)
    elif found is not None and outcome.code != "forbidden":
        problem = error.problem
        problem.hint = found.hint
        for name, value in found.where(context.experiment).items():
            setattr(problem, name, value)
    return error


def _are_files_busy(context: Context, outcome: NotCreated, *, known: bool) -> bool:
    """Return whether the job was refused only because the server still works on its files: it says so or,
    where it names nothing else, mentions files or waiting, and a file's status says so.
    """
    if outcome.code not in ("refused", "not_found"):
        return False
    if is_file_busy(outcome.told or outcome.reason):
        return True
    if known or not WAITING.search(outcome.reason):
        return False
    ids = [
        context.state.uploads[sha].file_id
        for role in KINDS
        if (sha := context.sha(role)) in context.state.uploads
    ]
    looked = [context.service().look_at_file(one) for one in ids]
    return any(not file.processed and not file.refused for file in looked)


def with_place(error: FtrunError, row: RowPlace, context: Context) -> FtrunError:
    """Return the error at the place of the row, with what to do about it."""
    problem = error.problem
    problem.file, problem.line, problem.column = row.file, row.line, None
    problem.hint = (
        f"The server means the row at {row.file}:{row.line}{row.message}. Fix it there, or leave the row "
        "out; "
        f"`{context.command('check')}` checks the data. Changed data are uploaded again and make another job."
    )
    return error


def row_of(context: Context, text: str, split: str | None = None) -> RowPlace | None:
    """Return the row of the source that a message about a line of an uploaded file means, None if it names no
    line or the prepared file isn't here. `split`: the file that it is about, where that is known.
    """
    found = LINE.search(text)
    if found is None or (found["several"] and COUNTED.search(text)):
        return None
    from ftrun.data.pipeline.samples import chosen

    number = int(found["number"]) + (1 if found["index"] else 0)
    split, project = split or _split(context, text), context.experiment.project
    made = next(chosen(context.path(split).parent, project, split, {max(1, number)}), None)
    if made is None:
        return None
    return RowPlace(file=made.file, line=made.line, message=_message(context, text, made))


def _split(context: Context, text: str) -> str:
    """Return which of the two files a message is about: the training file unless it names the other."""
    for role in KINDS:
        upload = context.state.uploads.get(context.sha(role) or "")
        if upload is not None and (upload.file_id in text or upload.name in text):
            return role
    words = text.lower()
    return "validation" if "validation" in words and "training" not in words else "train"


def _message(context: Context, text: str, made: PreparedExample) -> str:
    """Return which message is meant, counted as the user's row counts, with its role; "" if none is named."""
    example = made.example
    asked = example.get("input", example)
    messages = asked.get("messages") if isinstance(asked, Mapping) else None
    index = _index(text)
    if index is None or not isinstance(messages, list) or not 0 <= index < len(messages):
        return ""
    role = messages[index].get("role")
    if not _is_ready(context):
        return f", the {role} message that it makes"
    if not _put_in_front(context, made, messages[0]):
        return f", messages[{index}] ({role})"
    return ", whose system message is `prompt.system`" if index == 0 else f", messages[{index - 1}] ({role})"


def _index(text: str) -> int | None:
    found = INDEX.search(text)
    if found is not None:
        return int(found["number"])
    found = ORDINAL.search(text)
    if found is None:
        return None
    number = int(found["number"])
    return number if found["index"] else max(0, number - 1)


def _is_ready(context: Context) -> bool:
    """Return whether the rows are ready chats, without templates."""
    prompt = context.experiment.prompt
    return prompt.user is None and prompt.assistant is None and prompt.messages is None


def _put_in_front(context: Context, made: PreparedExample, first: Mapping[str, Any]) -> bool:
    """Return whether the first message is not the row's own but the experiment's system prompt."""
    from ftrun.errors import UserError
    from ftrun.experiment.templates.rendering import Renderer

    if context.experiment.prompt.system is None or first.get("role") not in SYSTEM_ROLES:
        return False
    own = _own_roles(Path(made.file), made.line)
    if own is not None:
        return not any(role in SYSTEM_ROLES for role in own)
    try:
        return bool(Renderer(context.experiment).render_system() == first.get("content"))
    except UserError:  # it needs a row: then it differs from row to row, and the row's own is unknown
        return True


def _own_roles(file: Path, line: int) -> list[str] | None:
    """Return the roles of the messages in a line of JSON, None if that is not what is there."""
    try:
        with file.open(encoding="utf-8-sig") as lines:
            row = json.loads(next(itertools.islice(lines, line - 1, None), ""))
        asked = row.get("input", row)
        return [str(message["role"]) for message in asked["messages"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
