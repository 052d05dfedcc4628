"""Rules of `eval` that a JSON Schema can't express: candidates, what is asked, scorers, metric and gates.

What only the data can show (a label that never occurs, answers that match no question) is not for here.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError, Problem
from ftrun.experiment import schema_text
from ftrun.experiment.build import BUILT_IN_TARGETS, CHECKPOINT, DEFAULT_MODELS, is_built_in
from ftrun.experiment.document import Document
from ftrun.experiment.gates import parse_gate
from ftrun.experiment.nodes import KeyPath, entries_in, get_in, one_spelling
from ftrun.experiment.places import shown_path, shown_value

RECORDED_ONLY = ("model", "target", "system", "few_shot", "retrieval")  # what nobody can be asked with
DEFAULT_SCORERS = ("exact_match", "chrf", "tool_call")  # where the file lists none
OF_SETS = ("recall", "general")  # metrics that are the pass rates of these sets


def evaluation_problems(document: Document) -> Iterator[Problem]:
    """Yield the problems of `eval`, apart from its questions."""
    given = get_in(document.data, "eval")
    if not isinstance(given, Mapping):
        return
    yield from _candidate_problems(document)
    yield from _set_problems(document, given)
    scorers = list(_scorer_problems(document, given))
    yield from scorers
    known = () if scorers else _metrics(document, given)  # what they give is unknown where one is wrong
    metric = given.get("metric")
    if isinstance(metric, str):
        yield from _metric_problems(document, ("eval", "metric"), metric, known)
    yield from _gate_problems(document, given, known)


def data_problems(document: Document) -> Iterator[Problem]:
    """Yield a missing `data`: only an experiment that trains nothing needs none."""
    if "data" in document.data:
        return
    if get_in(document.data, "train") is not None or not get_in(document.data, "eval"):
        hint = "Where the rows come from and how they are divided."
        yield document.problem(
            ("data",), "the key `data` is missing", code="missing_key", hint=hint, at_key=True
        )
    elif get_in(document.data, "eval", "models") is None:
        message = (
            "the key `models` is missing: the experiment has no `data`, so there is no tuned model to ask"
        )
        hint = "Name the candidates: models, or recorded answers such as {name: old, answers: old.jsonl}."
        yield document.problem(("eval",), message, code="missing_key", hint=hint, at_key=True)


# candidates


def _names(document: Document) -> list[str]:
    """Return the candidates' names."""
    models = get_in(document.data, "eval", "models")
    if not isinstance(models, list):
        return list(DEFAULT_MODELS)
    names = [one.get("name") if isinstance(one, Mapping) else one for one in models]
    return [name for name in names if isinstance(name, str)]


def _candidate_problems(document: Document) -> Iterator[Problem]:
    models = get_in(document.data, "eval", "models")
    seen: dict[str, int] = {}
    for index, one in enumerate(models if isinstance(models, list) else ()):
        path: KeyPath = ("eval", "models", index)
        name = one.get("name") if isinstance(one, Mapping) else one
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            message = f"{shown_value(name)} is also the name of eval.models[{seen[name]}]"
            yield document.problem(path, message, code="duplicate_name")
        if isinstance(one, Mapping):
            yield from _mapping_problems(document, path, one)
        yield from _training_problems(document, path, one if isinstance(one, Mapping) else {"name": one})


def _mapping_problems(document: Document, path: KeyPath, one: Mapping[str, Any]) -> Iterator[Problem]:
    if "answers" in one:
        yield from _recorded_problems(document, path, one)
        return
    name, model, target = one.get("name"), one.get("model"), one.get("target")
    if model is None and target is None and isinstance(name, str) and not is_built_in(name):
        message = "a candidate needs a `model` (tuned, base, or an id), a `target`, or `answers`"
        yield document.problem(path, message, code="missing_key")
    if isinstance(target, str):
        yield from _target_problems(document, path, target, model or name)
    if isinstance(one.get("system"), str) and one["system"].endswith(".j2"):
        message = "a candidate's system prompt is plain text, not a template: write it out"
        yield document.problem((*path, "system"), message, code="candidate")


def _recorded_problems(document: Document, path: KeyPath, one: Mapping[str, Any]) -> Iterator[Problem]:
    for key in RECORDED_ONLY:
        if key in one:
            message = f"these answers are recorded, so nobody is asked: `{key}` has no effect"
            hint = f"Delete `{key}`, or delete `answers` to ask a model."
            yield document.problem((*path, key), message, code="wrong_key", hint=hint, at_key=True)
    if isinstance(one["answers"], str) and one["answers"]:
        yield from _file_problems(document, (*path, "answers"), one["answers"])


def _file_problems(document: Document, path: KeyPath, given: str) -> Iterator[Problem]:
    file = document.base(path) / given
    try:
        found, is_file = file.exists(), file.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL
        found = is_file = False
    if is_file:
        return
    message = f"{shown_path(file)} is not a regular file" if found else f"there is no file {shown_path(file)}"
    yield document.problem(path, message, code="no_such_file", hint=_near_file(file))


def _near_file(file: Path) -> str | None:
    """Return which file was probably meant."""
    try:
        names = [one.name for one in file.parent.iterdir()]
    except (OSError, ValueError):
        return None
    near = difflib.get_close_matches(file.name, names, n=1)
    return f"Did you mean {shown_path(file.parent / near[0])}?" if near else None


def _target_problems(document: Document, path: KeyPath, target: str, model: Any) -> Iterator[Problem]:
    given = get_in(document.data, "targets")
    names = [str(name) for name in given] if isinstance(given, Mapping) and given else list(BUILT_IN_TARGETS)
    if target not in names:
        hint = _meant(target, names)
        message = f"there is no target {shown_value(target)}"
        yield document.problem((*path, "target"), message, code="unknown_target", hint=hint)
    elif isinstance(model, str) and (model == "tuned" or CHECKPOINT.fullmatch(model)):
        message = f"{model} is a model of the experiment's own target"
        hint = "Delete `target`, or name the model by its id."
        yield document.problem((*path, "target"), message, code="wrong_key", hint=hint, at_key=True)


def _training_problems(document: Document, path: KeyPath, one: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what a candidate needs of training that an experiment without data does not have."""
    if "data" in document.data or get_in(document.data, "train") is not None or "answers" in one:
        return
    model = one.get("model") or one.get("name")
    if isinstance(model, str) and is_built_in(model) and model != "base":
        message = f"{model} is not available: the experiment has no `data`, so nothing is trained"
        hint = "Add `data`, or name a model by its id."
        yield document.problem(
            (*path, "model") if "model" in one else path, message, code="candidate", hint=hint
        )
    for key in ("few_shot", "retrieval"):
        if key in one:
            message = f"the experiment has no `data`, so there are no rows for `{key}`"
            yield document.problem((*path, key), message, code="candidate", hint="Add `data`.", at_key=True)


# what is asked


def _set_problems(document: Document, given: Mapping[str, Any]) -> Iterator[Problem]:
    if given.get("test_set") and isinstance(given["test_set"], int):
        yield from _test_set_problems(document)
    if given.get("recall_sample") and "data" not in document.data:
        message = "the experiment has no `data`: there are no training questions"
        yield document.problem(("eval", "recall_sample"), message, code="eval_sets")
    asked = any(given.get(key) for key in ("prompts", "test_set", "recall_sample", "general"))
    if not asked and "data" not in document.data and not document.problems:
        hint = "Add `eval.prompts`, or `eval.general: true`."
        yield document.problem(("eval",), "there is nothing to ask", code="eval_sets", hint=hint, at_key=True)


def _test_set_problems(document: Document) -> Iterator[Problem]:
    if "data" not in document.data:
        message, hint = "the experiment has no `data`: there is no test split", "Use `eval.prompts`."
    elif not get_in(document.data, "data", "split", "test"):
        message = "there is no test split to ask"
        hint = "Add `data.split.test`, such as `split: {test: 0.1}`; it changes what is trained on."
    else:
        return
    yield document.problem(("eval", "test_set"), message, code="eval_sets", hint=hint)


# scorers


def _scorer_problems(document: Document, given: Mapping[str, Any]) -> Iterator[Problem]:
    from ftrun.scoring.scorers import METRICS  # only a file that is new or changed needs it

    seen = dict[str, int]()
    for index, name, options in _specs(document, given):
        path: KeyPath = ("eval", "scorers", index)
        if name not in METRICS and name not in _installed():
            message = f"there is no scorer {shown_value(name)}"
            yield document.problem(path, message, code="unknown_scorer", hint=_meant(name, METRICS))
            continue
        called = str(options.get("name") or name)
        if seen.setdefault(called, index) != index:
            message = f"{shown_value(called)} is also eval.scorers[{seen[called]}]"
            hint = "Delete one of them, or give it a name of its own: `name: …` among its options."
            yield document.problem(path, message, code="duplicate_name", hint=hint)
        if _fits(given["scorers"][index]):
            yield from _option_problems(document, (*path, name), options)


def _specs(document: Document, given: Mapping[str, Any]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield index, name and options of the entries of `eval.scorers`; a JSON Schema is in place of its file.

    The schema reports what is not an entry.
    """
    scorers = given.get("scorers")
    for index, one in enumerate(scorers if isinstance(scorers, list) else ()):
        if isinstance(one, str):
            yield index, one, {}
        elif isinstance(one, Mapping) and len(one) == 1:
            ((name, options),) = one.items()
            schema = document.json_schemas.get(("eval", "scorers", index, name, "path"))
            if isinstance(options, Mapping) and schema is not None:
                options = {
                    **{key: value for key, value in options.items() if key != "path"},
                    "schema": schema,
                }
            yield index, name, one_spelling(options) if isinstance(options, Mapping) else {}


def _installed() -> Sequence[str]:
    """Return the scorers that installed packages offer, by name; none of them is loaded."""
    from importlib import metadata

    from ftrun.scoring.own import GROUP

    return [one.name for one in metadata.entry_points(group=GROUP)]


def _fits(entry: Any) -> bool:
    """Return whether the schema, which reports its own problems, accepts an entry of `eval.scorers`."""
    import jsonschema

    definitions = json.loads(schema_text())["$defs"]
    schema = {"$ref": "#/$defs/scorer", "$defs": definitions}
    return bool(jsonschema.Draft202012Validator(schema).is_valid(entry))


def _option_problems(document: Document, path: KeyPath, options: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what the scorer itself finds wrong with its options."""
    from ftrun.scoring.scorers import check_scorer

    if path[-1] == "json_schema" and "path" in options and document.problems:
        return  # the file can't be read, which is reported
    try:
        check_scorer(str(path[-1]), options)
    except ConfigError as error:
        yield document.problem(path, str(error), code=error.code, hint=error.problem.hint)


# metric and gates


def _metrics(document: Document, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics that answers can get, the main ones first; none where that can't be said."""
    from ftrun.scoring.scorers import FREE, METRICS, metric_names

    specs = [(name, options) for _, name, options in _specs(document, given)]
    listed = [metric_names(*one) for one in specs or [(name, {}) for name in DEFAULT_SCORERS]]
    if None in listed:  # the code of an own scorer says which it has
        return ()
    free = [metric for name in FREE for metric in METRICS[name]]
    own = [metric for metrics in listed for metric in metrics or ()]
    return tuple(dict.fromkeys(("pass_rate", *own, *free, *OF_SETS)))


def _gate_problems(document: Document, given: Mapping[str, Any], known: Sequence[str]) -> Iterator[Problem]:
    gates, names = given.get("gates"), _names(document)
    for index, text in enumerate(gates if isinstance(gates, list) else ()):
        path: KeyPath = ("eval", "gates", index)
        if not isinstance(text, str) or not text:
            continue
        try:
            gate = parse_gate(text)
        except ValueError as error:
            hint = "Write a gate as in: tuned.chrf >= base.chrf - 0.05 @95%"
            yield document.problem(path, f"this is not a gate: {error}", code="gate", hint=hint)
            continue
        for side in (gate.left, gate.right):
            if side.candidate is not None and side.candidate not in names:
                message = f"there is no candidate {shown_value(side.candidate)}"
                hint = _meant(side.candidate, names)
                yield document.problem(path, message, code="gate", hint=hint)
            if side.metric is not None:
                yield from _metric_problems(document, path, side.metric, known)


def _metric_problems(
    document: Document, path: KeyPath, metric: str, known: Sequence[str]
) -> Iterator[Problem]:
    """Yield why answers can't have a metric; `known` is empty where that can't be said."""
    given = document.data["eval"]
    of_a_label = metric.startswith("f1[") and "f1_macro" in known  # which there are is in the data
    if known and metric not in known and not of_a_label:
        message = f"there is no metric {shown_value(metric)}"
        yield document.problem(path, message, code="unknown_metric", hint=_metric_hint(metric, known))
    elif metric == "general" and not given.get("general"):
        message = "`general` is the pass rate of the general questions, but none are asked"
        yield document.problem(path, message, code="unknown_metric", hint="Add `eval.general: true`.")
    elif metric == "pass_rate" and not document.problems and not _expects(given):
        message = "no question has an `expect`, so there is no pass rate"
        hint = "Add `expect` to the questions, or use another metric."
        yield document.problem(path, message, code="unknown_metric", hint=hint)


def _expects(given: Mapping[str, Any]) -> bool:
    """Return whether any question says what a right answer is, or training questions may be judged."""
    return bool(given.get("recall_sample")) or any(
        "expect" in entry for _, entry in entries_in(given, "prompts")
    )


def _metric_hint(metric: str, known: Iterable[str]) -> str:
    """Return which metric was probably meant, or which scorer gives it."""
    from ftrun.scoring.scorers import METRICS

    owner = next((name for name, metrics in METRICS.items() if metric in metrics), None)
    if owner is not None:
        return f"It is a metric of the scorer `{owner}`: add that to `eval.scorers`."
    return _meant(metric, known)


def _meant(given: str, known: Iterable[str]) -> str:
    """Return which of the known names was probably meant, and all of them."""
    names = list(known)
    near = difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.6)
    listed = ", ".join(names)
    return f"Did you mean {near[0]}? Known here: {listed}." if near else f"Known here: {listed}."
