"""ftrun.engine.inference.generate: greedy as Transformers, seeded, stopped, streamed in whole characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.local.conftest import Recorder, chat
from ftrun.engine.backends import Rejected, Sampling, TrainingJob, Usage
from ftrun.engine.inference.generate import TorchChat, _pieces, pick
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.torch_backend import train

pytestmark = pytest.mark.local

QUESTION = chat("猫は何と鳴く？", "")[:-1]


def ask(
    model: TorchChat, usage: Usage | None = None, adapter: Path | None = None, **sampling: Any
) -> list[str]:
    """Return the pieces of an answer."""
    how = Sampling(**{"temperature": 0, "max_tokens": 24, **sampling})
    return list(model.answer(QUESTION, adapter=adapter, sampling=how, usage=usage or Usage()))


def test_greedy_answers_are_those_of_transformers(tiny: LoadedModel) -> None:
    """Token by token with our loop is what `generate` of Transformers gives."""
    prompt = torch.tensor([tiny.encoder.prompt(QUESTION)])
    expected = tiny.causal.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False
    )[0, prompt.shape[1] :]
    usage = Usage()
    answer = "".join(ask(TorchChat(tiny), usage))
    assert answer == tiny.tokenizer.decode(expected, skip_special_tokens=True)
    assert usage.prompt_tokens == prompt.shape[1]


def test_a_seed_makes_sampling_repeatable(tiny: LoadedModel) -> None:
    """The same seed is the same answer; another seed or none is another."""
    model = TorchChat(tiny)
    first, again, other = (ask(model, temperature=1, seed=seed) for seed in (1, 1, 2))
    assert first == again != other
    assert ask(model, temperature=1) != ask(model, temperature=1)


def test_max_tokens_ends_with_length(tiny: LoadedModel) -> None:
    """An answer that is cut says so and counts its tokens."""
    usage = Usage()
    ask(TorchChat(tiny), usage, max_tokens=3)
    assert (usage.completion_tokens, usage.finish_reason) == (3, "length")


def test_a_prompt_beyond_the_context_is_refused(tiny: LoadedModel) -> None:
    """The message names the limit and the number of tokens."""
    long = chat("猫" * 300, "")[:-1]
    with pytest.raises(Rejected, match="256 tokens") as caught:
        list(TorchChat(tiny).answer(long, adapter=None, sampling=Sampling(), usage=Usage()))
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


class Drawn(list[int]):
    """Tokens that a model drew, for the text part alone."""

    ended = True


def pieces(model: LoadedModel, text: str, stop: Iterable[str] = ()) -> tuple[list[str], Usage]:
    """Return the pieces that the tokens of `text` are streamed in."""
    usage = Usage()
    tokens = Drawn(model.tokenizer(text, add_special_tokens=False)["input_ids"])
    return list(_pieces(model.tokenizer, tokens, tuple(stop), usage)), usage  # type: ignore[arg-type]


def test_pieces_never_break_a_character(tiny: LoadedModel) -> None:
    """Bytes of one character come in one piece, in Japanese and in emoji, and nothing is lost."""
    text = "鳴くよね。𠮷野家と🐈‍⬛、end"
    found, _ = pieces(tiny, text)
    assert "".join(found) == text
    assert len(found) > 5 and not any("\ufffd" in piece for piece in found)


def test_half_a_character_at_the_end_is_not_hidden(tiny: LoadedModel) -> None:
    """When an answer is cut within a character, the rest is shown as the replacement character."""
    ids = tiny.tokenizer("𠮷", add_special_tokens=False)["input_ids"][:-1]
    assert "".join(_pieces(tiny.tokenizer, Drawn(ids), (), Usage())) == "\ufffd"  # type: ignore[arg-type]


def test_stop_texts_end_the_answer_and_are_not_shown(tiny: LoadedModel) -> None:
    """A stop text that comes in several pieces is never shown, not even its beginning."""
    found, usage = pieces(tiny, "にゃあと鳴くよね。終わり。まだ続く", stop=["終わり。", "zzz"])
    assert "".join(found) == "にゃあと鳴くよね。"
    assert usage.finish_reason == "stop"


def test_what_only_looks_like_a_stop_text_is_shown(tiny: LoadedModel) -> None:
    """The beginning of a stop text at the end of an answer is part of the answer."""
    assert "".join(pieces(tiny, "もう終わ", stop=["終わり"])[0]) == "もう終わ"


def test_top_p_keeps_the_smallest_set_of_likely_tokens() -> None:
    """With top_p below the first token's share only that one is drawn; with more, never the tail."""
    scores = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    generator = torch.Generator().manual_seed(0)
    draw: Callable[[float], set[int]] = lambda top_p: {  # noqa: E731
        pick(scores, Sampling(top_p=top_p), generator) for _ in range(200)
    }
    assert draw(0.4) == {0}
    assert draw(0.79) == {0, 1}
    assert draw(1.0) == {0, 1, 2, 3}


def test_adapters_are_switched_without_a_trace(
    tiny: LoadedModel, make_job: Callable[..., TrainingJob]
) -> None:
    """Tuned, base, tuned: each answers as it did before."""
    adapter = train(make_job(n_epochs=5), Recorder()).model_folder
    model = TorchChat(tiny)
    base, tuned = ask(model), ask(model, adapter=adapter)
    assert base != tuned
    assert (ask(model), ask(model, adapter=adapter)) == (base, tuned)


def test_big_models_answer_unmerged_with_the_same_words(
    tiny: LoadedModel, make_job: Callable[..., TrainingJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the adapter is merged into a copy or applied beside the weights makes no difference."""
    adapter = train(make_job(n_epochs=5), Recorder()).model_folder
    merged = ask(TorchChat(tiny), adapter=adapter)
    monkeypatch.setattr("ftrun.engine.inference.generate.MERGE_PARAMETERS", 0)
    assert ask(TorchChat(tiny), adapter=adapter) == merged
