"""What servers say when they refuse a job, in their own words: the tip is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Experiment
from ftrun.targets.job_refusals import advice, is_file_busy

CONFIG = """\
version: 1
name: toy
targets:
  paid:
    provider: openai
    model: some-model
    base_url: https://example.com/v1
    api_key_env: SOME_KEY
    extra_body: {priority: high}
    hyperparameters: {lora_r: 8}
data: {sources: [{path: toy.csv}], split: {validation: 2}}
train:
  seed: 7
  suffix: a-suffix-of-some-length-that-is-really-too-long-for-most
  hyperparameters: {n_epochs: 3, learning_rate_multiplier: 2}
"""


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """Return an experiment that sets whatever can be refused."""
    (tmp_path / "toy.yaml").write_text(CONFIG, encoding="utf-8")
    return build_experiment(read_document(tmp_path / "toy.yaml"))


def mistral(name: str) -> dict[str, Any]:
    """Return Mistral's form of a pydantic error."""
    detail = [{"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs are not permitted"}]
    return {"object": "error", "message": {"detail": detail}, "type": "invalid_request_error"}


def left_out(name: str) -> str:
    """Return the tip to leave something out."""
    return f"`targets.paid.capabilities: {{{name}: left_out}}`"


TOLD: list[tuple[Any, str]] = [
    (mistral("metadata"), left_out("metadata")),
    (mistral("suffix"), left_out("suffix")),
    (
        "[{'type': 'extra_forbidden', 'loc': ('body', 'metadata'), 'msg': 'Extra inputs'}]",
        left_out("metadata"),
    ),
    ("litellm.BadRequestError: OpenAIException - Unknown parameter: 'metadata'.", left_out("metadata")),
    ('json: unknown field "metadata"', left_out("metadata")),
    ('Unrecognized field "seed" (class a.b.Job), not marked as ignorable', left_out("seed")),
    ("must NOT have additional properties: metadata", left_out("metadata")),
    (
        {"code": "unrecognized_keys", "message": "Unrecognized key(s) in object: 'metadata'"},
        left_out("metadata"),
    ),
    ("Unknown field: seed", left_out("seed")),
    ("property 'method' is not allowed here", left_out("method")),
    ("Unrecognized request argument supplied: method", left_out("method")),
    ("'method' is not a supported parameter. Use hyperparameters.", left_out("method")),
    ("Validation files are not supported for this model", left_out("validation_file")),
    ("不支持的参数: suffix", left_out("suffix")),
    ("metadata はサポートされていません", left_out("metadata")),
    ("Random seed is not supported", left_out("seed")),
    ("Input validation error: `suffix` must have at most 40 characters", "`train.suffix: a-suffix-of-some"),
    ("suffix: The length of the suffix must be 18 or fewer.", "`train.suffix: a-suffix-of-some-l` (18"),
    ("Suffix must be between 1 and 18 characters", "`train.suffix: a-suffix-of-some-l` (18"),
    ("Invalid suffix: must match ^[a-z0-9-]{1,40}$", "`train.suffix: a-suffix-of-some"),
    ("batch_size must be a positive integer, got auto", "`targets.paid.capabilities: {auto: left_out}`"),
    ("learning_rate_multiplier is not supported", "learning_rate: absolute"),
    ("n_epochs must be at most 2", "set `train.hyperparameters.n_epochs` to another value"),
    ("Unknown parameter: priority", "Remove `targets.paid.extra_body.priority`"),
    ("hyperparameters.lora_r must be one of 16, 32", "Correct `targets.paid.hyperparameters.lora_r`"),
    ("seed must be below 5", "set `train.seed` to another value"),
    ("Model some-model is not available for fine-tuning", "ftrun ls models"),
    ("The model `some-model` does not exist or you do not have access to it.", "ftrun ls models"),
    ("some-model is not a fine-tunable model", "ftrun ls models"),
    ("No such File object: file-1", "uploaded again"),
]


@pytest.mark.parametrize(("told", "tip"), TOLD, ids=[str(told)[:50] for told, _ in TOLD])
def test_the_tip_for_what_servers_say(experiment: Experiment, told: Any, tip: str) -> None:
    """As JSON values, and as the text of a message."""
    found = advice(experiment, told)
    assert found is not None and tip in found.hint
    if found.key:
        assert found.where(experiment)["line"] is not None


@pytest.mark.parametrize(
    "told",
    ["", "Something is wrong", "Internal error", {"error": {}}, None, [], "<html>suffix unknown</html>x", 7],
)
def test_no_tip_is_invented(experiment: Experiment, told: Any) -> None:
    """Where nothing known is named, there is none."""
    found = advice(experiment, told)
    assert found is None or "suffix" in found.hint


@pytest.mark.parametrize(
    ("told", "busy"),
    [
        ("File 'file-1' is still being processed and is not ready to be used for fine-tuning.", True),
        ("training_file file-1 has not been processed yet", True),
        ("The file is not ready", True),
        ({"error": {"message": "file file-1 is in status uploaded", "code": "x"}}, True),
        ("Please wait until the file has been processed", True),
        ("Unknown parameter: validation_file", False),
        ("Invalid file format on line 4", False),
        ("No such file", False),
    ],
)
def test_a_file_that_is_being_processed_is_recognised(told: Any, busy: bool) -> None:
    """Such a refusal passes by itself; others don't."""
    assert is_file_busy(told) is busy
