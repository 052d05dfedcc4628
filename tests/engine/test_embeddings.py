"""Embeddings over HTTP: whole requests, in either format, beside answers, and what is refused."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from openai.types import CreateEmbeddingResponse

from engine.test_batches import end, lines_of
from engine.test_sdk_types import strict
from support.engine_process import Engine, chat_worker, finish, upload

TEXTS = ["請求書はどこですか", "Where is my invoice?", "請求書はどこですか"]


def post(engine: Engine, **body: Any) -> CreateEmbeddingResponse:
    """Return the answer to a request, held to the SDK's type."""
    headers = {"Authorization": f"Bearer {engine.token}"}
    body = {"model": "rehearsal", **body}
    answer = httpx2.post(f"{engine.base_url}/embeddings", headers=headers, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    found: CreateEmbeddingResponse = strict(CreateEmbeddingResponse, answer.text)
    return found


def test_each_input_has_its_vector(client: openai.OpenAI, engine: Engine) -> None:
    """One text, several, or token ids: vectors of length 1 in their order, the same in both formats."""
    found = post(engine, input=TEXTS)
    assert [one.index for one in found.data] == [0, 1, 2]
    first, second, third = (one.embedding for one in found.data)
    assert first == third != second
    assert sum(value * value for value in first) == pytest.approx(1)
    assert found.usage.prompt_tokens == found.usage.total_tokens > 3
    sdk = client.embeddings.create(model="rehearsal", input=TEXTS)  # asks for base64
    assert [one.embedding for one in sdk.data] == [first, second, third]
    assert post(engine, input=TEXTS[0]).data[0].embedding == first
    assert len(post(engine, input=[5, 6, 7]).data) == 1
    assert len(post(engine, input=[[5, 6], [7]]).data) == 2


def test_a_tuned_model_has_vectors_of_its_own(client: openai.OpenAI) -> None:
    """The adapter of a tuned model takes part."""
    name = finish(client, client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client)).id)
    assert name.fine_tuned_model is not None
    vectors = [
        client.embeddings.create(model=model, input="やあ").data[0].embedding
        for model in ("rehearsal", name.fine_tuned_model)
    ]
    assert vectors[0] != vectors[1]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": ["a", [1]], "encoding_format": "int8"}, "encoding_format"),
        ({"input": [[1.5]]}, "input"),
        ({"input": [True]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": "a", "dimensions": 8}, "dimensions"),
        ({"input": "a", "more": 1}, "more"),
    ],
)
def test_what_cannot_be_embedded_is_refused(client: openai.OpenAI, body: dict[str, Any], param: str) -> None:
    """A 400 names the parameter."""
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/embeddings", body={"model": "rehearsal", **body}, cast_to=object)
    assert caught.value.param == param


def test_a_large_request_holds_up_nobody(client: openai.OpenAI) -> None:
    """While many texts are computed, answers are generated as well."""
    waits: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        client.chat.completions.create(model="rehearsal", messages=[{"role": "user", "content": "？"}])
        waits.append(time.monotonic() - began)

    asker = threading.Thread(target=ask)
    asker.start()
    found = client.embeddings.create(model="rehearsal", input=["長い" * 500] * 2048)
    asker.join()
    assert len(found.data) == 2048 and waits[0] < 10


def test_a_killed_process_is_asked_again(own_engine: Callable[..., Engine]) -> None:
    """A request whose process dies is answered by the next one; so is a batch of them."""
    engine = own_engine()
    with engine.client() as client:
        client.embeddings.create(model="rehearsal", input="a")
        os.kill(chat_worker(engine), signal.SIGKILL)
        assert client.embeddings.create(model="rehearsal", input="a").data
        good = {"method": "POST", "url": "/v1/embeddings"}
        lines = [
            {**good, "custom_id": str(number), "body": {"model": "rehearsal", "input": text}}
            for number, text in enumerate([*TEXTS, ""])
        ]
        content = "\n".join(json.dumps(one) for one in lines).encode()
        file = client.files.create(file=("in.jsonl", content), purpose="batch").id
        batch = client.batches.create(input_file_id=file, endpoint="/v1/embeddings", completion_window="24h")
        ended = end(client, batch)
        output = lines_of(client, ended.output_file_id)
        assert [one["custom_id"] for one in output] == ["0", "1", "2"]
        strict(CreateEmbeddingResponse, json.dumps(output[0]["response"]["body"]))
        assert len(lines_of(client, ended.error_file_id)) == 1
        assert ended.usage is not None and ended.usage.input_tokens > 3 and ended.usage.output_tokens == 0
