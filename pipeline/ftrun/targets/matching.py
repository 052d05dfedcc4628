"""Compare what a server says about a job or a file with what was requested.

A spec key in the metadata decides. Without one, everything that the server says about the job is compared.
What it leaves out, rounds or spells differently does not speak against a job; a different value does. Makes
no call.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ftrun.targets.service import Job, JobRequest, RemoteFile

SPEC_KEY = "ftrun_spec"  # in a job's metadata
# of files that are not for training; some servers have their own word for those that are
OTHER_PURPOSES = (
    "assistants",
    "assistants_output",
    "batch",
    "batch_output",
    "evals",
    "fine_tune_results",
    "user_data",
    "vision",
)
CONTENT = re.compile(r"-(?:train|validation)-[0-9a-f]{16,64}\.jsonl\Z", re.IGNORECASE)  # in an upload's name
# a model's name and, of a snapshot, its date; older ones have MMDD
MODEL = re.compile(r"(?P<name>.+?)(?:[-@:.](?P<date>\d{4}-?\d{2}-?\d{2}|\d{4}))?\Z", re.DOTALL)
AFTER_PREFIX = ("/", ":", ".")  # openai/gpt-4.1, models/gpt-4.1, meta.llama3
ROUNDED = 0.005  # relative: a number in half precision, or to three digits, is the same
SINGLE = 1e-6  # relative: a number in single precision
SHORTEST_CUT = 8  # characters: a shorter suffix was not cut, it is a different one


def same_content(one: str, other: str) -> bool:
    """Return whether the names of two uploads say that they hold the same bytes, for any experiment."""
    found, wanted = CONTENT.search(one), CONTENT.search(other)
    return found is not None and wanted is not None and found[0].lower() == wanted[0].lower()


def is_of(file: RemoteFile, name: str, size: int) -> bool:
    """Return whether a file certainly is the upload of this name and size."""
    same_name = file.name == name or same_content(file.name, name)
    return same_name and file.bytes == size and fits_purpose(file)


def fits_purpose(file: RemoteFile) -> bool:
    """Return whether a file may be used for training, as far as the server says what it is for."""
    return file.purpose.lower().replace("-", "_") not in OTHER_PURPOSES


def is_another(file: RemoteFile, name: str, size: int) -> bool:
    """Return whether what the server says about a file rules out that it is the upload of this name and size.

    It may give no name, or 0 bytes until it has processed the file.
    """
    another_name = "" not in (file.name, name) and file.name != name and not same_content(file.name, name)
    another_size = 0 not in (file.bytes, size) and file.bytes != size
    return another_name or another_size or not fits_purpose(file)


def may_be(file: RemoteFile, name: str, size: int) -> bool:
    """Return whether the answer to an upload may be the file that was sent; some servers rename files."""
    others = CONTENT.search(file.name) is not None and not same_content(file.name, name)
    return not others and file.bytes in (0, size) and fits_purpose(file)


def is_snapshot(alias: str, name: str) -> bool:
    """Return whether the model `name` is a dated snapshot of `alias`."""
    found = MODEL.fullmatch(name)
    return found is not None and found["date"] is not None and found["name"] == alias


def same_model(asked: str, told: str) -> bool:
    """Return whether a server may call the model `asked` by the name `told`: in another letter case, with a
    provider's name in front, as the snapshot of an alias or as the alias of a snapshot.
    """
    ours, theirs = MODEL.fullmatch(asked.lower()), MODEL.fullmatch(told.lower())
    if ours is None or theirs is None:  # one is not known
        return True
    dates = {found["date"].replace("-", "") for found in (ours, theirs) if found["date"]}
    short, long = sorted((ours["name"], theirs["name"]), key=len)
    return len(dates) < 2 and (short == long or long.endswith(tuple(f"{end}{short}" for end in AFTER_PREFIX)))


def same_suffix(asked: str, told: str) -> bool:
    """Return whether a server may show the suffix `asked` as `told`: with other separators, or cut."""
    ours, theirs = (re.sub(r"[\W_]", "", text).lower() for text in (asked, told))
    return ours == theirs or (len(theirs) >= SHORTEST_CUT and ours.startswith(theirs))


def key_of(job: Job) -> str | None:
    """Return the spec key in a job's metadata, None if the server gives none."""
    return job.metadata.get(SPEC_KEY)


def same_work(job: Job, request: JobRequest) -> bool:
    """Return whether a job without a spec key does what `request` asks for, by all that the server says.

    Its training file must be ours: that is never assumed.
    """
    ours = request.training_file != "" and same_file(job.training_file, request.training_file, request)
    ours = ours and (
        not job.validation_file or same_file(job.validation_file, request.validation_file, request)
    )
    unasked = request.suffix is None and job.suffix is not None
    return ours and not unasked and not differences(job, request)


def same_file(told: str | None, asked: str | None, request: JobRequest) -> bool:
    """Return whether a file, given by its id or its name, is the one asked for."""
    return told == asked or same_content(told or "", request.file_names.get(asked or "", ""))


def differences(job: Job, request: JobRequest) -> list[str]:
    """Return in words which values of the job differ: model, suffix, seed, hyperparameters."""
    model = other_model(job, request.model)
    found = [] if model is None else [model]
    if job.suffix is not None and request.suffix is not None and not same_suffix(request.suffix, job.suffix):
        found.append(f"has the suffix {job.suffix} instead of {request.suffix}")
    if job.seed and request.seed is not None and job.seed != request.seed:  # 0: the server doesn't keep it
        found.append(f"has the seed {job.seed} instead of {request.seed}")
    for name, asked in {**request.hyperparameters, **request.own_hyperparameters}.items():
        told = job.hyperparameters.get(name)
        if asked != "auto" and told is not None and not _same_value(asked, told):
            found.append(f"has {name} {told} instead of {asked}")
    return found


def other_model(job: Job, asked: str) -> str | None:
    """Return in words that the job tunes a model other than `asked`, if the server names another."""
    return None if same_model(asked, job.model) else f"tunes {job.model} instead of {asked}"


def _same_value(asked: Any, told: Any) -> bool:
    """Return whether `told` is the value asked for, possibly as text or rounded."""
    if isinstance(asked, (dict, list)):  # which every server spells in its own way
        return True
    ours, theirs = _number(asked), _number(told)
    if ours is None or theirs is None:
        return str(asked).lower() == str(told).lower()
    if ours.is_integer() and theirs.is_integer():
        return ours == theirs
    if math.isclose(ours, theirs, rel_tol=ROUNDED):
        return True
    return math.isclose(float(f"{ours:.2g}"), theirs, rel_tol=SINGLE)  # given to two digits


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
