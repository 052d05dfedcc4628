"""ftrun.engine.inference.embedding: means of last states, the same alone and together; tuned models."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from engine.local.conftest import Recorder, finish, question
from ftrun.engine.backends import Rejected, TrainingJob
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.torch_backend import train

pytestmark = pytest.mark.local

TEXTS = ["猫は何と鳴きますか？", "犬", "What does the cat say? It says meow. " * 4, "にゃあ" * 30] * 4


def test_an_embedding_is_the_mean_of_the_last_states(tiny: LoadedModel) -> None:
    """Computed with others or alone, of length 1, with the number of tokens."""
    model = TorchChat(tiny)
    together = list(model.embed(TEXTS, None))
    for text, (vector, tokens) in zip(TEXTS, together, strict=True):
        ids = tiny.tokenizer(text, add_special_tokens=False)["input_ids"]
        states = tiny.causal.base_model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(0)
        expected = (states / states.norm()).detach()
        assert tokens == len(ids)
        assert torch.allclose(torch.tensor(vector), expected, atol=1e-5)
        assert list(model.embed([ids], None)) == list(model.embed([text], None))


def test_a_tuned_model_has_embeddings_of_its_own(
    tiny: LoadedModel, make_job: Callable[..., TrainingJob]
) -> None:
    """And answers beside them are as they were."""
    adapter, model = train(make_job(n_epochs=5), Recorder()).model_folder, TorchChat(tiny)
    before = finish(model, question("one", "猫？"))["one"].text
    (base, _), (tuned, _) = next(model.embed(["猫"], None)), next(model.embed(["猫"], adapter))
    assert abs(sum(a * b for a, b in zip(base, tuned, strict=True))) < 0.9999
    assert finish(model, question("one", "猫？"))["one"].text == before


@pytest.mark.parametrize(
    ("text", "problem"), [("", "empty"), ([], "empty"), ([5, 9999], "no token 9999"), ("猫" * 300, "context")]
)
def test_what_has_no_embedding_is_refused(tiny: LoadedModel, text: str | list[int], problem: str) -> None:
    """Before anything is computed, whichever text it is."""
    with pytest.raises(Rejected, match=problem) as caught:
        TorchChat(tiny).embed(["猫", text], None)
    assert caught.value.param == "input"


def test_names_of_special_tokens_are_text(tiny: LoadedModel) -> None:
    """They are as many tokens as any other words."""
    ((_, tokens),) = TorchChat(tiny).embed(["<|im_end|>"], None)
    assert tokens > 1
