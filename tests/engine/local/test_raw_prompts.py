"""Prompts without a chat template: continued as they are, text or token ids."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.local.conftest import finish, question
from engine.local.tokenizers_of_kinds import of_kind
from ftrun.engine.backends import Rejected
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.raw_text import RawTextEncoder
from ftrun.engine.questions import Question

pytestmark = pytest.mark.local


def raw(prompt: str | list[int], **sampling: Any) -> Question:
    """Return a question with a prompt of its own."""
    return Question(id="raw", prompt=prompt, sampling=question("", "", **sampling).sampling)


def test_a_prompt_is_continued_as_transformers_does(tiny: LoadedModel) -> None:
    """As a text or as its ids; between it and the answer there is nothing."""
    ids = tiny.tokenizer("What does the cat", add_special_tokens=False)["input_ids"]
    expected = tiny.causal.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False)[0, len(ids) :]
    for prompt in ("What does the cat", ids):
        told = finish(TorchChat(tiny), raw(prompt, max_tokens=12))["raw"]
        assert told.text == tiny.tokenizer.decode(expected, skip_special_tokens=True)
        assert told.usage is not None and told.usage.prompt_tokens == len(ids)


def test_special_tokens_that_a_prompt_names_are_those_tokens(tiny: LoadedModel) -> None:
    """Who writes the whole prompt writes its turns too; in texts to embed they are words."""
    encoder = RawTextEncoder(tiny.tokenizer, vocabulary=tiny.vocabulary)
    assert len(encoder.ids("<|im_start|>", special=True, param="prompt")) == 1
    assert len(encoder.ids("<|im_start|>", special=False, param="input")) > 1


def test_a_text_begins_with_the_token_that_begins_texts() -> None:
    """Once, also where the prompt has written it, and only in models that have one."""
    from tokenizers import processors

    tokenizer = of_kind("sentence_piece")
    assert RawTextEncoder(tokenizer, vocabulary=500).ids("cat", special=True, param="prompt")[0] != 1
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    encoder = RawTextEncoder(tokenizer, vocabulary=500)
    for text in ("cat", "<s>cat"):
        ids = encoder.ids(text, special=True, param="prompt")
        assert ids[0] == 1 and ids[1:].count(1) == 0 and 2 not in ids


@pytest.mark.parametrize(
    ("prompt", "problem", "code"),
    [
        ("", "empty", "invalid_value"),
        ([4, 300], "ids 0 to 299", "invalid_value"),
        ([-1], "no token -1", "invalid_value"),
        ([5] * 256, "the prompt has 256", "context_length_exceeded"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_refused(
    tiny: LoadedModel, prompt: str | list[int], problem: str, code: str
) -> None:
    """The message says what is wrong with it."""
    with pytest.raises(Rejected, match=problem) as caught:
        TorchChat(tiny).submit(raw(prompt))
    assert (caught.value.code, caught.value.param) == (code, "prompt")
