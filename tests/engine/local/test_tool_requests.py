"""Tools over HTTP with a real model: from the SDK's request to the call, its result, and the stream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from transformers import AutoTokenizer, LlamaConfig

from engine.local.conftest import save_model
from engine.local.tool_templates import QWEN, TIME, WEATHER, answering

pytestmark = pytest.mark.local

TOOLS: list[Any] = [{"type": "function", "function": one} for one in (WEATHER, TIME)]
ASKED: list[Any] = [{"role": "user", "content": "東京の天気は？"}]


@pytest.fixture(scope="module")
def model(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of a random model with room for tools and a template that has them."""
    folder = tmp_path_factory.mktemp("tools")
    size = len(AutoTokenizer.from_pretrained(tiny_folder))
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=4096,
        bos_token_id=1,
        eos_token_id=2,
        initializer_range=0.3,
    )
    save_model(config, tiny_folder, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = QWEN
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_a_call_and_its_result_go_through_the_sdk(client: openai.OpenAI, model: str) -> None:
    """A model that must call does; its message goes back with the result; a stream says the same."""
    how: Any = {"model": model, "tools": TOOLS, "tool_choice": "required", "seed": 1, "max_tokens": 300}
    choice = client.chat.completions.create(messages=ASKED, parallel_tool_calls=False, **how).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function" and call.function.name in ("get_weather", "get_time")
    assert isinstance(json.loads(call.function.arguments), dict)
    with client.chat.completions.create(
        messages=ASKED, parallel_tool_calls=False, stream=True, **how
    ) as stream:
        choices = [chunk.choices[0] for chunk in stream]
    deltas = [call for one in choices for call in one.delta.tool_calls or ()]
    assert {delta.index for delta in deltas} == {0}
    written = [delta.function.arguments or "" for delta in deltas if delta.function is not None]
    assert "".join(written) == call.function.arguments
    assert not any(one.delta.content for one in choices) and choices[-1].finish_reason == "tool_calls"
    history = [*ASKED, choice.message, answering("晴れ", id=call.id)]
    after = client.chat.completions.create(model=model, messages=history, tools=TOOLS, max_tokens=4)
    assert after.usage is not None and after.usage.completion_tokens <= 4
