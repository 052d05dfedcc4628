"""ftrun.engine.inference.sampling: penalties and biases as the API defines them, alone and in a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from engine.local.conftest import Told, finish, question
from ftrun.engine.backends import Rejected
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.inference.sampling import Sampler, choose, new_generator, pick
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.questions import Constraint, Question, Sampling

pytestmark = pytest.mark.local


def ask(model: TorchChat, **sampling: Any) -> Told:
    """Return the answer to one question."""
    return finish(model, question("one", "猫は何と鳴く？", **sampling))["one"]


def test_penalties_and_biases_are_those_of_the_api() -> None:
    """c · frequency + (c > 0) · presence is taken from a token's score, and its bias is added."""
    bias = {1: 2.5, 4: -100.0}
    how = Sampling(frequency_penalty=0.5, presence_penalty=0.25, logit_bias=bias, temperature=0)
    sampler = Sampler(how)
    for token in (2, 2, 2, 3):
        sampler.accept(token)
    scores = torch.zeros(5)
    sampler.adjust(scores)
    assert scores.tolist() == [0, 2.5, -1.75, -0.75, -100]


def test_penalties_make_an_answer_repeat_less(tiny: LoadedModel) -> None:
    """A greedy answer of 60 tokens has more different ones; negative penalties do the opposite."""
    model = TorchChat(tiny)
    kinds = {
        penalty: len({score.text for score in told.scores})
        for penalty in (-2.0, 0.0, 2.0)
        for told in [ask(model, max_tokens=60, top_logprobs=0, frequency_penalty=penalty)]
    }
    assert kinds[-2] < kinds[0] < kinds[2]


def test_a_bias_forces_and_forbids_tokens(tiny: LoadedModel) -> None:
    """100 is always chosen, -100 never; with a seed too."""
    model, cat = TorchChat(tiny), tiny.tokenizer("cat", add_special_tokens=False)["input_ids"][0]
    forced = ask(model, logit_bias={cat: 100}, temperature=1, seed=3, max_tokens=5)
    assert forced.text == tiny.tokenizer.decode([cat]) * 5
    first = ask(model, top_logprobs=1).scores[0]
    (token,) = [n for n in range(tiny.vocabulary) if tiny.tokenizer.decode([n]) == first.text][:1]
    assert ask(model, logit_bias={token: -100}, top_logprobs=1).scores[0].text != first.text


def test_a_bias_of_an_unknown_token_is_refused(tiny: LoadedModel) -> None:
    """The message says which ids there are."""
    with pytest.raises(Rejected, match="ids 0 to 299") as caught:
        ask(TorchChat(tiny), logit_bias={300: 1})
    assert caught.value.param == "logit_bias"


def test_the_ends_of_the_ranges_are_drawn_from(tiny: LoadedModel) -> None:
    """With top_p 0, or next to no temperature, the likeliest token is drawn."""
    scores = torch.tensor([1.0, 40.0, 30.0])
    for how in (Sampling(top_p=0.0), Sampling(temperature=1e-40)):
        assert {pick(scores, how, new_generator(seed)) for seed in range(20)} == {1}


def test_what_one_answer_wants_changes_no_other(tiny: LoadedModel) -> None:
    """Penalties, biases, log probabilities, grammars, raw prompts and plain questions in one batch: each is
    what it is alone.
    """
    asked = [mixed(number) for number in range(24)]
    together = finish(TorchChat(tiny), *asked)
    model = TorchChat(tiny)
    for one in asked:
        alone = finish(model, one)[one.id]
        told = together[one.id]
        assert (alone.text, alone.usage) == (told.text, told.usage)
        assert [score.bytes for score in alone.scores] == [score.bytes for score in told.scores]
    assert len({told.text for told in together.values()}) > 15


def mixed(number: int) -> Question:
    """Return a question with features by its number."""
    plain = question(str(number), "猫は？" + "にゃあ" * (number % 3), temperature=number % 2, seed=number)
    sampling = plain.sampling
    if number % 3 == 1:
        sampling = replace(sampling, frequency_penalty=1.5, presence_penalty=-0.5, logit_bias={20: 3})
    if number % 4 == 2:
        sampling = replace(sampling, top_logprobs=5)
    constraint = Constraint() if number % 5 == 3 else None
    prompt = "What does the cat say?" if number % 7 == 4 else None
    return replace(plain, sampling=sampling, constraint=constraint, prompt=prompt)


def test_an_answer_that_cannot_go_on_fails_alone() -> None:
    """The others get their token."""

    class Stuck(Sampler):
        @property
        def adjusts(self) -> bool:
            return True

        def adjust(self, scores: torch.Tensor) -> None:
            raise Rejected("no token")

    found = choose(
        torch.tensor([[0.0, 1], [1, 0], [0, 1]]),
        [Sampler(Sampling(temperature=0)), Stuck(Sampling()), Sampler(Sampling(temperature=0))],
    )
    assert found[0] == found[2] == 1
    assert isinstance(found[1], Rejected)


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_tokens_are_drawn_by_their_shares(top_p: float) -> None:
    """As often as their probabilities say, among the fewest that reach top_p, of more than a thousand."""
    shares = torch.softmax(torch.linspace(0, 9, 3000)[torch.randperm(3000)], dim=-1)
    ordered, tokens = shares.sort(descending=True)
    inside = tokens[: int((ordered.cumsum(-1) < top_p).sum()) + 1]
    generator = new_generator(5)
    counts = torch.zeros(3000)
    for _ in range(2000):
        counts[pick(shares.log(), Sampling(top_p=top_p), generator)] += 1
    assert counts[inside].sum() == 2000
    expected = shares[inside] / shares[inside].sum() * 2000
    # groups of tokens with about 100 draws each: the statistic's mean is the number of groups
    groups = (expected.cumsum(0) / 100).floor().long()
    found, hoped = (
        torch.zeros(int(groups.max()) + 1).index_add_(0, groups, one) for one in (counts[inside], expected)
    )
    assert float(((found - hoped) ** 2 / hoped.clamp(min=1)).sum()) < 3 * len(hoped)
