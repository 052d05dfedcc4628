"""Rules of `eval` that a JSON Schema can't express: what is asked, scorers, metric and gates.

What only the data can show (a label that never occurs, answers that match no question) is not for here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError, Problem
from ftrun.experiment import schema_text
from ftrun.experiment.document import Document
from ftrun.experiment.gates import parse_gate
from ftrun.experiment.nodes import KeyPath, entries_in, find, get_in, one_spelling
from ftrun.experiment.places import excerpt, shown_path, shown_value
from ftrun.experiment.rules.candidates import candidate_names, candidate_problems, meant
from ftrun.experiment.yaml12 import compose

DEFAULT_SCORERS = ("exact_match", "chrf", "tool_call")  # where the file lists none
OF_SETS = ("recall", "general")  # metrics that are the pass rates of these sets


def evaluation_problems(document: Document) -> Iterator[Problem]:
    """Yield the problems of `eval`, apart from its questions."""
    given = get_in(document.data, "eval")
    if not isinstance(given, Mapping):
        return
    yield from candidate_problems(document)
    yield from _set_problems(document, given)
    scorers = list(_scorer_problems(document, given))
    yield from scorers
    known = () if scorers else _metrics(document, given)  # what they give is unknown where one is wrong
    metric = given.get("metric")
    if isinstance(metric, str):
        yield from _metric_problems(document, ("eval", "metric"), metric, known)
    yield from _gate_problems(document, given, known)


# what is asked


def _set_problems(document: Document, given: Mapping[str, Any]) -> Iterator[Problem]:
    if given.get("test_set") and isinstance(given["test_set"], int):
        yield from _test_set_problems(document)
    if given.get("recall_sample") and "data" not in document.data:
        message = "the experiment has no `data`: there are no training questions"
        yield document.problem(("eval", "recall_sample"), message, code="eval_sets")
    asked = any(given.get(key) for key in ("prompts", "test_set", "recall_sample", "general"))
    trained = "data" in document.data or get_in(document.data, "imported") is not None  # by a job elsewhere
    if not asked and not trained and not document.problems:
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
    from ftrun.scoring.scorers import METRICS, SCORER_OF  # only a file that is new or changed needs it

    seen = dict[str, int]()
    for index, name, options in _specs(document, given):
        path: KeyPath = ("eval", "scorers", index)
        if name not in METRICS and name not in SCORER_OF and name not in _installed():
            message = f"there is no scorer {shown_value(name)}"
            yield document.problem(path, message, code="scorer", hint=meant(name, (*METRICS, *SCORER_OF)))
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
        file = document.schema_files.get((*path, "path"))
        if file is None:
            yield document.problem(path, str(error), code=error.code, hint=error.problem.hint)
        else:
            yield _schema_problem(document, file, options["schema"], error)


def _schema_problem(document: Document, file: Path, schema: Any, error: ConfigError) -> Problem:
    """Return what is wrong with a JSON Schema, at its place in its own file."""
    from ftrun.scoring.structured import fault_path

    text = document.texts[file]
    node = compose(text.replace("\t", " "), file)  # YAML takes all of JSON but tabs
    for part in fault_path(schema):
        node = find(node, (part,)) or node
    line, column = node.place
    where: dict[str, Any] = {"file": shown_path(file), "line": line, "column": column}
    return Problem(f"{error}{excerpt(text, line, column)}", code=error.code, **where)


# metric and gates


def _metrics(document: Document, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the metrics that answers can get, the main ones first; none where that can't be said."""
    from ftrun.scoring.scorers import FREE, METRICS, metric_names

    specs = [(name, options) for _, name, options in _specs(document, given)]
    listed = [metric_names(*one) for one in specs or [(name, {}) for name in DEFAULT_SCORERS]]
    if None in listed:  # the code of a custom scorer says which it has
        return ()
    free = [metric for name in FREE for metric in METRICS[name]]
    own = [metric for metrics in listed for metric in metrics or ()]
    return tuple(dict.fromkeys(("pass_rate", *own, *free, *OF_SETS)))


def _gate_problems(document: Document, given: Mapping[str, Any], known: Sequence[str]) -> Iterator[Problem]:
    gates, names = given.get("gates"), candidate_names(document)
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
                hint = meant(side.candidate, names)
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
    return meant(metric, known)
