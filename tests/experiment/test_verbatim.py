"""Files that are sent byte for byte, own metadata of a job, and where an imported experiment comes from."""

from __future__ import annotations

import pytest

from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import Imported

from .conftest import Workplace

HEAD = "version: 1\nname: a\ntargets: {o: {provider: openai, model: m}}\n"
PLAIN = "data:\n  verbatim: true\n  sources: [{path: a.jsonl}]\n"


def test_a_verbatim_experiment_divides_and_drops_nothing(place: Workplace) -> None:
    """Its files are its splits: no duplicates are dropped, whatever the default is."""
    text = HEAD + PLAIN + "  split: {validation: [{path: b.jsonl}], seed: 1}\n"
    experiment = build_experiment(read_document(place.write("x.yaml", text)))
    assert experiment.data.verbatim and experiment.data.dedupe == "off"
    assert experiment.data.split is not None
    assert not build_experiment(read_document(place.write("y.yaml", HEAD + PLAIN[:-1] + "\n"))).data.clean


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("  split: {validation: 0.1}\n", "data.split.validation"),
        ("  split: {test: 2}\n", "data.split.test"),
        ("  split: {validation: [{path: b.jsonl}], group_by: topic}\n", "data.split.group_by"),
        ("  dedupe: exact\n", "data.dedupe"),
        ("  clean: [whitespace]\n", "data.clean"),
        ("  pii: {email: mask}\n", "data.pii"),
        ("  replay: 0.1\n", "data.replay"),
        ("  legacy_functions: upgrade\n", "data.legacy_functions"),
        ("prompt: {system: Be kind.}\n", "prompt.system"),
        ("prompt: {vars: {a: 1}}\n", "prompt.vars"),
    ],
)
def test_keys_without_an_effect_on_it_are_errors(place: Workplace, more: str, key: str) -> None:
    """A key that would change the rows is named, with the way out."""
    problems = [one for one in place.wrong(HEAD + PLAIN + more) if one.code == "verbatim"]
    assert len(problems) == 1
    assert key in problems[0].message and problems[0].hint and problems[0].line


@pytest.mark.parametrize(
    ("sources", "part"),
    [
        ("[{path: a.jsonl}, {path: b.jsonl}]", "more than one file"),
        ("[{path: '*.jsonl'}]", "one file of JSON lines"),
        ("[{path: a.csv}]", "one file of JSON lines"),
        ("[{path: a.jsonl, format: json}]", "one file of JSON lines"),
        ("[{path: a.jsonl, where: 'x == 1'}]", "no effect"),
        ("[{path: a.jsonl, limit: 3}]", "no effect"),
        ("[{path: a.jsonl, weight: 2}]", "no effect"),
    ],
)
def test_it_is_one_ready_file(place: Workplace, sources: str, part: str) -> None:
    """More files, patterns, other formats and selections leave something to do: they are refused."""
    problems = place.wrong(HEAD + f"data:\n  verbatim: true\n  sources: {sources}\n")
    assert any(one.code == "verbatim" and part in one.message for one in problems)


def test_verbatim_false_changes_nothing(place: Workplace) -> None:
    """Other experiments may have all keys, and two files."""
    experiment = place.build("prompt: {system: Be kind.}\n", sets=["data.verbatim=false"])
    assert not experiment.data.verbatim and experiment.data.dedupe == "exact"


def test_metadata_are_pairs_of_text(place: Workplace) -> None:
    """Keys and values are text within the API's limits; ftrun's own keys are its own."""
    experiment = place.build("train: {metadata: {team: web, 担当: 佐藤}}\n")
    assert experiment.train.metadata == {"team": "web", "担当": "佐藤"}
    for wrong in ("{ftrun_spec: x}", "{team: 3}", f"{{{'k' * 65}: x}}", f"{{a: {'v' * 513}}}"):
        assert place.wrong_with(f"train: {{metadata: {wrong}}}\n").code == "wrong_value", wrong
    many = ", ".join(f"k{number}: x" for number in range(13))
    assert place.wrong_with(f"train: {{metadata: {{{many}}}}}\n").code == "wrong_value"


def test_imported_says_where_an_experiment_is_from(place: Workplace) -> None:
    """It is kept as it is; ids that a server chose are no secrets, however they look."""
    long = "0123456789abcdef0123456789abcdef"
    experiment = place.build(f"imported: {{job_id: {long}, date: 2026-11-29, missing: [events]}}\n")
    assert experiment.imported == Imported(job_id=long, date="2026-11-29", missing=("events",))
    assert place.wrong_with("imported: {date: 2026-11-29}\n").code == "missing_key"
    assert place.wrong_with("imported: {job_id: a, missing: [hope]}\n").code == "wrong_value"


def test_what_extends_an_imported_experiment_was_not_imported(place: Workplace) -> None:
    """It is another experiment, such as a port: the old model isn't its own."""
    imported = place.build("imported: {job_id: a}\n")
    child = place.write("child.yaml", f"extends: {imported.file.name}\nname: child\n")
    assert imported.imported is not None and build_experiment(read_document(child)).imported is None


def test_an_imported_experiment_without_data_may_ask_nothing(place: Workplace) -> None:
    """Its training file is lost: the candidates stand for themselves; elsewhere that is an error."""
    text = HEAD + "eval: {models: [{name: tuned, model: 'ft:m:o:s:1'}, base]}\n"
    assert place.wrong(text)[0].code == "eval_sets"
    experiment = build_experiment(read_document(place.write("x.yaml", text + "imported: {job_id: a}\n")))
    assert not experiment.trains and not experiment.evaluation.asks
