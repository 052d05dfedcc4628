"""ftrun.engine.inference: greedy as Transformers, seeded, stopped, streamed in whole characters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.local.conftest import Recorder, Told, finish, question
from ftrun.engine.backends import Rejected, TrainingJob
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.inference.sampling import pick
from ftrun.engine.inference.text import AnswerText
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.questions import Question, Sampling
from ftrun.engine.torch_backend import train

pytestmark = pytest.mark.local

ASKED = "猫は何と鳴く？"


def ask(model: TorchChat, adapter: Path | None = None, **sampling: Any) -> Told:
    """Return the answer to one question."""
    return finish(model, question("one", ASKED, adapter=adapter, **sampling))["one"]


def test_greedy_answers_are_those_of_transformers(tiny: LoadedModel) -> None:
    """Token by token with our loop is what `generate` of Transformers gives."""
    prompt = torch.tensor([tiny.encoder.prompt(question("one", ASKED).messages)])
    expected = tiny.causal.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=24, do_sample=False
    )[0, prompt.shape[1] :]
    told = ask(TorchChat(tiny))
    assert told.text == tiny.tokenizer.decode(expected, skip_special_tokens=True)
    assert told.usage is not None and told.usage.prompt_tokens == prompt.shape[1]


def test_a_seed_makes_sampling_repeatable(tiny: LoadedModel) -> None:
    """The same seed is the same answer; another seed or none is another."""
    model = TorchChat(tiny)
    first, again, other = (ask(model, temperature=1, seed=seed).text for seed in (1, 1, 2))
    assert first == again != other
    assert ask(model, temperature=1).text != ask(model, temperature=1).text


def test_max_tokens_ends_with_length(tiny: LoadedModel) -> None:
    """An answer that is cut says so and counts its tokens."""
    usage = ask(TorchChat(tiny), max_tokens=3).usage
    assert usage is not None and (usage.completion_tokens, usage.finish_reason) == (3, "length")


def test_a_prompt_beyond_the_context_is_refused(tiny: LoadedModel) -> None:
    """The message names the limit and the number of tokens."""
    with pytest.raises(Rejected, match="256 tokens") as caught:
        TorchChat(tiny).submit(question("long", "猫" * 300))
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")


def test_a_prompt_that_cannot_fit_is_refused_unread(tiny: LoadedModel) -> None:
    """Megabytes would take seconds to become tokens, and nobody else could ask meanwhile."""
    model, huge = TorchChat(tiny), ASKED * 1_000_000
    for ask_it in (
        lambda: model.submit(Question(messages=[{"role": "user", "content": huge}])),
        lambda: model.submit(Question(prompt=huge)),
        lambda: model.embed([huge], None),
    ):
        with pytest.raises(Rejected, match="characters") as caught:
            ask_it()
        assert caught.value.code == "context_length_exceeded"


def pieces(model: LoadedModel, text: str, stop: Iterable[str] = ()) -> tuple[list[str], bool]:
    """Return the pieces that the tokens of `text` are streamed in, and whether a stop text ended them."""
    answer, found = AnswerText(model.tokenizer, tuple(stop)), list[str]()
    for token in model.tokenizer(text, add_special_tokens=False)["input_ids"]:
        found.append(answer.add(token))
        if answer.stopped:
            return found, True
    return [*filter(None, found), answer.end()], answer.stopped


def test_pieces_never_break_a_character(tiny: LoadedModel) -> None:
    """Bytes of one character come in one piece, in Japanese and in emoji, and nothing is lost."""
    text = "鳴くよね。𠮷野家と🐈‍⬛、end"
    found, _ = pieces(tiny, text)
    assert "".join(found) == text
    assert len(found) > 5 and not any("\ufffd" in piece for piece in found)


def test_half_a_character_at_the_end_is_not_hidden(tiny: LoadedModel) -> None:
    """When an answer is cut within a character, the rest is shown as the replacement character."""
    ids = tiny.tokenizer("𠮷", add_special_tokens=False)["input_ids"][:-1]
    answer = AnswerText(tiny.tokenizer)
    assert "".join([*map(answer.add, ids), answer.end()]) == "\ufffd"


def test_stop_texts_end_the_answer_and_are_not_shown(tiny: LoadedModel) -> None:
    """A stop text that comes in several pieces is never shown, not even its beginning."""
    found, stopped = pieces(tiny, "にゃあと鳴くよね。終わり。まだ続く", stop=["終わり。", "zzz"])
    assert "".join(found) == "にゃあと鳴くよね。"
    assert stopped


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
    base, tuned = ask(model).text, ask(model, adapter).text
    assert base != tuned
    assert (ask(model).text, ask(model, adapter).text) == (base, tuned)
