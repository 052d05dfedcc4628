"""An account of old jobs behind a real server, and the import run in this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from runner.conftest import Inside
from support.old_account import KEY, KEY_NAME, OldAccount
from support.old_jobs import stock


class Place:
    """A folder with the experiment file `account.yaml`, whose target is the account."""

    def __init__(self, folder: Path, account: OldAccount, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder, self.account, self._inside = folder, account, Inside(folder, capfd)
        account.write_config(folder)

    def run(self, *words: str, code: int = 0) -> str:
        """Run `ftrun WORDS`, hold it to the exit code, and return what it prints."""
        got, out, err = self._inside(*words)
        assert got == code, (got, out, err)
        return out if "--json" in words else out + err

    def imported(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Import with `WORDS` from the account, and return the document."""
        out = self.run("import", *words, "--config", "account.yaml", "--yes", "--json", code=code)
        document = json.loads(out)
        assert isinstance(document, dict)
        return document

    def one(self, case: str) -> dict[str, Any]:
        """Import the job of a case alone, and return what became of it."""
        (one,) = self.imported(str(self.account.job(case)["id"]))["imported"]
        assert isinstance(one, dict)
        return one

    def config(self, case: str) -> dict[str, Any]:
        """Import the job of a case, and return its experiment file as plain YAML."""
        found = yaml.safe_load((self.folder / self.one(case)["config"]).read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found

    def tree(self) -> dict[str, tuple[int, bytes]]:
        """Return every file of the imported folder: when it was written, and its bytes."""
        return {
            str(path.relative_to(self.folder)): (path.stat().st_mtime_ns, path.read_bytes())
            for path in sorted((self.folder / "imported").rglob("*"))
            if path.is_file()
        }


Open = Callable[..., Place]


@pytest.fixture
def opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Open]:
    """Yield a function that opens an account with these cases of `old_jobs`, and makes a folder for it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(KEY_NAME, KEY)
    with ExitStack() as stack:

        def begin(*cases: str, jobs: int = 0, **how: Any) -> Place:
            held = stock(cases=cases) if cases else stock(jobs, plain=True)
            account = OldAccount(stock=held, **how).start()
            stack.callback(account.close)
            return Place(tmp_path, account, capfd)

        yield begin
