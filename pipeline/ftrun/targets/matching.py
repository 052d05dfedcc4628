"""What a server tells of a job or a file, compared with what was asked for.

A spec key in the metadata decides. Without one a job is compared by all that the server tells: what it leaves
out, rounds or spells otherwise can't speak against a job, what it names as another thing does. Makes no call.
"""

from __future__ import annotations

import math
import re
from typing import Any

from ftrun.targets.service import Job, JobRequest, RemoteFile

SPEC_KEY = "ftrun_spec"  # in a job's metadata
# of files that nothing is trained on; some servers have a word of their own for those that are
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
CONTENT = re.compile(r"-(?:train|validation)-[0-9a-f]{16,64}\.jsonl\Z", re.IGNORECASE)  # of an upload's name
# a model's name and, of a snapshot, its date; older ones have MMDD
MODEL = re.compile(r"(?P<name>.+?)(?:[-@:.](?P<date>\d{4}-?\d{2}-?\d{2}|\d{4}))?\Z", re.DOTALL)
AFTER_PREFIX = ("/", ":", ".")  # openai/gpt-4.1, models/gpt-4.1, meta.llama3
ROUNDED = 0.005  # relative: a number in half precision, or to three digits, is the same
SINGLE = 1e-6  # relative: of a number in single precision
SHORTEST_CUT = 8  # characters: a suffix that is told shorter was not cut, it is another one


def same_content(one: str, other: str) -> bool:
    """Return whether two names of uploads say that they hold the same bytes, for whichever experiment."""
    found, wanted = CONTENT.search(one), CONTENT.search(other)
    return found is not None and wanted is not None and found[0].lower() == wanted[0].lower()


def is_of(file: RemoteFile, name: str, size: int) -> bool:
    """Return whether a file is certainly what an upload of this name and size would be."""
    same_name = file.name == name or same_content(file.name, name)
    return same_name and file.bytes == size and fits_purpose(file)


def fits_purpose(file: RemoteFile) -> bool:
    """Return whether a file may be trained on, as far as the server tells its purpose."""
    return file.purpose.lower().replace("-", "_") not in OTHER_PURPOSES


def is_another(file: RemoteFile, name: str, size: int) -> bool:
    """Return whether what the server tells of a file rules out that it is the upload of this name and size.

    It may tell no name, or 0 bytes while it has not looked at the file yet.
    """
    another_name = "" not in (file.name, name) and file.name != name and not same_content(file.name, name)
    another_size = 0 not in (file.bytes, size) and file.bytes != size
    return another_name or another_size or not fits_purpose(file)


def may_be(file: RemoteFile, name: str, size: int) -> bool:
    """Return whether the answer to an upload may name what was sent; some servers give files other names."""
    others = CONTENT.search(file.name) is not None and not same_content(file.name, name)
    return not others and file.bytes in (0, size) and fits_purpose(file)


def is_snapshot(alias: str, name: str) -> bool:
    """Return whether the model `name` is a dated snapshot of `alias`."""
    found = MODEL.fullmatch(name)
    return found is not None and found["date"] is not None and found["name"] == alias


def same_model(asked: str, told: str) -> bool:
    """Return whether a server that was asked for `asked` may call it `told`: in another case, with a
    provider's name in front, as the snapshot of an alias or the alias of a snapshot.
    """
    ours, theirs = MODEL.fullmatch(asked.lower()), MODEL.fullmatch(told.lower())
    if ours is None or theirs is None:  # one is not known
        return True
    dates = {found["date"].replace("-", "") for found in (ours, theirs) if found["date"]}
    short, long = sorted((ours["name"], theirs["name"]), key=len)
    return len(dates) < 2 and (short == long or long.endswith(tuple(f"{end}{short}" for end in AFTER_PREFIX)))


def same_suffix(asked: str, told: str) -> bool:
    """Return whether a server may tell the suffix `asked` as `told`: in other characters, or cut."""
    ours, theirs = (re.sub(r"[\W_]", "", text).lower() for text in (asked, told))
    return ours == theirs or (len(theirs) >= SHORTEST_CUT and ours.startswith(theirs))


def key_of(job: Job) -> str | None:
    """Return the spec key that a job carries, None where the server tells none."""
    return job.metadata.get(SPEC_KEY)


def same_work(job: Job, request: JobRequest) -> bool:
    """Return whether a job without a spec key was asked for with `request`, by all that the server tells.

    Its training file must be ours: that alone is never taken for granted.
    """
    ours = request.training_file != "" and same_file(job.training_file, request.training_file, request)
    ours = ours and (
        not job.validation_file or same_file(job.validation_file, request.validation_file, request)
    )
    unasked = request.suffix is None and job.suffix is not None
    return ours and not unasked and not differences(job, request)


def same_file(told: str | None, asked: str | None, request: JobRequest) -> bool:
    """Return whether a file is the one asked for, told by its id or by its name."""
    return told == asked or same_content(told or "", request.file_names.get(asked or "", ""))


def differences(job: Job, request: JobRequest) -> list[str]:
    """Return in words what the job certainly has another value of: model, suffix, seed, hyperparameters."""
    model = other_model(job, request.model)
    found = [] if model is None else [model]
    if job.suffix is not None and request.suffix is not None and not same_suffix(request.suffix, job.suffix):
        found.append(f"has the suffix {job.suffix} instead of {request.suffix}")
    if job.seed and request.seed is not None and job.seed != request.seed:  # 0: the server keeps none
        found.append(f"has the seed {job.seed} instead of {request.seed}")
    for name, asked in {**request.hyperparameters, **request.own_hyperparameters}.items():
        told = job.hyperparameters.get(name)
        if asked != "auto" and told is not None and not _same_value(asked, told):
            found.append(f"has {name} {told} instead of {asked}")
    return found


def other_model(job: Job, asked: str) -> str | None:
    """Return in words that the job tunes another model than `asked`, if the server tells one."""
    return None if same_model(asked, job.model) else f"tunes {job.model} instead of {asked}"


def _same_value(asked: Any, told: Any) -> bool:
    """Return whether `told` is the value asked for, as a text or rounded."""
    if isinstance(asked, (dict, list)):  # which nobody spells alike
        return True
    ours, theirs = _number(asked), _number(told)
    if ours is None or theirs is None:
        return str(asked).lower() == str(told).lower()
    if ours.is_integer() and theirs.is_integer():
        return ours == theirs
    if math.isclose(ours, theirs, rel_tol=ROUNDED):
        return True
    return math.isclose(float(f"{ours:.2g}"), theirs, rel_tol=SINGLE)  # told to two digits


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None
