"""The JSON Schema: found, valid, described, equal to the dataclasses and to the documentation."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from ftrun.experiment import build_experiment, model, read_document, schema_text, target
from ftrun.experiment.build import DEFAULT_AUGMENT_SAMPLING, DEFAULT_HYPERPARAMETERS
from ftrun.experiment.evaluation import DEFAULT_SAMPLING

from .conftest import Workplace
from .reference import DOCUMENT, with_table

SCHEMA: dict[str, Any] = json.loads(schema_text())
DEFINITIONS = SCHEMA["$defs"]


def test_the_schema_is_valid_2020_12() -> None:
    """Editors and other tools can use it."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def _properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(schema, dict):
        return
    for key, one in schema.get("properties", {}).items():
        yield f"{path}.{key}", one
        yield from _properties(one, f"{path}.{key}")
    for key, one in schema.get("$defs", {}).items():
        yield f"$defs.{key}", one
        yield from _properties(one, f"$defs.{key}")


def test_every_property_is_described() -> None:
    """Each key and definition says in a sentence what it is; objects refuse unknown keys."""
    for path, one in _properties(SCHEMA):
        target = one if "description" in one else DEFINITIONS[one["$ref"].rsplit("/", 1)[-1]]
        assert target["description"].endswith("."), path
        if "properties" in target and path != "$defs.scorer":  # users may have scorers of their own
            assert target["additionalProperties"] is False, path


PARITY: list[tuple[str, type, dict[str, str], set[str]]] = [
    # definition, dataclass, key -> field where they differ, fields that are not keys
    ("", model.Experiment, {"version": "", "extends": "", "eval": "evaluation"},
     {"file", "project", "files", "places", "trains"}),
    ("target", target.Target, {}, {"name"}),
    ("price", target.Price, {}, set()),
    ("upload", target.UploadSettings, {}, set()),
    ("budget", model.Budget, {"unclear": "resend_after"}, set()),
    ("data", model.Data, {}, set()),
    ("augment", model.Augment, {}, set()),
    ("source", model.Source, {}, {"base", "key"}),
    ("sql", model.Sql, {}, set()),
    ("dataset", model.Dataset, {}, set()),
    ("split", model.Split, {}, set()),
    ("prompt", model.Prompt, {}, {"dependencies"}),
    ("messageTemplate", model.MessageTemplate, {}, set()),
    ("train", model.Train, {}, set()),
    ("uploadNames", model.UploadNames, {}, set()),
    ("imported", model.Imported, {}, set()),
    ("replay", model.Replay, {}, set()),
    ("evaluation", model.Evaluation, {"models": "candidates"}, {"general_prompts"}),
    ("candidate", model.CandidateSpec, {}, {"own_system", "plain"}),
    ("evalPrompt", model.EvalPrompt, {"path": "", "encoding": ""}, {"own_system"}),
]  # fmt: skip


@pytest.mark.parametrize(("definition", "of", "renamed", "extra"), PARITY)
def test_dataclasses_have_the_keys_of_the_schema(
    definition: str, of: Any, renamed: dict[str, str], extra: set[str]
) -> None:
    """A key without a field, or a field without a key, is a mistake."""
    keys = (DEFINITIONS[definition] if definition else SCHEMA)["properties"]
    wanted = {renamed.get(key, key) for key in keys} - {""}
    assert {field.name for field in dataclasses.fields(of)} - extra == wanted


def test_defaults_are_those_of_the_schema(place: Workplace) -> None:
    """What the schema shows as default is what a file without the key gets."""
    experiment = place.build("targets: {o: {provider: openai, model: m}}\n")
    sampling, hyperparameters = DEFINITIONS["sampling"], DEFINITIONS["hyperparameters"]
    for part, defaults in ((sampling, DEFAULT_SAMPLING), (hyperparameters, DEFAULT_HYPERPARAMETERS)):
        assert {k: v["default"] for k, v in part["properties"].items() if "default" in v} == defaults
    augment = DEFINITIONS["augment"]["properties"]
    sampled = augment["sampling"]["properties"]
    assert {k: v["default"] for k, v in sampled.items() if "default" in v} == DEFAULT_AUGMENT_SAMPLING
    for key, one in augment.items():
        assert "default" not in one or getattr(experiment.data.augment, key) == one["default"]
    target = DEFINITIONS["target"]["properties"]
    assert experiment.target.settle == target["settle"]["default"]
    poll = DEFINITIONS["poll"]["properties"]
    assert experiment.target.poll == (poll["min"]["default"], poll["max"]["default"])
    evaluation = DEFINITIONS["evaluation"]["properties"]
    assert list(experiment.evaluation.models) == evaluation["models"]["default"]
    for key in ("test_set", "recall_sample", "general", "repeat"):
        assert getattr(experiment.evaluation, key) == evaluation[key]["default"], key


def test_the_reference_in_the_docs_is_that_of_the_schema() -> None:
    """The table of keys is generated; `python -m experiment.reference` in tests/ regenerates it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == with_table(text)


FILES = {  # that the examples of the page name
    "prompts/cat.j2": "x",
    "base.yaml": "version: 1\n",
    "eval/questions.jsonl": '{"user": "a", "expect": {"contains": "b"}}\n',
    "eval/answer.schema.json": '{"type": "object"}',
    **{f"{name}.jsonl": "" for name in ("rescued/old", "answers/new", "answers/old")},
}
MORE = """targets: {local: {provider: local, model: rehearsal}, openai: {provider: openai, model: m}}
target: local
"""


def test_the_examples_in_the_docs_are_valid(place: Workplace) -> None:
    """Every YAML block of the page that is a file, or the `eval` of one, builds an experiment."""
    blocks = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    whole = [block for block in blocks if "version:" in block]
    parts = [block for block in blocks if block.startswith("eval:")]
    assert whole
    assert parts
    for name, text in FILES.items():
        place.write(name, text)
    for block in blocks:
        assert yaml.safe_load(block)
    for block in whole:
        build_experiment(read_document(place.write("x.yaml", block)))
    for block in parts:
        place.build(MORE + block)


def test_the_questions_of_the_docs_are_one(place: Workplace) -> None:
    """The line of JSON and the table of the page are the same question."""
    blocks = re.findall(r"```(json|csv)\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    found = []
    for ending, text in [
        (kind.replace("json", "jsonl"), text)
        for kind, text in blocks
        if '"hours"' in text or "hours," in text
    ]:
        place.write(f"q.{ending}", text)
        found.append(place.build(f"eval: {{prompts: [{{path: q.{ending}}}]}}\n").evaluation.prompts)
    assert len(found) == 2
    assert found[0] == found[1]


@pytest.mark.parametrize("words", [["schema"], ["schema", "--json"]])
def test_the_command_prints_the_schema(words: list[str], ftrun: Any) -> None:
    """`ftrun schema` is the schema and nothing else."""
    done = ftrun(*words)
    assert json.loads(done.stdout) == SCHEMA


def test_importing_the_package_is_free() -> None:
    """`import ftrun.experiment` loads no YAML, template or schema library."""
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}; import ftrun.experiment\n"
        "print([name for name in ('yaml', 'jinja2', 'jsonschema', 'dataclasses') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
