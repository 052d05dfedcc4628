"""Uploads in parts: joined in the order given, checked by size and MD5, refused in the API's words."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import openai
import pytest
from openai.types import Upload
from openai.types.uploads import UploadPart

from support.engine_process import Engine, rows


def begin(client: openai.OpenAI, content: bytes, name: str = "train.jsonl") -> str:
    """Begin an upload of `content` and return its id."""
    made = client.uploads.create(
        bytes=len(content), filename=name, mime_type="application/jsonl", purpose="fine-tune"
    )
    Upload.model_validate(made.model_dump(warnings=False), strict=False)
    assert made.status == "pending"
    return made.id


def add(client: openai.OpenAI, upload_id: str, *pieces: bytes) -> list[str]:
    """Add parts and return their ids."""
    parts = [client.uploads.parts.create(upload_id, data=piece) for piece in pieces]
    for part in parts:
        UploadPart.model_validate(part.model_dump(), strict=False)
    return [part.id for part in parts]


def test_parts_become_a_file_in_the_order_given(client: openai.OpenAI) -> None:
    """The order of part_ids counts, not that of arrival; the file is usable as any other."""
    content = rows()
    first, second = content[:100], content[100:]
    upload_id = begin(client, content)
    late, early = add(client, upload_id, second, first)
    done = client.uploads.complete(upload_id, part_ids=[early, late], md5=hashlib.md5(content).hexdigest())
    assert done.status == "completed"
    assert done.file is not None
    assert client.files.content(done.file.id).read() == content
    job = client.fine_tuning.jobs.create(model="rehearsal", training_file=done.file.id)
    assert job.training_file == done.file.id
    again = client.uploads.complete(upload_id, part_ids=[early, late])
    assert again.file is not None, "an answer that was lost can be asked for again"
    assert again.file.id == done.file.id


def test_what_was_not_announced_is_refused(client: openai.OpenAI) -> None:
    """Another size, another MD5, a foreign part or one twice: 400, and the upload goes on."""
    content = rows()
    upload_id, other = begin(client, content), begin(client, content)
    one, two = add(client, upload_id, content[:50], content[50:])
    (foreign,) = add(client, other, content)
    for part_ids, md5, code in (
        ([one], None, "size_mismatch"),
        ([one, one], None, "invalid_parts"),
        ([one, foreign], None, "invalid_parts"),
        ([one, two], "0" * 32, "md5_mismatch"),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            client.uploads.complete(upload_id, part_ids=part_ids, md5=md5 or openai.omit)
        assert caught.value.code == code
    assert client.uploads.complete(upload_id, part_ids=[one, two]).status == "completed"


def test_a_cancelled_upload_takes_no_part(client: openai.OpenAI) -> None:
    """After cancelling, parts and completion are refused."""
    upload_id = begin(client, b"x" * 10)
    (part,) = add(client, upload_id, b"x" * 10)
    assert client.uploads.cancel(upload_id).status == "cancelled"
    with pytest.raises(openai.BadRequestError, match="is cancelled"):
        add(client, upload_id, b"x")
    with pytest.raises(openai.BadRequestError, match="is cancelled"):
        client.uploads.complete(upload_id, part_ids=[part])
    with pytest.raises(openai.NotFoundError):
        client.uploads.cancel("upload-none")


def test_an_upload_expires_and_leaves_nothing(own_engine: Callable[..., Engine], tmp_path: Path) -> None:
    """Past its hour an upload is expired; the next start of the engine deletes its parts."""
    engine = own_engine()
    with engine.client() as client:
        upload_id = begin(client, b"x" * 10)
        (part,) = add(client, upload_id, b"x" * 5)
        with sqlite3.connect(engine.home / "store.sqlite3") as database:
            database.execute("UPDATE uploads SET expires_at = 1")
        database.close()
        with pytest.raises(openai.BadRequestError, match="is expired"):
            add(client, upload_id, b"x" * 5)
    assert (engine.home / "files" / part).exists()
    engine.end()
    engine.start()
    assert not (engine.home / "files" / part).exists()
