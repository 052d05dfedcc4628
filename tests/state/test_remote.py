"""A state away from the project: one lock for all machines, and a refusal where none can be safe."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from ftrun.errors import DecisionError
from ftrun.state import State
from ftrun.state.ledger import Charge, Ledger, read_ledgers, spent
from ftrun.state.locks import me
from ftrun.state.remote import RemoteStore
from ftrun.state.storage import FolderStorage, storage_at

CONFIG = "configs/toy.yaml"


def state() -> State:
    """Return a small state."""
    return State(experiment="toy", target="local", file="f", identity={"provider": "local", "store": None})


def test_a_shared_folder_keeps_state_and_backup(tmp_path: Path) -> None:
    """What one machine saves the other loads; the run folder keeps no state."""
    one = RemoteStore(tmp_path / "a", FolderStorage(tmp_path / "shared"))
    other = RemoteStore(tmp_path / "b", FolderStorage(tmp_path / "shared"))
    mine = state()
    with one.locked(wait=False):
        one.save(mine)
        one.save(mine)
    assert other.load() == mine
    assert sorted(path.name for path in (tmp_path / "shared").iterdir()) == [
        "state.json",
        "state.json.backup",
    ]
    assert not (tmp_path / "a" / "state.json").exists()


def test_a_ledger_on_a_shelf_loses_no_line(tmp_path: Path) -> None:
    """Who hands in late takes nothing back that others have handed in, nor a line that a crash tore."""
    shelf = FolderStorage(tmp_path / "shared")
    stores = [RemoteStore(tmp_path / name, shelf) for name in ("a", "b")]
    books = [Ledger(store.folder, experiment="toy", target="paid") for store in stores]
    books[0].note(Charge("job", "one", "estimated", usd=1.0))
    stores[0].share_ledger()
    stores[1].fetch_ledger()
    books[1].note(Charge("job", "two", "estimated", usd=2.0))
    stores[1].share_ledger()
    with books[0].path.open("ab") as torn:
        torn.write(b'{"at": "20')
    stores[0].share_ledger()
    assert spent(read_ledgers([tmp_path / "shared/ledger.jsonl"])).usd == 3.0
    assert spent(read_ledgers([books[0].path])).usd == 3.0


def test_only_one_machine_holds_the_lock(tmp_path: Path) -> None:
    """The second one is told who has it and how a dead run's lock is taken away."""
    one = RemoteStore(tmp_path / "a", FolderStorage(tmp_path / "shared"))
    other = RemoteStore(tmp_path / "b", FolderStorage(tmp_path / "shared"))
    with one.locked(wait=False):
        with pytest.raises(DecisionError, match="process") as caught, other.locked(wait=False):
            pass
        lock_id = other.holder()["id"]
        assert f"ftrun state unlock CONFIG --id {lock_id}" in (caught.value.problem.hint or "")
    with other.locked(wait=False):
        pass


def test_the_lock_of_a_dead_process_and_a_torn_one_have_a_way_out(tmp_path: Path) -> None:
    """A killed run's lock is said to be one's; a torn one has no id to unlock."""
    store, lock = (
        RemoteStore(tmp_path / "a", FolderStorage(tmp_path / "shared")),
        tmp_path / "shared/lock.json",
    )
    ended = subprocess.Popen(["true"])
    ended.wait()
    lock.parent.mkdir()
    lock.write_text(json.dumps({**me(), "pid": ended.pid, "id": "x"}))
    with pytest.raises(DecisionError, match="no longer running"), store.locked(wait=False):
        pass
    lock.write_bytes(b"")
    with pytest.raises(DecisionError) as caught, store.locked(wait=False):
        pass
    assert f"delete {lock} by hand" in (caught.value.problem.hint or "")


def test_a_run_whose_lock_was_taken_away_writes_nothing_more(tmp_path: Path) -> None:
    """Unlocking a run that was alive after all stops it at its next write."""
    store = RemoteStore(tmp_path / "a", FolderStorage(tmp_path / "shared"))
    with store.locked(wait=False):
        assert store.unlock(store.holder()["id"])
        with pytest.raises(DecisionError, match="was removed while this run"):
            store.save(state())
    assert store.load() is None


@pytest.mark.parametrize("url", ["memory://x", "http://host/x", "sftp://host/x", "gs://bucket/x"])
def test_a_place_without_a_safe_lock_is_refused(url: str) -> None:
    """Other addresses are refused in words before anything happens."""
    with pytest.raises(DecisionError, match="could not be locked safely"):
        storage_at(url)


def test_an_experiment_with_a_shared_state_runs_in_two_clones(
    ftrun: Ftrun, project: Path, tmp_path: Path
) -> None:
    """The second clone has nothing to train; its run is one of the same experiment."""
    shared = f"state=file://{tmp_path}/shared"
    first = ftrun.json(CONFIG, "--set", shared, "--until", "train")
    second = ftrun.json(CONFIG, "--set", shared, "--runs-dir", str(tmp_path / "clone"), "--until", "train")
    assert second["job_id"] == first["job_id"]
    assert second["stages"]["train"]["action"] == "skip"
    assert (tmp_path / "shared/toy/local/state.json").exists()
    refused = ftrun.json(CONFIG, "--set", "state=file://relative", code=2)
    assert refused["error"]["code"] == "state_address"


class Bucket:
    """A server that speaks as much of S3 as a state needs; `conditional`: it honours If-None-Match."""

    def __init__(self, *, conditional: bool) -> None:
        self.objects: dict[str, bytes] = {}
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _say(self, status: int, body: bytes = b"") -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"0"')
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def do_PUT(self) -> None:
                """Keep an object."""
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if "aws-chunked" in self.headers.get("Content-Encoding", ""):
                    body = unchunked(body)
                with outer.lock:
                    taken = self.headers.get("If-None-Match") == "*" and self.path in outer.objects
                    if taken and conditional:
                        self._say(412, b"<Error><Code>PreconditionFailed</Code></Error>")
                        return
                    outer.objects[self.path] = body
                self._say(200)

            def do_GET(self) -> None:
                """Give an object."""
                found = outer.objects.get(self.path)
                if found is None:
                    self._say(404, b"<Error><Code>NoSuchKey</Code></Error>")
                else:
                    self._say(200, found)

            do_HEAD = do_GET

            def do_DELETE(self) -> None:
                """Forget an object."""
                outer.objects.pop(self.path, None)
                self._say(204)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()
        self.environment = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server.server_port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test-secret-key",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def unchunked(body: bytes) -> bytes:
    """Return the content of a body in aws-chunked form."""
    content, rest = b"", body
    while rest:
        head, rest = rest.split(b"\r\n", 1)
        size = int(head.split(b";")[0], 16)
        if size == 0:
            break
        content, rest = content + rest[:size], rest[size + 2 :]
    return content


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    """Yield a bucket that is conditional as the test asks."""
    pytest.importorskip("s3fs")
    made = Bucket(conditional=request.param)
    yield made
    made.close()


@pytest.mark.parametrize("bucket", [True], indirect=True)
def test_a_bucket_keeps_the_state_and_its_lock(ftrun: Ftrun, bucket: Bucket) -> None:
    """With conditional writes an experiment runs from S3, and leaves no lock behind."""
    words = (CONFIG, "--set", "state=s3://states/team")
    first = ftrun.json(*words, "--until", "check", env=bucket.environment)
    assert first["status"] == "done"
    assert set(bucket.objects) == {
        "/states/team/toy/local/state.json",
        "/states/team/toy/local/state.json.backup",
    }
    assert (
        ftrun.json(*words, "--until", "check", env=bucket.environment)["stages"]["check"]["action"] == "skip"
    )
    bucket.objects["/states/team/toy/local/lock.json"] = (
        b'{"id": "i", "pid": 1, "host": "ci", "since": "now"}'
    )
    refused = ftrun.json(*words, env=bucket.environment, code=4)
    assert "process 1 on ci" in refused["error"]["message"]
    shown: dict[str, Any] = ftrun.json("state", "unlock", *words, "--id", "i", env=bucket.environment)
    assert shown["unlocked"] == "i"
    assert "/states/team/toy/local/lock.json" not in bucket.objects


@pytest.mark.parametrize("bucket", [False], indirect=True)
def test_a_server_that_ignores_the_condition_is_refused(ftrun: Ftrun, bucket: Bucket) -> None:
    """Where a second creation succeeds no lock is safe: exit 4, and no state is written."""
    words = (CONFIG, "--set", "state=s3://states/team", "--until", "check")
    refused = ftrun.json(*words, env=bucket.environment, code=4)
    assert refused["error"]["code"] == "state_place"
    assert bucket.objects == {}
