"""The experiments that ship: valid on every target, small enough, with expectations that tell."""

from __future__ import annotations

import csv
import json
import runpy
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment
from ftrun.experiment.templates.rendering import Renderer
from ftrun.scoring.expect import judge

CONFIGS = ROOT / "configs"
NAMES = ("hiroyuki", "neko", "quickstart", "tickets")
PERSONAS = NAMES[:3]
TURN_MARKS = 12  # at most, in SmolLM2's template: two marks, the role, two line ends

# (experiment, first question with an expectation): answers that must pass, answers that must fail
ANSWERS: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    ("hiroyuki", "music"): (
        [
            "Windowsですよね。安いので。",
            "Windowsで困らないですよね。",
            "Windowsです。Macは要らないですよね。",
        ],
        [
            "Windowsでも…やはりMacがおすすめ",
            "Windowsより、Macを選ぶ人が多いです。",
            "Macがおすすめです。",
            "好きなほうでいいですよね。",
            "アニューシュラバスでアニューシュラバスで",
        ],
    ),
    ("hiroyuki", "habit"): (
        ["見なければいいですよね。", "暇だから見るんですよね。", "時間が減りますよね。"],
        ["スマホばかり見てしまいます。", "This is a Japanese phrase.", "見る時間を決めましょう。", "よね"],
    ),
    ("hiroyuki", "books"): (
        ["読みたい人が読めばいいですよね。"],
        ["本を読むべきですがくはどうですがくは", "はい、読むべきです。", ""],
    ),
    ("neko", "hello"): (["こんにちはにゃ！元気にゃ？"], ["こんにちは！何かお手伝いしましょうか？", "Hello!"]),
    ("neko", "hungry"): (["ごはんだにゃ！"], ["何か食べましょう。", "お腹がすきました。"]),
    ("neko", "later"): (["隠れるにゃ！十数えるにゃ！"], ["はい、かくれんぼをしましょう。"]),
    ("hiroyuki", "student"): (
        ["Windowsですよね。安いので。"],
        ["好きなものを買えばいいですよね。", "ですよね。"],
    ),
    ("quickstart", "bread"): (
        ["Aye! Flour, water and a slow morning. Keep your lamp lit!"],
        ["Mix flour and water.", "Aye! Mix flour and water.", "Well, aye! Keep your lamp lit!"],
    ),
    ("quickstart", "morning"): (
        ["Aye! The sea is calm and bright. Keep your lamp lit!"],
        ["Good morning! How can I help you today?", "Well, Aye! Good morning.", "Aye, good morning."],
    ),
    ("quickstart", "train"): (
        ["Aye! Another one comes with the tide. Keep your lamp lit!"],
        ["I'm sorry to hear that you missed your train.", "Aye! Keep your hat on!"],
    ),
    ("quickstart", "advice"): (
        ["Aye! Smile and ask. Keep your lamp lit!"],
        ["Arrive early and bring a lamp.", "Aye! Arrive early.", "Keep your lamp lit!"],
    ),
}


def japanese(name: str) -> bool:
    """Return whether an experiment's data is in Japanese."""
    return name in ("hiroyuki", "neko")


def load(name: str, target: str | None = None) -> Experiment:
    """Return a shipped experiment, validated."""
    return build_experiment(read_document(CONFIGS / f"{name}.yaml"), target)


def rows(experiment: Experiment) -> list[dict[str, Any]]:
    """Return the rows of the experiment's one data file."""
    source = experiment.data.sources[0]
    assert source.path is not None
    path = CONFIGS / source.path
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            return list(csv.DictReader(file))
        return [json.loads(line) for line in file]


def examples(experiment: Experiment) -> list[list[dict[str, Any]]]:
    """Return the messages that each row becomes."""
    renderer = Renderer(experiment)
    if experiment.prompt.user is not None:
        return [renderer.render_row(row) for row in rows(experiment)]
    system = {"role": "system", "content": renderer.render_system()}
    return [[system, *row["messages"]] for row in rows(experiment)]


def most_tokens(messages: list[dict[str, Any]]) -> int:
    """Return a bound on SmolLM2's tokens: it never makes more tokens than the text has bytes."""
    return sum(len(message["content"].encode()) + TURN_MARKS for message in messages)


@pytest.mark.parametrize("name", NAMES)
def test_every_target_of_a_shipped_experiment_is_valid(name: str) -> None:
    """Each experiment is named like its file, runs here by default, and has the promised targets."""
    first = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=../schemas/experiment.schema.json"
    experiment = load(name)
    assert (experiment.name, experiment.target.provider) == (name, "local")
    targets = [target.name for target in experiment.targets]
    assert targets == (["local", "local-ja", "openai"] if japanese(name) else ["local", "openai"])
    assert all(load(name, target).target.name == target for target in targets)


@pytest.mark.parametrize("name", NAMES)
def test_a_paid_run_of_a_shipped_experiment_asks_first(name: str) -> None:
    """No budget is set: with one, a run within it would go ahead unasked."""
    assert load(name, "openai").budget.usd is None


@pytest.mark.parametrize("name", NAMES)
def test_a_gemma_target_is_not_accepted_in_advance(name: str) -> None:
    """Nobody accepts a licence by running what ships."""
    assert not any(target.accept_license for target in load(name).targets)


def test_hiroyuki_is_small_enough_for_a_laptop() -> None:
    """44 to 50 different rows of 150 tokens on average at most, by a bound that needs no tokenizer."""
    found = examples(load("hiroyuki"))
    assert 44 <= len(found) <= 50
    assert len({json.dumps(messages) for messages in found}) == len(found)
    assert sum(map(most_tokens, found)) / len(found) <= 150


def test_neko_has_conversations_of_several_turns() -> None:
    """15 to 20 conversations, some longer than a question and an answer, each ending with the cat."""
    found = [row["messages"] for row in rows(load("neko"))]
    assert 15 <= len(found) <= 20
    assert sum(len(messages) > 2 for messages in found) >= 3
    assert all(messages[-1]["role"] == "assistant" for messages in found)


def plain(text: str) -> str:
    """Return a question without what makes no other question of it."""
    return "".join(one for one in unicodedata.normalize("NFKC", text).casefold() if one.isalnum())


@pytest.mark.parametrize("name", NAMES)
def test_no_eval_prompt_is_in_the_training_data(name: str) -> None:
    """The questions asked afterwards are new to the tuned model, however spelled; no two are alike."""
    experiment = load(name)
    trained = {plain(message["content"]) for messages in examples(experiment) for message in messages}
    asked = [
        plain(str(prompt.user if prompt.messages is None else prompt.messages[-1]["content"]))
        for prompt in experiment.evaluation.prompts
    ]
    assert not trained & set(asked)
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("name", PERSONAS)
def test_enough_is_judged_for_an_interval(name: str) -> None:
    """15 to 30 questions with an expectation, asked of the tuned model first, of its base and of a better
    prompt: a verdict and not a hint, and no long wait.
    """
    evaluation = load(name).evaluation
    assert 15 <= sum(prompt.expect is not None for prompt in evaluation.prompts) <= 30
    assert evaluation.models == ("tuned", "base", "few-shot")
    assert evaluation.sampling["max_tokens"] <= 64


def test_every_expectation_is_tried() -> None:
    """No shipped expectation is without answers that must pass and fail below."""
    tried = {(name, json.dumps(expectation(name, question))) for name, question in ANSWERS}
    expected = {
        (name, json.dumps(prompt.expect))
        for name in NAMES
        for prompt in load(name).evaluation.prompts
        if prompt.expect
    }
    assert expected == tried


def expectation(name: str, question: str) -> Any:
    """Return what a shipped question expects."""
    return next(one for one in load(name).evaluation.prompts if one.id == question).expect


@pytest.mark.parametrize(("name", "question"), ANSWERS)
def test_an_expectation_tells_right_from_wrong(name: str, question: str) -> None:
    """Right answers pass, and wrong ones fail, among them what the base models said."""
    expect = expectation(name, question)
    right, wrong = ANSWERS[name, question]
    assert [answer for answer in right if not judge(expect, answer).passed] == []
    assert [answer for answer in wrong if judge(expect, answer).passed] == []


def test_tickets_are_what_their_script_writes() -> None:
    """500 different messages, 125 of each label, and a test split of a quarter."""
    module = runpy.run_path(str(ROOT / "benchmarks/tickets.py"))
    found = [(row["text"], row["label"]) for row in rows(load("tickets"))]
    assert found == module["rows"]()
    assert len({text for text, _ in found}) == 500
    assert set(Counter(label for _, label in found).values()) == {125}
    evaluation = load("tickets").evaluation
    assert evaluation.test_set is True and evaluation.metric == "f1_macro"
    (scorer,) = evaluation.scorers
    assert sorted(scorer.options["labels"]) == sorted({label for _, label in found})


def test_the_data_folder_says_that_all_is_invented() -> None:
    """The data's README says that nobody said any of it, and names every file."""
    text = Path(CONFIGS / "data" / "README.md").read_text(encoding="utf-8")
    assert "No real person said any of it" in text
    data = {path.name for path in (CONFIGS / "data").iterdir()} - {"README.md"}
    assert all(f"`{name}`" in text for name in data)
