"""A full disk: what can't be written is refused in words, and work that was begun waits and then ends."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from engine.test_batches import begin, counts, end, line, lines_of
from support.engine_process import environment, finish, rows, upload, wait_until

MEGABYTES = 16  # with 8 the batch and the journal fill it by themselves
FULL = 507


def mounted(home: Path, *command: str) -> list[str]:
    """Return a command that runs another one with a small disk of its own at `home`."""
    mount = f'mount -t tmpfs -o size={MEGABYTES}m none {home} && exec "$@"'
    return ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh", *command]


def can_mount(folder: Path) -> bool:
    """Return whether this user may mount a disk in a name space of its own."""
    found = shutil.which("unshare") is not None
    return found and subprocess.run(mounted(folder, "true"), capture_output=True, check=False).returncode == 0


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Iterator[tuple[openai.OpenAI, Path]]:
    """Yield a client of an engine whose store has MEGABYTES, and the path of that disk."""
    home = tmp_path / "home"
    home.mkdir()
    if not can_mount(home):
        pytest.skip("this user can't mount a small disk (unshare --map-root-user --mount)")
    serve = mounted(home, sys.executable, "-m", "ftrun", "serve", "--json", "--home", str(home))
    variables = environment(FTRUN_REHEARSAL_SECONDS_PER_STEP="0.02")
    with subprocess.Popen(serve, stdout=subprocess.PIPE, env=variables) as process:
        assert process.stdout is not None
        note = json.loads(process.stdout.readline())
        with openai.OpenAI(base_url=note["base_url"], api_key=note["token"], max_retries=0) as client:
            yield client, Path(f"/proc/{process.pid}/root") / home.relative_to("/")
        process.terminate()


@contextlib.contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Let the disk be full in the block."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


def test_work_that_was_begun_survives_a_full_disk(on_small_disk: tuple[openai.OpenAI, Path]) -> None:
    """A job and a batch wait for room and end whole; requests that write are refused, others are answered."""
    client, disk = on_small_disk
    file = upload(client)
    hyperparameters = {"n_epochs": 20, "batch_size": 1}
    job = client.fine_tuning.jobs.create(
        model="rehearsal",
        training_file=file,
        hyperparameters=hyperparameters,  # type: ignore[arg-type]
    )
    batch = begin(client, [line(number, "長い" * 1500) for number in range(120)])
    wait_until(lambda: client.fine_tuning.jobs.checkpoints.list(job.id).data)
    wait_until(lambda: counts(client.batches.retrieve(batch.id))[1] > 0)
    with filled(disk):
        for refused in (
            lambda: client.files.create(file=("a.jsonl", rows(500)), purpose="fine-tune"),
            lambda: client.fine_tuning.jobs.create(
                model="rehearsal", training_file=file, metadata={"a": "x" * 500, "b": "x" * 500}
            ),
        ):
            for _ in range(20):  # the journal may have a little room left
                try:
                    refused()
                except openai.InternalServerError as error:
                    assert (error.status_code, error.code) == (FULL, "disk_full")
                    assert str(disk).removeprefix("/proc").partition("/root")[2] in error.message
                    break
            else:
                raise AssertionError("a full disk was written to")
        streamed = client.responses.create(model="rehearsal", input="長い" * 1500, stream=True)
        assert [event.type for event in streamed][-1] == "response.failed"  # it can't be kept
        assert client.fine_tuning.jobs.list().data
        question = [{"role": "user", "content": "やあ"}]
        answer = client.chat.completions.create(model="rehearsal", messages=question)  # type: ignore[arg-type]
        assert answer.choices[0].message.content
    assert finish(client, job.id).status == "succeeded"
    told = [event.message for event in client.fine_tuning.jobs.list_events(job.id)]
    assert any("waited for room" in message for message in told)
    ended = end(client, batch)
    assert (ended.status, counts(ended)) == ("completed", (120, 120, 0))
    names = [one["custom_id"] for one in lines_of(client, ended.output_file_id)]
    assert names == [f"問{number}" for number in range(120)]
    assert not list((disk / "files").glob("*.partial"))
