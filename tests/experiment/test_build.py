"""From a valid document to dataclasses: defaults and forms."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ftrun

from .conftest import MINIMAL, Workplace


def test_a_minimal_file_has_working_defaults(place: Workplace) -> None:
    """Without targets it runs on the built-in local model, all rows train, tuned and base are asked."""
    experiment = place.build()
    assert (experiment.target.name, experiment.target.provider) == ("local", "local")
    assert experiment.target.model == "smollm2-135m-instruct"
    assert [target.name for target in experiment.targets] == ["local"]
    assert (experiment.data.split, experiment.data.dedupe) == (None, "exact")
    assert experiment.train.method == "supervised"
    assert set(experiment.train.hyperparameters.values()) == {"auto"}
    assert experiment.evaluation.models == ("tuned", "base")
    assert experiment.evaluation.sampling == {"temperature": 0, "max_tokens": 256, "seed": 42}
    assert experiment.budget.usd is None


def test_sampling_is_merged_key_by_key(place: Workplace) -> None:
    """A given key replaces its default; null leaves the parameter out."""
    experiment = place.build("eval: {sampling: {max_tokens: 10, seed: null}}\n")
    assert experiment.evaluation.sampling == {"temperature": 0, "max_tokens": 10}


def test_target_settings_are_read(place: Workplace) -> None:
    """Durations become seconds, prices numbers."""
    experiment = place.build(
        "targets: {o: {provider: openai, model: m, settle: 15m, poll: {min: 500ms, max: 1h}, "
        "price: {train: 5, input: 0.8, output: 3.2}, organization: org-1, project: p}}\n"
    )
    target = experiment.target
    assert (target.settle, target.poll) == (900.0, (0.5, 3600.0))
    assert target.price is not None
    assert (target.price.train, target.price.output) == (5.0, 3.2)


def test_split_takes_shares_counts_and_files(place: Workplace) -> None:
    """Each part of the split is a share, a count, or sources of its own."""
    text = MINIMAL.replace("data:\n", "data:\n  split: {validation: 0.1, test: [{path: t.csv}]}\n")
    place.write("x.yaml", text)
    from ftrun.experiment import build_experiment, read_document

    split = build_experiment(read_document(place.folder / "x.yaml")).data.split
    assert split is not None
    assert split.validation == 0.1
    assert isinstance(split.test, tuple)
    assert (split.test[0].path, split.test[0].base) == ("t.csv", place.folder)
    assert split.seed == 42


def test_an_own_system_prompt_is_told_from_none(place: Workplace) -> None:
    """`system: null` means no system prompt; leaving it out means the experiment's."""
    first, second, third = place.build(
        "eval: {prompts: [{id: a, user: x}, {id: b, user: x, system: null}, {id: c, user: x, system: s}]}\n"
    ).evaluation.prompts
    assert (first.own_system, second.own_system, second.system) == (False, True, None)
    assert (third.own_system, third.system) == (True, "s")


def test_places_lead_to_values_and_keys(place: Workplace) -> None:
    """A scalar's place is its value's; a mapping's is its key's."""
    experiment = place.build("train:\n  seed: 1\n")
    assert experiment.places["train", "seed"] == (place.folder / "x.yaml", 6, 9)
    assert experiment.places["train",] == (place.folder / "x.yaml", 5, 1)


def test_a_validated_document_needs_neither_jinja2_nor_jsonschema(place: Workplace) -> None:
    """The second run of an unchanged file starts fast: what validates is not imported."""
    path = place.write("x.yaml", MINIMAL + 'prompt: {user: "{{ q }}", assistant: "{{ a }}"}\n')
    code = (
        "import sys; from pathlib import Path; from ftrun.experiment import build_experiment, read_document\n"
        f"build_experiment(read_document(Path({str(path)!r})), validated=True)\n"
        "print([name for name in ('jinja2', 'jsonschema', 'torch', 'openai') if name in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(ftrun.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("action", ["off", "warn", "block", "mask"])
def test_what_is_done_about_secrets_is_no_secret(place: Workplace, action: str) -> None:
    """`data.pii` has a key of that name, and its value is a word; a key as that word is refused."""
    assert place.build(f"  pii: {{secret: '{action}'}}\n").data.pii == {"secret": action}
    assert "canary" not in str(place.wrong_with("  pii: {secret: sk-canary1234567890}\n"))
