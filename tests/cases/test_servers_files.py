"""A server that refuses an uploaded file, or is slow to process it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.paid_project import Paid, on_plain_provider
from support.scripted_server import Answer, Asked, refusal

CASES = Path(__file__).parent


@pytest.fixture
def paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project of ready chats on a provider in memory, with a validation file."""
    with on_plain_provider(tmp_path, monkeypatch, capfd) as made:
        shutil.copy(CASES / "31-slow-processing/qa12.jsonl", tmp_path)
        text = made.config.read_text(encoding="utf-8").replace(
            "toy.csv}]", "qa12.jsonl}], split: {validation: 2}"
        )
        text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("prompt:"))
        made.config.write_text(text.replace("max: 0.02", "max: 0.5"), encoding="utf-8")
        yield made


def test_a_refused_file_names_the_row_and_is_sent_again(paid: Paid) -> None:
    """The server's line is the row of the source; the next run uploads again, and a fixed server takes it."""
    sick = True

    def hook(asked: Asked) -> Answer | None:
        for file in paid.provider.files.values():
            words = {"status": "error", "status_details": "line 2, message 3: no content"}
            file.update(words if sick and "-train-" in file["filename"] else {"status": "processed"})
        return None

    paid.provider.hook = hook
    for number in (1, 3):
        error = paid.json("run", paid.config, "--yes", code=1)["error"]
        assert error["code"] == "file_refused" and "line 2, message 3" in error["message"]
        assert "The server means the row at qa12.jsonl:" in error["hint"]
        assert "messages[2] (assistant)" in error["hint"]
        assert f"ftrun rm file-{number}" in error["hint"]
    words = error["hint"].split("`")[-2].split()[1:]
    assert "Deleted the file" in paid.run(*words, "--yes")
    sick = False
    assert paid.json("run", paid.config, "--yes")["status"] == "done"
    assert len(paid.provider.created) == 1


@pytest.mark.parametrize("status", ["uploaded", "processed"])
def test_a_job_is_asked_for_again_until_the_files_are_processed(
    paid: Paid, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the server says of its files: little more than its own time, one job, and the wait is said."""
    monkeypatch.setattr("ftrun.waiting.PAUSES", (0.5, 60.0))
    monkeypatch.setattr("ftrun.watching.processing.UPLOADED_IS_ENOUGH", 0.3)
    born: dict[str, float] = {}
    seconds = 2.0

    def hook(asked: Asked) -> Answer | None:
        now = time.monotonic()
        for file_id, file in paid.provider.files.items():
            ready = now - born.setdefault(file_id, now) >= seconds
            file["status"] = "processed" if ready else status
        late = any(now - since < seconds for since in born.values())
        if asked.method == "POST" and asked.path == "/fine_tuning/jobs" and late:
            return refusal(400, "File 'file-1' is still being processed and is not ready to be used.")
        return None

    paid.provider.hook = hook
    begin = time.monotonic()
    paid.run("run", paid.config, "--yes", "--until", "train")
    assert seconds <= time.monotonic() - begin < 3 * seconds
    assert "to process" in paid.error and paid.server.base_url in paid.error
    assert len(paid.provider.created) == 1 and len(paid.provider.files) == 2
    ledger = (paid.folder / "runs/toy/paid/ledger.jsonl").read_text(encoding="utf-8")
    assert ledger.count('"estimated"') == ledger.count('"void"') + 1


def test_the_wait_for_files_ends_with_max_wait(paid: Paid) -> None:
    """A server that never gets ready ends the run with 75; nothing was created, and nothing is open."""
    busy = refusal(400, "The training file is still being processed.")
    paid.provider.hook = lambda asked: (
        busy if asked.method == "POST" and asked.path == "/fine_tuning/jobs" else None
    )
    error = paid.json("run", paid.config, "--yes", "--max-wait", "1s", code=75)["error"]
    assert "has not processed the files" in error["message"] and "no job was created" in error["message"]
    paid.provider.hook = lambda asked: None
    assert paid.json("run", paid.config, "--yes")["status"] == "done"
    assert len(paid.provider.created) == 1
