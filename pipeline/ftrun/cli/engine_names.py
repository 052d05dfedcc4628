"""`ftrun serve --alias`: keep names for the engine's models in its store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ftrun.errors import UsageError
from ftrun.files import real


def set_aliases(home: Path, given: Sequence[str]) -> None:
    """Keep all aliases of `NAME=MODEL` in the store of `home`, or none; UsageError if one can't be.

    A server that is running reads them from the store with every request.
    """
    from ftrun.engine.api.errors import ApiError
    from ftrun.engine.api.lookup import set_alias
    from ftrun.engine.store import Store

    pairs = [_pair(text) for text in given]
    store = Store(home)
    try:
        with store.database.transaction():
            for name, model in pairs:
                set_alias(store, name, model)
    except ApiError as error:
        raise UsageError(f"--alias {name}={model}: {error}", code="bad_alias") from error
    finally:
        store.close()


def _pair(text: str) -> tuple[str, str]:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"--alias takes text in UTF-8, not {text!r}.", code="bad_alias") from error
    name, equals, model = text.partition("=")
    if not name or not equals:
        raise UsageError(
            f"--alias takes NAME=MODEL, not {text!r}.",
            code="bad_alias",
            hint="Example: ftrun serve --alias gpt-4o-mini-2024-07-18=smollm2-135m-instruct",
        )
    if model.startswith((".", "~")):  # a folder; the server has another current folder
        return name, str(real(Path(model).expanduser()))
    return name, model
