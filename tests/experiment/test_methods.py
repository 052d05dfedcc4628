"""What belongs to which `train.method`, and the tools, calls and groups that an experiment file may name."""

from __future__ import annotations

import json

import pytest

from ftrun.experiment.model import Template
from ftrun.experiment.rules.methods import item_fields
from ftrun.experiment.templates.rendering import Renderer

from .conftest import Workplace

GRADER = "{type: string_check, name: g, operation: eq, input: a, reference: '{{ item.answer }}'}"


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        ("prompt: {user: a}\n", "prompt", "`user` needs `assistant`"),
        ("prompt: {preferred: a}\n", "prompt.preferred", "the method is supervised"),
        ("train: {method: dpo}\nprompt: {user: a}\n", "prompt", "`non_preferred` and `preferred`"),
        ("train: {method: reinforcement}\n", "train", "needs a `grader`"),
        (f"train: {{grader: {GRADER}}}\n", "train.grader", "the method is supervised"),
        ("train: {hyperparameters: {beta: 1}}\n", "train.hyperparameters.beta", "for `method: dpo`"),
        ("train: {method: dpo, hyperparameters: {beta: 3}}\n", "train.hyperparameters.beta", "at most 2"),
        ("train: {hyperparameters: {top_layers: 0}}\n", "train.hyperparameters.top_layers", "from 1"),
        (
            "train: {hyperparameters: {top_layers: auto}}\n",
            "train.hyperparameters.top_layers",
            "whole number",
        ),
        (
            "train: {method: dpo, hyperparameters: {top_layers: 2}}\n",
            "train.hyperparameters.top_layers",
            "for `method: supervised`",
        ),
        ("train: {method: reinforcement, grader: {type: x}}\n", "train.grader.type", "one of string_check"),
        (
            "train: {method: reinforcement, grader: {type: python, name: g}}\n",
            "train.grader",
            "needs `source`",
        ),
        ("prompt: {messages: [{role: tool, content: a}]}\n", "prompt.messages[0]", "`tool_call_id`"),
        ("prompt: {messages: [{role: assistant}]}\n", "prompt.messages[0]", "`content` is missing"),
        ("prompt: {tools: nowhere.json}\n", "prompt.tools", "there is no file"),
    ],
)
def test_what_does_not_fit(place: Workplace, more: str, key: str, words: str) -> None:
    """A template, a value or a grader of another method is one problem at its key, with a hint."""
    problem = place.wrong_with(more)
    assert f" {key}: " in str(problem)
    assert words in str(problem) + str(problem.hint)


def test_an_order_without_groups(place: Workplace) -> None:
    """`order_by` orders the rows of a conversation, so without `group_by` it is an error."""
    (problem,) = place.wrong("version: 1\nname: cat\ndata: {sources: [{path: x.csv, order_by: a}]}\n")
    assert problem.code == "wrong_key"


def test_tools_from_a_file_and_calls_as_templates(place: Workplace) -> None:
    """A .json file gives the tools; every text of a call is a template; a text of calls is JSON."""
    tools = [{"type": "function", "function": {"name": "f"}}]
    place.write("tools.json", json.dumps(tools))
    calls = "[{id: c, function: {name: f, arguments: {a: '{{ x }}', n: 3}}}]"
    experiment = place.build(
        f"prompt: {{tools: tools.json, messages: [{{role: assistant, tool_calls: {calls}}}, "
        "{role: assistant, tool_calls: '{{ calls | tojson }}'}]}\n"
    )
    assert experiment.prompt.tools == tools
    first, second = Renderer(experiment).render_row({"x": '"猫"', "calls": [{"id": "d"}]})
    assert json.loads(first["tool_calls"][0]["function"]["arguments"]) == {"a": '"猫"', "n": 3}
    assert second["tool_calls"] == [{"id": "d"}]


def test_broken_tools_file(place: Workplace) -> None:
    """A file that is not JSON, or not a list, is an error at the key that names it."""
    for content in ("{", "{}"):
        place.write("tools.json", content)
        assert place.wrong_with("prompt: {tools: tools.json}\n").code == "tools_file"


def test_methods_build(place: Workplace) -> None:
    """What the methods need reaches the dataclasses."""
    experiment = place.build(
        f"train: {{method: reinforcement, grader: {GRADER}, hyperparameters: {{eval_samples: 2.0}}}}\n"
        "prompt: {user: a, item: {answer: '{{ a }}'}}\n"
    )
    assert experiment.train.method == "reinforcement"
    assert item_fields(experiment.train.grader) == {"answer"}
    assert experiment.train.hyperparameters["eval_samples"] == 2
    assert experiment.prompt.item == {"answer": Template(text="{{ a }}")}
