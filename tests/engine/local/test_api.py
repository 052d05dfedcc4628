"""The endpoints that generate text, over HTTP, with a model that computes: one engine for all tests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import openai
import pydantic
import pytest

from engine.local.tool_templates import QWEN
from support.engine_process import Engine

pytestmark = pytest.mark.local

ASKED: Any = [{"role": "user", "content": "猫は何と鳴く？"}]


class Sound(pydantic.BaseModel):
    """鳴き声"""

    animal: Literal["猫", "犬"]
    loud: bool


@pytest.fixture(scope="module")
def model(tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the folder of the tiny model, with a longer context and a template that has tools."""
    folder = tmp_path_factory.mktemp("tools") / "model"
    shutil.copytree(tiny_folder, folder)
    (folder / "chat_template.jinja").write_text(QWEN, encoding="utf-8")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 2048}))
    return str(folder)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[openai.OpenAI]:
    """Yield a client of an engine."""
    variables = {"OMP_NUM_THREADS": "1", "FTRUN_DTYPE": "float32"}
    engine = Engine(home=tmp_path_factory.mktemp("engine"), variables=variables).start()
    with engine.client() as found:
        yield found
    engine.end()


def test_choices_have_seeds_of_their_own(client: openai.OpenAI, model: str) -> None:
    """`n` with a seed gives the answers of that seed and the next ones, again and again."""
    how: dict[str, Any] = {"model": model, "messages": ASKED, "max_tokens": 8}
    several = client.chat.completions.create(n=3, seed=5, **how)
    alone = [client.chat.completions.create(seed=5 + number, **how) for number in range(3)]
    texts = [choice.message.content for choice in several.choices]
    assert texts == [one.choices[0].message.content for one in alone] and len(set(texts)) == 3
    assert several.usage and alone[0].usage
    assert several.usage.prompt_tokens == alone[0].usage.prompt_tokens


def test_log_probabilities(client: openai.OpenAI, model: str) -> None:
    """The bytes of all tokens are the answer's, whole and in pieces; a bias and penalties change it."""
    how: dict[str, Any] = {"model": model, "messages": ASKED, "max_tokens": 12, "temperature": 0}
    scored: dict[str, Any] = {**how, "logprobs": True, "top_logprobs": 3}
    choice = client.chat.completions.create(**scored).choices[0]
    assert choice.logprobs and choice.logprobs.content
    told = b"".join(bytes(one.bytes or ()) for one in choice.logprobs.content)
    assert told.decode(errors="replace") == choice.message.content
    streamed = [
        score
        for chunk in client.chat.completions.create(stream=True, **scored)
        for one in chunk.choices
        if one.logprobs
        for score in one.logprobs.content or ()
    ]
    # its prompt is known by now, which changes the last digits
    assert [one.bytes for one in streamed] == [one.bytes for one in choice.logprobs.content]
    likely = [[one.logprob, *(top.logprob for top in one.top_logprobs)] for one in streamed]
    expected = [[one.logprob, *(top.logprob for top in one.top_logprobs)] for one in choice.logprobs.content]
    assert likely == [pytest.approx(one, abs=1e-3) for one in expected]
    for change in ({"logit_bias": {str(10): 100}}, {"frequency_penalty": 2, "presence_penalty": 2}):
        other = client.chat.completions.create(**how, **change)
        assert other.choices[0].message.content != choice.message.content


def test_answers_are_held_to_a_model(client: openai.OpenAI, model: str) -> None:
    """`parse` of chats and responses gives what the schema says, from a model that knows nothing of JSON."""
    how: dict[str, Any] = {"model": model, "temperature": 0}
    chat = client.chat.completions.parse(messages=ASKED, response_format=Sound, **how)
    assert isinstance(chat.choices[0].message.parsed, Sound)
    assert isinstance(client.responses.parse(input=ASKED, text_format=Sound, **how).output_parsed, Sound)
    wrong: Any = {"name": "a", "schema": {"type": "nonsense"}}
    asked: Any = {"type": "json_schema", "json_schema": wrong}
    flat: Any = {"format": {"type": "json_schema", **wrong}}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(messages=ASKED, response_format=asked, **how)
    assert (caught.value.code, caught.value.param) == ("invalid_json_schema", "response_format")
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(input=ASKED, text=flat, **how)
    assert (caught.value.code, caught.value.param) == ("invalid_json_schema", "text.format")


def test_functions_are_called(client: openai.OpenAI, model: str) -> None:
    """A call that must come has arguments that fit, whole, in pieces and as events; its result is read."""
    tools: Any = [openai.pydantic_function_tool(Sound, name="sound")]
    how: dict[str, Any] = {"model": model, "messages": ASKED, "tools": tools, "tool_choice": "required"}
    choice = client.chat.completions.create(**how, parallel_tool_calls=False, temperature=0).choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.content is None
    with client.chat.completions.stream(**how, parallel_tool_calls=False, temperature=0) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls and isinstance(message.tool_calls[0].function.parsed_arguments, Sound)
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "にゃあ"}
    history: Any = [*ASKED, message, result]
    answer = client.chat.completions.create(model=model, messages=history, tools=tools, max_tokens=4)
    assert answer.usage and answer.usage.completion_tokens <= 4
    flat: Any = [{"type": "function", **tools[0]["function"]}]
    only: Any = {"type": "function", "name": "sound"}
    with client.responses.stream(
        model=model, input=ASKED, tools=flat, tool_choice=only, top_logprobs=2
    ) as events:
        items = events.get_final_response().output
    assert {item.type for item in items} == {"function_call"}


def test_prompts_are_continued(client: openai.OpenAI, model: str) -> None:
    """A text and its token ids are continued alike; limits are named as this endpoint names them."""
    how: dict[str, Any] = {"model": model, "temperature": 0, "max_tokens": 6}
    found = client.completions.create(prompt=["猫は", "犬は"], n=2, logprobs=1, echo=False, **how)
    assert [choice.text for choice in found.choices[:2]] == [found.choices[0].text] * 2
    assert found.choices[0].logprobs and found.choices[0].logprobs.tokens
    for prompt in ("猫" * 3000, [10**6]):
        with pytest.raises(openai.BadRequestError) as caught:
            client.completions.create(prompt=prompt, **how)
        assert caught.value.param == "prompt"
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=model, input="猫" * 3000)
    assert caught.value.param == "input"
