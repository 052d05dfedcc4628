"""ftrun.engine.inference.token_scores: the model's log probabilities, with the text that they belong to."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from engine.local.conftest import Told, finish, question
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.inference.text import AnswerText
from ftrun.engine.inference.token_scores import TokenScores, log_probabilities
from ftrun.engine.inference.vocabulary import Vocabulary
from ftrun.engine.models.base import LoadedModel, load_model
from ftrun.engine.questions import Sampling, TokenScore

pytestmark = pytest.mark.local


def ask(model: LoadedModel, **sampling: Any) -> Told:
    """Return the answer to one question."""
    return finish(TorchChat(model), question("one", "猫は何と鳴く？", **sampling))["one"]


@pytest.mark.parametrize("temperature", [0, 1.7])
def test_log_probabilities_are_those_of_the_model(tiny: LoadedModel, temperature: float) -> None:
    """Before temperature, penalties and biases, for the chosen token and the twenty likeliest."""
    told = ask(
        tiny, temperature=temperature, seed=1, top_logprobs=20, presence_penalty=1, logit_bias={30: -3}
    )
    vocabulary = Vocabulary(tiny)
    vocabulary.prepare()
    written_as = {vocabulary.likely(token, 0).bytes: token for token in range(tiny.vocabulary)}
    ids = tiny.encoder.prompt(question("one", "猫は何と鳴く？").messages)
    for score in told.scores:
        expected = tiny.causal(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        values, tokens = expected.topk(20)
        assert [one.logprob for one in score.top] == pytest.approx(values.tolist(), abs=1e-4)
        written = [tiny.tokenizer.decode([token]) for token in tokens.tolist()]
        assert [one.text for one in score.top] == written
        chosen = written_as[tuple(score.bytes)]
        assert score.logprob == pytest.approx(float(expected[chosen]), abs=1e-4)
        ids.append(chosen)
    assert told.usage is not None and len(told.scores) == told.usage.completion_tokens


def test_without_alternatives_there_is_only_the_token(tiny: LoadedModel) -> None:
    """`top_logprobs` 0 is the chosen token's alone, and without it there are no scores."""
    assert [score.top for score in ask(tiny, top_logprobs=0, max_tokens=3).scores] == [[]] * 3
    assert ask(tiny, max_tokens=3).scores == []


def test_a_token_that_cannot_come_has_a_number(tiny: LoadedModel) -> None:
    """JSON has no infinity: it is -9999, as in the API."""
    scores = torch.tensor([[0.0, -math.inf], [1.0, 2.0]])
    found = log_probabilities(scores, [Sampling(top_logprobs=1), Sampling()])
    assert {row: values.tolist() for row, values in found.items()} == {0: [0, -9999]}


def streamed(model: LoadedModel, ids: list[int], *stop: str) -> list[tuple[str, list[TokenScore]]]:
    """Return what is told after each token, and at the end."""
    text, told, characters = AnswerText(model.tokenizer, stop), list[tuple[str, list[TokenScore]]](), 0
    scores = TokenScores(text, Vocabulary(model), 1)
    for token in ids:
        piece = text.add(token)
        characters += len(piece)
        scores.add(token, torch.zeros(model.vocabulary))
        if text.stopped:
            return [*told, (piece, scores.rest(characters))]
        told.append((piece, scores.until(characters)))
    rest = text.end()
    return [*told, (rest, scores.rest(characters + len(rest)))]


def encoded(model: LoadedModel, text: str) -> list[int]:
    """Return the tokens of a text."""
    ids: list[int] = model.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


@pytest.mark.parametrize(
    ("text", "stop", "shown"),
    [
        ("にゃあと鳴く𠮷、と🐈‍⬛。", (), "にゃあと鳴く𠮷、と🐈‍⬛。"),
        ("もう終わり。まだ", ("終わり。",), "もう"),
        ("もう終わ", ("終わり",), "もう終わ"),
        ("cat say", ("t s",), "ca"),
        ("猫", ("猫",), ""),
    ],
)
def test_scores_come_with_their_text(tiny: LoadedModel, text: str, stop: tuple[str, ...], shown: str) -> None:
    """What was told so far has the bytes of the text so far, also where a stop text cuts a token."""
    so_far, tokens = "", b""
    for piece, scores in streamed(tiny, encoded(tiny, text), *stop):
        so_far += piece
        tokens += b"".join(bytes(score.bytes) for score in scores)
        assert so_far.startswith(tokens.decode(errors="strict"))
    assert (so_far, tokens.decode()) == (shown, shown)


def test_broken_characters_keep_their_bytes(tiny: LoadedModel) -> None:
    """Half a character is the replacement character as text; its tokens have the bytes that came."""
    ids = encoded(tiny, "a𠮷")[:-1]
    told = streamed(tiny, ids)
    scores = [score for _, found in told for score in found]
    assert "".join(piece for piece, _ in told) == "a\ufffd"
    assert b"".join(bytes(score.bytes) for score in scores) == "a𠮷".encode()[:-1]
    assert [score.text for score in scores] == ["a", *["\ufffd"] * (len(ids) - 1)]


def test_a_special_token_has_a_name_and_no_bytes(tiny: LoadedModel) -> None:
    """It is no part of the text; the likeliest tokens may be special, too."""
    ids = [*encoded(tiny, "ca"), tiny.tokenizer.convert_tokens_to_ids("<|im_start|>"), *encoded(tiny, "t")]
    scores = [score for _, found in streamed(tiny, ids) for score in found]
    assert ("<|im_start|>", ()) in [(score.text, score.bytes) for score in scores]
    assert "".join(score.text for score in scores if score.bytes) == "cat"


def test_the_built_in_model_tells_what_it_expects(built_in: str) -> None:
    """A drawn answer's log probabilities are those of Transformers, and its bytes those of the text."""
    model = load_model(built_in)
    asked = question(
        "one", "猫は何と鳴きますか？ 日本語で。", temperature=1, seed=4, max_tokens=16, top_logprobs=20
    )
    told = finish(TorchChat(model), asked)["one"]
    assert b"".join(bytes(score.bytes) for score in told.scores).decode(errors="replace") == told.text
    vocabulary, prompt = Vocabulary(model), model.encoder.prompt(asked.messages)
    expected = model.causal(input_ids=torch.tensor([prompt])).logits[0, -1].log_softmax(-1)
    values, tokens = expected.topk(20)
    first = told.scores[0]
    assert [one.logprob for one in first.top] == pytest.approx(values.tolist(), abs=1e-3)
    likely = [vocabulary.likely(token, 0).bytes for token in tokens.tolist()]
    assert [one.bytes for one in first.top] == likely
    assert all(score.logprob <= score.top[0].logprob + 1e-6 and len(score.top) == 20 for score in told.scores)
