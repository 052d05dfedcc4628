"""Files reach the target once: whole or in parts, after lost answers and kills, and exactly as prepared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from ftrun.paid.sending import Hashed
from ftrun.state import PartialUpload, StateStore
from ftrun.targets.api.files import FileCalls, UploadCalls
from runner.conftest import RUN, Inside
from support.engine_process import Engine
from support.faulty_proxy import FaultyServer

UPLOAD = (*RUN, "--yes", "--until", "upload")
PARTS = ("--set", "targets.paid.upload={multipart_above: 100, part_bytes: 1000}")


def posted(provider: FaultyServer, end: str) -> int:
    """Return how often something was posted to a path that ends so."""
    return sum(path.endswith(end) for path in provider.faults.posts)


def pieces(project: Path) -> int:
    """Return of how many parts training and validation file are."""
    sizes = [(project / f"runs/toy/paid/{role}.jsonl").stat().st_size for role in ("train", "validation")]
    return sum(-(-size // 1000) for size in sizes)


def content(engine: Engine, file_id: str) -> bytes:
    """Return what the provider holds."""
    with engine.client() as client:
        return client.files.content(file_id).read()


def test_large_files_go_in_parts_and_arrive_whole(
    inside: Inside, provider: FaultyServer, project: Path, engine: Engine
) -> None:
    """Above the threshold the Uploads API is used; the file is the prepared one, under its readable name."""
    document = inside.json(*UPLOAD, *PARTS)
    prepared = (project / "runs/toy/paid/train.jsonl").read_bytes()
    assert content(engine, document["training_file"]) == prepared
    assert posted(provider, "/parts") >= 3
    assert posted(provider, "/files") == 0
    sha = hashlib.sha256(prepared).hexdigest()
    assert inside.state()["uploads"][sha]["name"] == f"toy-train-{sha[:16]}.jsonl"
    assert inside.state()["partial_uploads"] == {}


@pytest.mark.parametrize("setting", [(), PARTS])
def test_a_file_whose_answer_was_lost_is_found_and_not_sent_again(
    inside: Inside, provider: FaultyServer, setting: tuple[str, ...], engine: Engine
) -> None:
    """The POST was committed and its answer lost: the file is found by name and size."""
    provider.faults.lose = ["/complete" if setting else "/files"]
    document = inside.json(*UPLOAD, *setting)
    assert posted(provider, "/files") + posted(provider, "/complete") <= 2  # training and validation
    with engine.client() as client:
        name = client.files.retrieve(document["training_file"]).filename
        assert sum(file.filename == name for file in client.files.list()) == 1
    assert inside.state()["upload_intents"] == {}


def test_a_part_that_failed_is_sent_again_alone(inside: Inside, provider: FaultyServer) -> None:
    """A busy server costs one more part, not the upload."""
    provider.faults.spoil = ["/parts"]
    inside.json(*UPLOAD, *PARTS, "--force", "upload")
    assert posted(provider, "/parts") == pieces(inside.project) + 1
    assert posted(provider, "/uploads") == 2


def test_an_upload_goes_on_where_it_broke_off(
    inside: Inside, provider: FaultyServer, project: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    """The ids of the parts that arrived are in the state: the next run sends only the rest."""
    real, sent = UploadCalls.add_part, 0

    def breaking(self: Any, upload_id: str, data: bytes) -> str:
        nonlocal sent
        if sent == 2:
            raise KeyboardInterrupt
        sent += 1
        return real(self, upload_id, data)

    monkeypatch.setattr(UploadCalls, "add_part", breaking)
    assert inside.json(*UPLOAD, *PARTS, code=130)["status"] == "interrupted"
    partial = next(iter(inside.state()["partial_uploads"].values()))
    assert len(partial["parts"]) == 2
    monkeypatch.setattr(UploadCalls, "add_part", real)
    document = inside.json(*UPLOAD, *PARTS)
    prepared = (project / "runs/toy/paid/train.jsonl").read_bytes()
    assert content(engine, document["training_file"]) == prepared
    assert posted(provider, "/parts") <= pieces(project)


def test_an_upload_that_the_server_gave_up_begins_anew(
    inside: Inside, provider: FaultyServer, project: Path, engine: Engine
) -> None:
    """Parts of an upload that is expired or unknown by now are no hindrance."""
    inside.json(*RUN, "--yes", "--until", "check")
    sha = hashlib.sha256((project / "runs/toy/paid/train.jsonl").read_bytes()).hexdigest()
    store = StateStore(project / "runs/toy/paid")
    state = store.load()
    assert state is not None
    state.partial_uploads[sha] = PartialUpload(upload_id="upload-gone", part_bytes=1000, parts=["part-x"])
    store.save(state)
    document = inside.json(*UPLOAD, *PARTS)
    prepared = (project / "runs/toy/paid/train.jsonl").read_bytes()
    assert content(engine, document["training_file"]) == prepared


def uploaded(engine: Engine) -> set[str]:
    """Return the files that were sent; jobs of earlier tests may yet leave results on the shared engine."""
    with engine.client() as client:
        return {file.id for file in client.files.list(purpose="fine-tune")}


@pytest.mark.parametrize("setting", [(), PARTS])
def test_a_file_that_changes_while_it_is_sent_is_taken_back(
    inside: Inside,
    provider: FaultyServer,
    project: Path,
    setting: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
) -> None:
    """What is hashed is what was sent: bytes that are not the checked ones do not stay at the target."""
    path = project / "runs/toy/paid/train.jsonl"
    inside.json(*RUN, "--yes", "--until", "check")
    before = uploaded(engine)
    if setting:
        path.write_bytes(path.read_bytes().replace(b"assistant", b"assistanT"))
    else:
        upload = FileCalls.upload

        def changed(self: Any, source: Any, name: str) -> Any:
            path.write_bytes(path.read_bytes().replace(b"assistant", b"assistanT"))
            source.seek(0)
            return upload(self, source, name)

        monkeypatch.setattr(FileCalls, "upload", changed)
    document = inside.json(*UPLOAD, *setting, code=1)
    assert document["error"]["code"] == "changed_file"
    assert uploaded(engine) == before


def test_hashing_starts_anew_at_the_beginning(tmp_path: Path) -> None:
    """A file that is read twice from its beginning has its own hash, not that of both readings."""
    path = tmp_path / "f"
    path.write_bytes(b"abc" * 1000)
    with Hashed(path) as source:
        assert source.read() == path.read_bytes()
        source.seek(0)
        assert source.read(5) + source.read() == path.read_bytes()
        assert source.sha256.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()
