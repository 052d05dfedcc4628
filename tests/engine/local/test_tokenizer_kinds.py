"""Grammars and log probabilities with the kinds of tokenizers that models have."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.local.conftest import finish, question
from engine.local.tokenizers_of_kinds import of_kind
from ftrun.engine.backends import Rejected
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.models.base import LoadedModel, load_model
from ftrun.engine.questions import Constraint, Question

pytestmark = pytest.mark.local

SCHEMA = {
    "type": "object",
    "properties": {
        "名前": {"enum": ["猫 にゃあ", "cat says"]},
        "年": {"type": "integer", "minimum": 0, "maximum": 99},
        "言葉": {"type": "string", "maxLength": 12},
    },
    "required": ["名前", "年", "言葉"],
    "additionalProperties": False,
}


def model_with(kind: str, folder: Path, *, more: int = 5) -> LoadedModel:
    """Return a random model with a tokenizer of a kind, and so many scores more than it has tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = of_kind(kind)
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer) + more,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=512,
        initializer_range=0.3,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    return load_model(str(folder))


def asked(count: int, *, max_tokens: int = 40, **sampling: float) -> list[Question]:
    """Return questions with different seeds; the answers are all but random."""
    how: dict[str, Any] = {"temperature": 2, "max_tokens": max_tokens, **sampling}
    return [question(str(n), "猫", seed=n, **how) for n in range(count)]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("sentence_piece", 5),
        ("sentence_piece_with_a_space_first", 0),
        ("unigram", 0),
        ("byte_level", -1),  # a tokenizer may know tokens that its model lacks
    ],
)
def test_answers_fit_their_schema_and_tokens_their_text(kind: str, more: int, tmp_path: Path) -> None:
    """The most random answers are JSON of the schema; the bytes of their tokens are those of the answers."""
    model = TorchChat(model_with(kind, tmp_path, more=more))
    held = [
        replace(one, constraint=Constraint(schema=SCHEMA)) for one in asked(6, max_tokens=200, top_logprobs=2)
    ]
    for told in finish(model, *held).values():
        assert told.error is None and told.usage is not None and told.usage.finish_reason == "stop"
        value = json.loads(told.text)
        assert value["名前"] in ("猫 にゃあ", "cat says") and 0 <= value["年"] < 100
        assert b"".join(bytes(score.bytes) for score in told.scores).decode() == told.text
    for told in finish(model, *asked(6, max_tokens=8, top_logprobs=2)).values():
        # SentencePiece shows each byte around a broken character as a broken one
        if "\ufffd" not in told.text:
            assert b"".join(bytes(score.bytes) for score in told.scores).decode() == told.text


def test_a_tokenizer_that_is_not_known_is_refused_for_formats_only(tmp_path: Path) -> None:
    """Its answers have log probabilities all the same."""
    model = TorchChat(model_with("word_piece", tmp_path))
    with pytest.raises(Rejected, match="tokenizer is not supported: can't determine decoder") as caught:
        model.submit(replace(asked(1)[0], constraint=Constraint()))
    assert (caught.value.code, caught.value.param) == ("unsupported_tokenizer", "response_format")
    told = finish(model, *asked(1, top_logprobs=3))["0"]
    assert told.usage is not None and len(told.scores) == told.usage.completion_tokens


def test_a_model_that_cannot_write_the_format_says_so(tmp_path: Path) -> None:
    """Without tokens for a name in the schema the answer fails, and the others go on."""
    model = TorchChat(model_with("unigram_without_bytes", tmp_path))
    schema = {"type": "object", "properties": {"年齢": {"type": "integer"}}, "required": ["年齢"]}
    told = finish(model, replace(asked(1)[0], id="held", constraint=Constraint(schema=schema)), *asked(3))
    assert isinstance(told["held"].error, Rejected) and "can't write" in str(told["held"].error)
    assert all(told[str(n)].usage for n in range(3))
