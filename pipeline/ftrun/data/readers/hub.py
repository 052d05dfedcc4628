"""Which files of a Hugging Face dataset hold a split: as saved to disk, as its card says, or by name.

The files are read by the readers of their formats. No code of a dataset is ever run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftrun.errors import DataError
from ftrun.experiment.model import Dataset
from ftrun.installation import install_extra
from ftrun.user_dirs import user_folder
from ftrun.waiting import waiting

HUB = "https://huggingface.co"
ENDINGS = ("parquet", "arrow", "jsonl", "ndjson", "json", "csv", "tsv")
DATA_FILE = re.compile(rf".*\.(?:{'|'.join(ENDINGS)})(?:\.gz)?", re.IGNORECASE)
NOT_ROWS = frozenset(("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"))
# as they occur in names such as train-00000-of-00002.parquet, data/test.jsonl, validation/rows.csv
SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "dev", "val"),
    "test": ("test", "testing", "eval", "evaluation"),
}
CARD = re.compile(r"\A---\s*\n(.*?)\n---\s*\n", re.DOTALL)
HINTS = {
    "dataset": "Name one: dataset: {path: …, split: train}.",
    "offline": "Connect to the network, or download the dataset and name its folder: dataset: {path: …}.",
}


def dataset_files(folder: Path, dataset: Dataset) -> list[Path]:
    """Return the files of the dataset's split in `folder`; DataError if that is not clear."""
    splits = _saved(folder) or _of_card(folder, dataset.config) or _by_name(folder, dataset.config)
    if not splits:
        raise DataError("no files with rows (Parquet, Arrow, JSONL, JSON, CSV) are in it", code="dataset")
    if dataset.split is None and len(splits) == 1:
        return next(iter(splits.values()))
    if dataset.split not in splits:
        asked = "" if dataset.split is None else f"there is no split {dataset.split!r}; "
        raise DataError(
            f"{asked}it has the splits: {', '.join(splits)}", code="dataset", hint=HINTS["dataset"]
        )
    return splits[dataset.split]


def hub_folder(dataset: Dataset) -> Path:
    """Return the folder of a dataset of the hub, downloaded if need be; DataError if that fails."""
    from importlib.util import find_spec

    if find_spec("huggingface_hub") is None:
        message = "a dataset of the hub needs a package that is not installed: huggingface_hub"
        hint = f"Install the packages that read it: {install_extra('data')}"
        raise DataError(message, code="extra_missing", hint=hint)
    try:
        return _snapshot(dataset)
    except Exception as error:  # the hub's client raises its own, its HTTP client's and the system's errors
        words = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        message = f"the dataset {dataset.id} at {dataset.revision} can't be downloaded: {words}"
        raise DataError(message, code="dataset", hint=HINTS["offline"]) from error


def _snapshot(dataset: Dataset) -> Path:
    """Return the folder of a dataset in the cache, downloaded if it is not there yet."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    assert dataset.id is not None
    patterns = [f"*.{ending}{packed}" for ending in ENDINGS for packed in ("", ".gz")]
    where: dict[str, Any] = {
        "repo_type": "dataset",
        "revision": dataset.revision,
        "cache_dir": user_folder("FTRUN_CACHE", "XDG_CACHE_HOME", ".cache") / "datasets",
        "allow_patterns": [*patterns, "README.md"],
    }
    try:
        return Path(huggingface_hub.snapshot_download(dataset.id, local_files_only=True, **where))
    except LocalEntryNotFoundError:
        endpoint = os.environ.get("HF_ENDPOINT")
        with waiting(f"the dataset {dataset.id} from {endpoint or HUB}"):
            return Path(huggingface_hub.snapshot_download(dataset.id, endpoint=endpoint, **where))


def _saved(folder: Path) -> dict[str, list[Path]]:
    """Return the splits of what `save_to_disk` wrote."""
    listed = _json(folder / "dataset_dict.json").get("splits")
    names = [str(name) for name in listed] if isinstance(listed, list) else [""]
    splits = {}
    for name in names:
        files = _json(folder / name / "state.json").get("_data_files")
        if isinstance(files, list):
            paths = [folder / name / str(one["filename"]) for one in files if isinstance(one, Mapping)]
            splits[name or "train"] = paths
    return splits


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _of_card(folder: Path, config: str | None) -> dict[str, list[Path]]:
    """Return the splits that the head of README.md lists for a configuration."""
    configs = [one for one in _card(folder).get("configs") or () if isinstance(one, Mapping)]
    named = {str(one.get("config_name", "default")): one.get("data_files") for one in configs}
    named = {name: files for name, files in named.items() if files}
    if not named:
        return {}
    if config is None and len(named) > 1 and "default" not in named:
        raise DataError(
            f"it has the configurations: {', '.join(named)}", code="dataset", hint="Add `config:`."
        )
    name = config or ("default" if "default" in named else next(iter(named)))
    if name not in named:
        message = f"there is no configuration {name!r}; it has: {', '.join(named)}"
        raise DataError(message, code="dataset", hint="Fix `config:`.")
    return dict(_listed(folder, named[name]))


def _card(folder: Path) -> Mapping[str, Any]:
    import yaml

    try:
        found = CARD.match((folder / "README.md").read_text("utf-8"))
        value = yaml.safe_load(found[1]) if found else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _listed(folder: Path, files: Any) -> Iterator[tuple[str, list[Path]]]:
    if not isinstance(files, list) or not all(isinstance(one, Mapping) for one in files):
        files = [{"split": "train", "path": files}]
    for one in files:
        patterns = one.get("path")
        patterns = [patterns] if isinstance(patterns, str) else patterns or []
        paths = [path for pattern in patterns for path in _globbed(folder, str(pattern))]
        if paths:
            yield str(one.get("split", "train")), paths


def _globbed(folder: Path, pattern: str) -> list[Path]:
    if pattern.startswith("/") or ".." in pattern.split("/"):
        return []
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def _by_name(folder: Path, config: str | None) -> dict[str, list[Path]]:
    """Return the splits that the names of files and folders give; if they give none, all files are one."""
    below = folder / config if config else folder
    files = sorted(path for path in below.rglob("*") if path.is_file() and _has_rows(path, below))
    splits: dict[str, list[Path]] = {}
    for path in files:
        name = _split_of(path.relative_to(below).parts)
        if name is not None:
            splits.setdefault(name, []).append(path)
    return splits or ({"train": files} if files else {})


def _has_rows(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return not hidden and path.name not in NOT_ROWS and DATA_FILE.fullmatch(path.name) is not None


def _split_of(parts: Sequence[str]) -> str | None:
    words = {word for part in parts for word in re.split(r"[^a-z]+", part.lower())}
    return next((name for name, spelled in SPLIT_NAMES.items() if words & set(spelled)), None)
