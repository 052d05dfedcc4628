"""/v1/completions: prompts that are continued as they are."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest
from openai.types import Completion

from engine.test_sdk_types import strict
from support.engine_process import Engine


def send(engine: Engine, **more: Any) -> httpx2.Response:
    """Send a request and return the answer, a 200."""
    headers = {"Authorization": f"Bearer {engine.token}"}
    body = {"model": "rehearsal", "prompt": "昔々", **more}
    answer = httpx2.post(f"{engine.base_url}/completions", headers=headers, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


def whole(engine: Engine, **more: Any) -> Completion:
    """Return an answer, strictly of the SDK's type."""
    found = strict(Completion, send(engine, **more).content)
    assert isinstance(found, Completion)
    return found


@pytest.mark.parametrize(
    ("prompt", "prompts"), [("昔々", 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2), ([[1], "b"], 2)]
)
@pytest.mark.parametrize("n", [1, 2])
def test_prompts_of_every_form(engine: Engine, prompt: Any, prompts: int, n: int) -> None:
    """A text, token ids and lists of them have n choices each, the first prompt's first."""
    found = whole(engine, prompt=prompt, n=n, best_of=n)
    assert [choice.index for choice in found.choices] == list(range(prompts * n))
    assert found.usage and whole(engine, prompt=prompt).usage
    once = whole(engine, prompt=prompt).usage
    assert once and found.usage.prompt_tokens == once.prompt_tokens
    assert found.usage.completion_tokens == n * once.completion_tokens


def test_an_answer_is_short_unless_it_may_be_longer(engine: Engine) -> None:
    """As in the API, sixteen tokens are the limit without another one."""
    assert whole(engine, prompt="a").usage.completion_tokens <= 16  # type: ignore[union-attr]
    assert whole(engine, max_tokens=1).choices[0].finish_reason == "length"


def test_the_prompt_is_echoed(engine: Engine) -> None:
    """Each choice begins with its prompt, whole and in pieces."""
    found = whole(engine, prompt=["昔々", "b"], echo=True, n=2)
    assert [choice.text[0] for choice in found.choices] == ["昔", "昔", "b", "b"]
    assert texts(engine, prompt=["昔々", "b"], echo=True, n=2) == [choice.text for choice in found.choices]


def test_log_probabilities_say_where_tokens_begin(engine: Engine) -> None:
    """Tokens, their offsets and the likeliest ones are those of the text, whole and in pieces."""
    choice = whole(engine, logprobs=2).choices[0]
    found = choice.logprobs
    assert found and found.tokens and found.text_offset and found.top_logprobs
    assert "".join(found.tokens) == choice.text
    ends = [*found.text_offset[1:], len(choice.text)]
    assert [
        choice.text[start:end] for start, end in zip(found.text_offset, ends, strict=True)
    ] == found.tokens
    assert all(len(likely) == 2 for likely in found.top_logprobs)
    parts = [choice["logprobs"] for choice in pieces(engine, logprobs=2) if choice["logprobs"]]
    for name in ("tokens", "token_logprobs", "text_offset", "top_logprobs"):
        assert [one for part in parts for one in part[name]] == getattr(found, name)
    assert all(len(likely) == 1 for likely in whole(engine, logprobs=0).choices[0].logprobs.top_logprobs)  # type: ignore[union-attr]


def pieces(engine: Engine, **more: Any) -> list[dict[str, Any]]:
    """Return the choices of a stream, of the SDK's type; as in the API, reasons are null until the end."""
    lines = [
        line.removeprefix("data: ") for line in send(engine, stream=True, **more).text.splitlines() if line
    ]
    assert lines.pop() == "[DONE]"
    found: list[dict[str, Any]] = []
    for line in lines:
        chunk = json.loads(line)
        found += chunk["choices"]
        choices = [{**one, "finish_reason": one["finish_reason"] or "stop"} for one in chunk["choices"]]
        strict(Completion, json.dumps({**chunk, "choices": choices}))
    return found


def texts(engine: Engine, **more: Any) -> list[str]:
    """Return the text of each choice of a stream, which ends it with its reason."""
    found: dict[int, str] = {}
    ended: list[int] = []
    for choice in pieces(engine, **more):
        assert choice["index"] not in ended
        found[choice["index"]] = found.get(choice["index"], "") + choice["text"]
        ended += [choice["index"]] if choice["finish_reason"] else []
    assert sorted(ended) == sorted(found)
    return [found[index] for index in sorted(found)]


def test_the_sdk_streams(client: openai.OpenAI) -> None:
    """Chunks of the SDK add up to the whole answer, and the usage comes last."""
    expected = client.completions.create(model="rehearsal", prompt="昔々", max_tokens=50)
    *parts, last = client.completions.create(
        model="rehearsal", prompt="昔々", max_tokens=50, stream=True, stream_options={"include_usage": True}
    )
    assert "".join(one.choices[0].text for one in parts) == expected.choices[0].text
    assert last.choices == [] and last.usage == expected.usage


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": None}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", ""]}, "prompt"),
        ({"prompt": [[]]}, "prompt"),
        ({"prompt": [1, -1]}, "prompt"),
        ({"prompt": [True]}, "prompt"),
        ({"prompt": [1, 2**31]}, "prompt"),
        ({"prompt": ["a"] * 129}, "prompt"),
        ({"prompt": ["a"] * 65, "n": 2}, "n"),
        ({"suffix": "b"}, "suffix"),
        ({"best_of": 2}, "best_of"),
        ({"echo": True, "prompt": [1]}, "echo"),
        ({"echo": True, "logprobs": 1}, "echo"),
        ({"logprobs": 6}, "logprobs"),
        ({"logprobs": True}, "logprobs"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stream_options": {}}, "stream_options"),
        ({"messages": []}, "messages"),
        ({"frequency_penalty": 3}, "frequency_penalty"),
    ],
)
def test_what_cant_be_done_is_refused_by_name(
    client: openai.OpenAI, change: dict[str, Any], param: str
) -> None:
    """A value out of bounds, and whatever would be ignored, is a 400 with its parameter."""
    body = {"model": "rehearsal", "prompt": "a", **change}
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/completions", cast_to=object, body=body)
    assert caught.value.param == param


def test_an_unknown_model_is_a_404(client: openai.OpenAI) -> None:
    """As in a chat."""
    with pytest.raises(openai.NotFoundError) as caught:
        client.completions.create(model="nobody", prompt="a")
    assert caught.value.code == "model_not_found"
