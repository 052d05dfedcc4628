"""The experiments that ship: valid on every target, small enough, with expectations that tell."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment
from ftrun.experiment.templates.rendering import Renderer
from ftrun.scoring.expect import judge

CONFIGS = ROOT / "configs"
NAMES = ("hiroyuki", "neko", "quickstart")
TURN_MARKS = 12  # at most, in SmolLM2's template: two marks, the role, two line ends

# (experiment, question): answers that must pass, answers that must fail
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
    assert targets == (["local", "openai"] if name == "quickstart" else ["local", "local-ja", "openai"])
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


@pytest.mark.parametrize("name", NAMES)
def test_no_eval_prompt_is_in_the_training_data(name: str) -> None:
    """The questions asked afterwards are new to the tuned model."""
    experiment = load(name)
    trained = {message["content"] for messages in examples(experiment) for message in messages}
    for prompt in experiment.evaluation.prompts:
        assert prompt.messages is not None or prompt.user not in trained
    assert len(experiment.evaluation.prompts) >= 3


def test_every_expectation_is_tried() -> None:
    """No shipped question has an expectation without answers that must pass and fail below."""
    expecting = {
        (name, prompt.id) for name in NAMES for prompt in load(name).evaluation.prompts if prompt.expect
    }
    assert expecting == set(ANSWERS)


@pytest.mark.parametrize(("name", "question"), ANSWERS)
def test_an_expectation_tells_right_from_wrong(name: str, question: str) -> None:
    """Right answers pass, and wrong ones fail, among them what the base models said."""
    prompt = next(one for one in load(name).evaluation.prompts if one.id == question)
    right, wrong = ANSWERS[name, question]
    assert [answer for answer in right if not judge(prompt.expect, answer).passed] == []
    assert [answer for answer in wrong if judge(prompt.expect, answer).passed] == []


def test_the_data_folder_says_that_all_is_invented() -> None:
    """The data's README says that nobody said any of it, and names every file."""
    text = Path(CONFIGS / "data" / "README.md").read_text(encoding="utf-8")
    assert "No real person said any of it" in text
    data = {path.name for path in (CONFIGS / "data").iterdir()} - {"README.md"}
    assert all(f"`{name}`" in text for name in data)
