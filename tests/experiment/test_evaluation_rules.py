"""What `eval` may say: candidates, sets, scorers, metric, gates; and experiments that train nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from ftrun.experiment import schema_text
from ftrun.experiment.model import CandidateSpec, Replay, ScorerSpec
from ftrun.scoring.scorers import METRICS, SCORER_OF

from .conftest import Workplace

TWO_TARGETS = (
    "targets: {local: {provider: local, model: rehearsal}, o: {provider: openai, model: m}}\ntarget: local\n"
)
ONLY = "version: 1\nname: cat\n"
ASKED = "prompts: [{id: a, user: b, reference: c, expect: {contains: d}}]"
DESIGN = Path(__file__).resolve().parents[1] / "experiment" / "design.yaml"


def test_candidates_are_names_and_mappings(place: Workplace) -> None:
    """A name stands for itself; a mapping says what is asked, and may replace a built-in name."""
    place.write("rescued/old.jsonl", "")
    evaluation = place.build(
        TWO_TARGETS
        + """eval:
  models:
    - {name: tuned, system: null}
    - base
    - few-shot
    - ckpt-step-20
    - {name: few, model: base, few_shot: 5, system: Be brief.}
    - {name: retrieval, retrieval: 8}
    - {name: mini, target: o}
    - {name: other, target: o, model: gpt-x}
    - {name: tuned+docs, model: tuned, retrieval: 3}
    - {name: old, answers: rescued/old.jsonl}
"""
    ).evaluation
    assert evaluation.candidates == (
        CandidateSpec(name="tuned", model="tuned", own_system=True),
        CandidateSpec(name="base", model="base", plain=True),
        CandidateSpec(name="few-shot", model="few-shot", plain=True),
        CandidateSpec(name="ckpt-step-20", model="ckpt-step-20", plain=True),
        CandidateSpec(name="few", model="base", few_shot=5, system="Be brief.", own_system=True),
        CandidateSpec(name="retrieval", model="retrieval", retrieval=8),
        CandidateSpec(name="mini", model="base", target="o"),
        CandidateSpec(name="other", model="gpt-x", target="o"),
        CandidateSpec(name="tuned+docs", model="tuned", retrieval=3),
        CandidateSpec(name="old", answers=place.folder / "rescued/old.jsonl"),
    )


def test_every_key_is_built(place: Workplace) -> None:
    """What the file says is what the stages get; paths are absolute and relative to the file."""
    place.write("schema.json", '{"type": "object"}')
    experiment = place.build(
        "targets: {o: {provider: openai, model: m, concurrency: 8}}\n"
        "eval:\n"
        f"  {ASKED}\n"
        "  test_set: 50\n"
        "  recall_sample: 20\n"
        "  general: true\n"
        "  repeat: 3\n"
        "  metric: chrf\n"
        "  scorers: [exact_match, {chrf: {word_order: 2.0}}, {json_schema: {path: schema.json}}, length]\n"
        '  gates: ["tuned.chrf > base.chrf @95%"]\n',
        sets=["data.split.test=0.1", "data.replay.share=0.1", "data.replay.path=general.jsonl"],
    )
    evaluation = experiment.evaluation
    assert (evaluation.test_set, evaluation.recall_sample, evaluation.repeat) == (50, 20, 3)
    assert (evaluation.general, evaluation.metric) == (True, "chrf")
    assert evaluation.scorers == (
        ScorerSpec(name="exact_match"),
        ScorerSpec(name="chrf", options={"word_order": 2}),
        ScorerSpec(name="json_schema", options={"schema": {"type": "object"}}),
        ScorerSpec(name="length"),
    )
    assert evaluation.gates == ("tuned.chrf > base.chrf @95%",)
    assert experiment.target.concurrency == 8
    assert experiment.data.replay == Replay(share=0.1, path=place.folder / "general.jsonl")
    assert experiment.trains


@pytest.mark.parametrize(("written", "replay"), [("0.25", Replay(share=0.25)), ("0", None), ("null", None)])
def test_replay_is_a_share(place: Workplace, written: str, replay: Replay | None) -> None:
    """A number alone is the share; 0 and null turn replay off."""
    assert place.build(sets=[f"data.replay={written}"]).data.replay == replay


WRONG: list[tuple[str, str, str]] = [
    # the keys of eval with ^ at the place of the fault, code, what the message or its hint says
    ("models: [tuned, ^tuned]", "duplicate_name", "also the name of eval.models[0]"),
    ("models: [base, ^{name: base, system: x}]", "duplicate_name", "also the name of eval.models[0]"),
    ("models: [tuned, ^few_shots]", "candidate", "Did you mean few-shot?"),
    ("models: [^Base]", "candidate", "{name: Base, model: Base}"),
    ("models: [^{name: a}]", "missing_key", "a candidate needs a `model`"),
    ("models: [^{model: base}]", "missing_key", "the key `name` is missing"),
    ("models: [{name: ^a b, model: base}]", "wrong_value", "no spaces"),
    ("models: [{name: ^a>b, model: base}]", "wrong_value", "no spaces"),
    ("models: [{name: a, model: base, ^few_shots: 3}]", "unknown_key", "few_shot"),
    ("models: [{name: a, model: base, few_shot: ^0}]", "wrong_value", "1 to 100"),
    ("models: [{name: a, target: ^p, model: m}]", "unknown_target", "Known here: local, o"),
    ("models: [{name: tuned, ^target: o}]", "wrong_key", "own target"),
    ("models: [{name: a, model: ckpt-step-4, ^target: o}]", "wrong_key", "own target"),
    ("models: [{name: a, answers: ^none.jsonl}]", "no_such_file", "there is no file none.jsonl"),
    ("models: [{name: a, answers: ^anwers.jsonl}]", "no_such_file", "Did you mean answers.jsonl?"),
    ("models: [{name: a, answers: answers.jsonl, ^system: x}]", "wrong_key", "recorded"),
    ("models: [{name: a, model: base, system: ^s.j2}]", "candidate", "not a template"),
    ("models: [^checkpoints]", "not_in_this_version", "not supported yet"),
    ("test_set: ^true", "eval_sets", "no test split"),
    ("test_set: ^0", "wrong_value", "true"),
    ("test_set: ^0.1", "wrong_value", "whole number"),
    ("recall_sample: ^-1", "wrong_value", "whole number"),
    ("general: ^none.jsonl", "prompt_file", "there is no file none.jsonl"),
    ("^general: []", "wrong_value", "empty"),
    ("repeat: ^0", "wrong_value", "1 to 50"),
    ("metric: ^crf", "unknown_metric", "Did you mean chrf?"),
    ("metric: ^f1_macro", "unknown_metric", "metric of the scorer `classification`"),
    ("metric: ^general", "unknown_metric", "eval.general: true"),
    ("scorers: [^exactmatch]", "scorer", "Did you mean exact_match?"),
    ("scorers: [^rouge_I]", "scorer", "Did you mean rouge_l?"),
    ("scorers: [{^accuracy: {labels: [yes, Yes]}}]", "scorer", "Yes"),
    ("scorers: [{f1_macro: {^label: [yes, no]}}]", "unknown_key", "labels"),
    ("scorers: [chrf, ^{chrf: {word_order: 2}}]", "duplicate_name", "also eval.scorers[0]"),
    ("scorers: [{chrf: {^order: 2}}]", "unknown_key", "word_order"),
    ("scorers: [^{chrf: {}, bleu: {}}]", "wrong_value", "one key"),
    ("scorers: [{^classification: {labels: [yes, Yes]}}]", "scorer", "Yes"),
    ("scorers: [{json_schema: {path: ^none.json}}]", "json_schema", "there is no file none.json"),
    ("scorers: [{^json_schema: {schema: {type: dict}}}]", "scorer", "dict"),
    ("scorers: [{^regex: {pattern: '('}}]", "scorer", "("),
    ('gates: [^"tuned.chrf >> 1"]', "gate", "not a comparison"),
    ('gates: [^"tuned.crf > 1"]', "unknown_metric", "Did you mean chrf?"),
    ('gates: [^"tund.chrf > 1"]', "gate", "Did you mean tuned?"),
    ('^gates: ["tuned.chrf > 1", "tuned.chrf > 1"]', "wrong_value", "duplicates"),
]


@pytest.mark.parametrize(("keys", "code", "words"), WRONG)
def test_what_is_wrong_is_said_once(place: Workplace, keys: str, code: str, words: str) -> None:
    """Each fault is one message with its place and a way out, before anything is asked or paid."""
    place.write("answers.jsonl", "")
    place.write("broken.json", "{")
    problem = place.wrong_with(f"{TWO_TARGETS}eval:\n  {ASKED}\n  {keys.replace('^', '')}\n")
    assert problem.code == code
    assert words in f"{problem.message} {problem.hint}"
    assert problem.place == f"x.yaml:9:{keys.index('^') + 3}"


@pytest.mark.parametrize(
    ("text", "code", "place_of_it", "words"),
    [
        (
            '{\n  "type": "object",\n  "required": [a]\n}',
            "json_schema",
            "x.json:3:16",
            "is not JSON: Expecting",
        ),
        (
            '{\n\t"type": "object",\n\t"properties": {"a": {"type": "objekt"}}\n}',
            "scorer",
            "x.json:3:31",
            "objekt",
        ),
        ("[]", "scorer", "x.json:1:1", "must be an object"),
    ],
)
def test_a_broken_schema_is_named_with_its_place_in_its_own_file(
    place: Workplace, text: str, code: str, place_of_it: str, words: str
) -> None:
    """Not only with the key that names the file."""
    place.write("x.json", text)
    problem = place.wrong_with(
        f"{TWO_TARGETS}eval:\n  {ASKED}\n  scorers: [{{json_schema: {{path: x.json}}}}]\n"
    )
    assert (problem.code, problem.place) == (code, place_of_it)
    assert (
        words in problem.message and text.splitlines()[-2 if "\n" in text else 0].strip() in problem.message
    )


def test_a_pass_rate_needs_expectations(place: Workplace) -> None:
    """A gate on `pass_rate` without any `expect` could never be judged."""
    problem = place.wrong_with('eval: {prompts: [{id: a, user: b}], gates: ["tuned.pass_rate > 0.5"]}\n')
    assert problem.code == "unknown_metric"
    assert "no question has an `expect`" in problem.message


@pytest.mark.parametrize("split", ["0", "[]", "null"])
def test_an_empty_test_split_is_refused(place: Workplace, split: str) -> None:
    """`test_set` without rows to ask is an error before anything is prepared."""
    problems = place.wrong(
        "version: 1\nname: cat\ndata:\n  sources: [{path: a.jsonl}]\n"
        f"  split: {{validation: 0.1, test: {split}}}\neval: {{test_set: true}}\n"
    )
    assert problems[-1].code == "eval_sets"


def test_gates_know_the_metrics_of_listed_scorers(place: Workplace) -> None:
    """A gate may rest on any metric of a listed scorer, on free ones, and on the sets' pass rates."""
    labels = "{classification: {labels: [yes, no]}}"
    place.build(
        f"eval:\n  {ASKED}\n  general: true\n  scorers: [{labels}]\n  metric: f1_macro\n"
        '  gates: ["tuned.f1_macro > base.f1_macro @95%", "tuned.general >= base.general - 0.02", '
        '"tuned.pass_rate >= 0.8", "tuned.refusals <= base.refusals", "tuned.recall > 0"]\n'
    )


def test_metrics_name_their_scorers(place: Workplace) -> None:
    """Who lists the names of metrics as scorers gets these metrics."""
    experiment = place.build(
        f"eval:\n  {ASKED}\n"
        "  scorers: [rouge_l, {accuracy: {labels: [yes, no]}}, f1_macro, field_f1, {json_valid: {}}]\n"
        '  gates: ["tuned.rouge_1 > base.rouge_1", "tuned.f1_micro > 0.5", "tuned.json_valid > 0.5"]\n'
    )
    assert [one.name for one in experiment.evaluation.scorers][:2] == ["rouge_l", "accuracy"]


def test_tools_and_expected_calls(place: Workplace) -> None:
    """A question brings tools, and says which call it expects."""
    experiment = place.build(
        """eval:
  prompts:
    - id: rain
      user: 東京は雨？
      tools: [{type: function, function: {name: get_weather, parameters: {type: object}}}]
      expect: {tool_call: {name: get_weather, arguments: {city: 東京}}}
      tags: [tools]
      group: weather
    - {id: none, user: hi, expect: {tool_call: []}}
    - {id: two, user: hi, expect: {tool_call: [a, {name: b}]}}
    - id: turns
      messages:
        - {role: user, content: hi}
        - role: assistant
          content: null
          tool_calls: [{id: c, type: function, function: {name: a, arguments: "{}"}}]
        - {role: tool, tool_call_id: c, content: done}
"""
    )
    rain = experiment.evaluation.prompts[0]
    assert rain.tools[0]["function"]["name"] == "get_weather"
    assert (rain.tags, rain.group) == (("tools",), "weather")
    assert rain.expect == {"tool_call": {"name": "get_weather", "arguments": {"city": "東京"}}}


@pytest.mark.parametrize(
    "messages",
    [
        "[{role: tool, content: x}]",
        "[{role: user, content: x, tool_calls: [{id: a}]}]",
        "[{role: assistant}, {role: user, content: x}]",
        "[{role: user, content: null}]",
        "[{role: user, content: x, tool_call_id: a}]",
    ],
)
def test_conversations_are_as_the_api_takes_them(place: Workplace, messages: str) -> None:
    """Calls belong to the assistant, ids to tools, and every message says something."""
    place.wrong_with(f"eval: {{prompts: [{{id: a, messages: {messages}}}]}}\n")


# experiments that train nothing


def test_recorded_answers_need_neither_data_nor_targets(place: Workplace) -> None:
    """An experiment of recorded answers alone asks nobody."""
    place.write("old.jsonl", '{"prompt_id": "a", "answer": "b"}\n')
    from ftrun.experiment import build_experiment, read_document

    text = f"{ONLY}eval:\n  models: [{{name: old, answers: old.jsonl}}]\n  {ASKED}\n"
    experiment = build_experiment(read_document(place.write("x.yaml", text)))
    assert not experiment.trains
    assert not experiment.contacts_target
    assert experiment.data.sources == ()


def test_models_of_a_target_need_no_data(place: Workplace) -> None:
    """An evaluation alone may ask models, which contacts their target."""
    from ftrun.experiment import build_experiment, read_document

    text = f"{ONLY}{TWO_TARGETS}eval:\n  models: [base, {{name: x, target: o}}]\n  {ASKED}\n"
    experiment = build_experiment(read_document(place.write("x.yaml", text)))
    assert not experiment.trains
    assert experiment.contacts_target


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "missing_key", "the key `data` is missing"),
        ("train: {seed: 1}\neval: {models: [base], prompts: [{id: a, user: b}]}\n", "missing_key", "`data`"),
        ("eval: {prompts: [{id: a, user: b}]}\n", "missing_key", "the key `models` is missing"),
        ("eval: {models: [tuned], prompts: [{id: a, user: b}]}\n", "candidate", "nothing is trained"),
        ("eval: {models: [few-shot], prompts: [{id: a, user: b}]}\n", "candidate", "nothing is trained"),
        ("eval: {models: [ckpt-step-3], prompts: [{id: a, user: b}]}\n", "candidate", "nothing is trained"),
        (
            "eval: {models: [{name: a, model: base, few_shot: 3}], prompts: [{id: a, user: b}]}\n",
            "candidate",
            "no rows for `few_shot`",
        ),
        ("eval: {models: [base], test_set: true}\n", "eval_sets", "no test split"),
        ("eval: {models: [base], recall_sample: 3}\n", "eval_sets", "no training questions"),
        ("eval: {models: [base]}\n", "eval_sets", "nothing to ask"),
    ],
)
def test_what_needs_data_says_so(place: Workplace, text: str, code: str, words: str) -> None:
    """Without data there is no tuned model, no example and no test split."""
    (problem,) = place.wrong(ONLY + text)
    assert (problem.code, words in problem.message) == (code, True), problem


# the schema, which editors use too


def _validator() -> Any:
    return jsonschema.Draft202012Validator(json.loads(schema_text()))


def test_the_file_of_the_design_is_valid(place: Workplace) -> None:
    """The experiment file that the fixed surfaces show is one to the schema and to ftrun."""
    text = DESIGN.read_text(encoding="utf-8")
    assert not list(_validator().iter_errors(yaml.safe_load(text)))
    place.write("prompts/hiroyuki.j2", "x")
    place.write("eval/questions.jsonl", '{"user": "a"}\n')
    place.write("rescued/old.jsonl", "")
    place.write("eval/schema.json", "{}")
    from ftrun.experiment import build_experiment, read_document

    experiment = build_experiment(read_document(place.write("x.yaml", text)))
    assert experiment.evaluation.models == (
        "tuned",
        "base",
        "few-shot",
        "retrieval",
        "old",
        "mini",
        "tuned+docs",
    )


def test_the_schema_has_every_scorer() -> None:
    """Editors complete the names that scoring knows, those of metrics among them, and no others."""
    properties = json.loads(schema_text())["$defs"]["scorer"]["properties"]
    assert set(properties) == {*METRICS, *SCORER_OF}
    for name, scorer in SCORER_OF.items():
        assert properties[name]["$ref"] == f"#/$defs/{scorer}Scorer"


def test_the_schema_says_what_a_tool_call_means() -> None:
    """Who reads only the schema learns that arguments not listed are free."""
    tool_call = json.loads(schema_text())["$defs"]["expect"]["properties"]["tool_call"]
    assert re.search("others are free", tool_call["description"])
    assert "東京" in tool_call["$comment"]
