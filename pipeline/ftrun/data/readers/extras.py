"""The question whether the packages of the extra `data` are installed. It imports none of them."""

from __future__ import annotations

from importlib.util import find_spec

from ftrun.data.diagnostics.place import FilePlace, UnusableFileError


def require(package: str, purpose: str, place: FilePlace) -> None:
    """Add the problem and raise UnusableFileError unless `package`, which `purpose` needs, is installed."""
    if find_spec(package) is None:
        message = f"{purpose} needs a package that is not installed: {package}"
        place.add("extra_missing", message, None, once=True)
        raise UnusableFileError
