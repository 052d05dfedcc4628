"""What the names in requests stand for: models, aliases, files, jobs; and what a wrong one may have meant."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ftrun.engine.api.errors import ApiError, did_you_mean, not_found, shortened
from ftrun.engine.api.services import Services
from ftrun.engine.extras import require_backend
from ftrun.engine.models.acceptance import require_acceptance
from ftrun.engine.models.catalogue import CATALOGUE, find_model, model_names
from ftrun.engine.store import Store, StoredFile, StoredJob, StoredModel
from ftrun.errors import FtrunError

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
ALIAS = re.compile(r"[^\s/=\x00-\x1f\x7f][^\s=\x00-\x1f\x7f]{0,199}")


class Named(NamedTuple):
    """What a name stands for: a base model, and the model tuned from it that was meant, if one was.

    `alias` is the name itself where it is an alias.
    """

    base: str
    tuned: StoredModel | None
    alias: str | None


class Answering(NamedTuple):
    """What answers: a base model, and the folder of an adapter if it is a tuned model or a checkpoint."""

    base: str
    adapter: Path | None


def find_named(store: Store, name: str) -> Named:
    """Return what the name of a model stands for; ApiError (404) if nothing does, or it can't be used here.

    Reads the store and files.
    """
    tuned, meant = store.models.get(name), None
    if tuned is None:
        meant = store.aliases.get(name)
        tuned = None if meant is None else store.models.get(meant)
    found = Named(
        base=tuned.base if tuned is not None else meant or name,
        tuned=tuned,
        alias=None if meant is None else name,
    )
    _check_base(store, found)
    return found


def find_answering(use: Services, name: str) -> Answering:
    """Return what answers for a model's name; ApiError (404) if nothing does."""
    named = find_named(use.store, name)
    return Answering(named.base, None if named.tuned is None else named.tuned.path)


def find_file(store: Store, file_id: str, *, param: str) -> StoredFile:
    """Return a file; ApiError (404) if there is none, which names one that may have been meant."""
    file = store.files.get(file_id)
    if file is not None:
        return file
    known = store.files.names()
    newest = next((known_id for known_id, filename in known.items() if filename == file_id), None)
    if newest is not None:
        message = f"'{file_id}' is the name of a file: use its id, '{newest}'."
        raise ApiError(message, status=404, code="not_found", param=param)
    raise not_found("file", file_id, known, param=param)


def require_file(store: Store, param: str, file_id: str, *, purpose: str = "fine-tune") -> StoredFile:
    """Return the file that a request names in `param`; raise ApiError (400) unless it has this purpose."""
    try:
        file = find_file(store, file_id, param=param)
    except ApiError as error:
        error.status, error.code = 400, "file_not_found"
        raise
    if file.purpose != purpose:
        message = f"The {param} '{file_id}' has the purpose '{file.purpose}'; it must be '{purpose}'."
        raise ApiError(message, code="invalid_file_purpose", param=param)
    return file


def find_job(store: Store, job_id: str) -> StoredJob:
    """Return a job; ApiError (404) if there is none."""
    job = store.jobs.get(job_id)
    if job is None:
        raise not_found("fine-tuning job", job_id, store.jobs.ids(), param="fine_tuning_job_id")
    return job


def set_alias(store: Store, name: str, model: str) -> None:
    """Let `name` stand for `model`, or for nothing if that is empty; ApiError if it can't."""
    if not model:
        store.aliases.remove(name)
        return
    if not ALIAS.fullmatch(name) or not name.isprintable():
        raise _bad_alias(
            f"{name!r} can't be an alias: use 1 to 200 characters, no spaces, no '=', no leading '/'."
        )
    if find_model(name) is not None or store.models.get(name) is not None:
        raise _bad_alias(f"{name!r} can't be an alias: it is the name of a model here.")
    if store.aliases.get(model) is not None:
        raise _bad_alias(f"{model!r} is an alias itself: name the model that it stands for.")
    try:
        find_named(store, model)
    except ApiError as error:
        if error.code != "model_not_found":
            raise
        tip = _meant(store, model) or f" Built-in models: {', '.join(model_names())}."
        raise _bad_alias(f"There is no model '{shortened(model)}' here.{tip}") from error
    store.aliases.set(name, model)


def unknown_model(store: Store, name: str) -> ApiError:
    """Return the 404 for a model that is not here, with what may have been meant."""
    tip, name = _meant(store, name), shortened(name)
    if tip or name.startswith("ft:"):
        message = f"There is no model '{name}' here.{tip}"
    else:
        message = (
            f"There is no model '{name}' here. Built-in models: {', '.join(model_names())}. The absolute "
            "path of a folder with a model, or a Hugging Face id (owner/name), also works. To let a model "
            f"answer to this name: ftrun serve --alias {name}={CATALOGUE[0].name}"
        )
    return ApiError(message, status=404, code="model_not_found", param="model")


def _meant(store: Store, name: str) -> str:
    known = [*model_names(), *(alias.name for alias in store.aliases.all()), *store.models.names()]
    return did_you_mean(name, known)


def _check_base(store: Store, named: Named) -> None:
    """Raise ApiError unless the base model is built in, a folder or a hub id, and can be used."""
    name = named.base
    if find_model(name) is None and not _is_folder(name) and not HUB_ID.fullmatch(name):
        if named.alias is not None:
            message = f"The alias '{named.alias}' stands for '{name}', which is no longer here."
            raise ApiError(message, status=404, code="model_not_found", param="model")
        raise unknown_model(store, name)
    try:
        require_backend(name)
        require_acceptance(name)
    except FtrunError as error:
        raise ApiError(f"{error} {error.problem.hint}", code=error.code, param="model") from error


def _is_folder(name: str) -> bool:
    try:
        return name.startswith("/") and (Path(name) / "config.json").is_file()
    except OSError:  # such as a name that is too long, or a folder that can't be read
        return False


def _bad_alias(message: str) -> ApiError:
    return ApiError(message, code="bad_alias", param="alias")
