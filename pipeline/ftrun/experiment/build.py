"""Turn a validated document into the frozen dataclasses. The only check here is the choice of target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError, Problem
from ftrun.experiment.document import Document
from ftrun.experiment.evaluation import evaluation_of
from ftrun.experiment.model import (
    Augment,
    Budget,
    Data,
    Dataset,
    Experiment,
    Imported,
    MessageTemplate,
    Notify,
    Prompt,
    Replay,
    Report,
    RowSample,
    Share,
    Source,
    Split,
    Sql,
    StopWhen,
    TemplateTree,
    Train,
    UploadNames,
)
from ftrun.experiment.nodes import KeyPath, one_spelling
from ftrun.experiment.target import seconds, target_of

BUILT_IN_TARGETS = {"local": {"provider": "local", "model": "smollm2-135m-instruct"}}
DEFAULT_AUGMENT_SAMPLING = {"temperature": 0.8, "max_tokens": 512}
DEFAULT_HYPERPARAMETERS = {"n_epochs": "auto", "batch_size": "auto", "learning_rate_multiplier": "auto"}
WHOLE_NUMBERS = frozenset(("n_epochs", "batch_size", "eval_interval", "eval_samples", "top_layers"))
NUMBERS = frozenset(("learning_rate_multiplier", "beta", "compute_multiplier"))


def build(document: Document, target: str | None) -> Experiment:
    """Return the experiment for `target`; ConfigError if there is no such target."""
    data = document.data
    name = choose_target(document, target)
    assert name is not None
    targets: Mapping[str, Any] = data.get("targets") or BUILT_IN_TARGETS
    return Experiment(
        name=data["name"],
        description=data.get("description"),
        file=document.path,
        project=document.project,
        files=document.files,
        target=target_of(name, targets[name]),
        targets=tuple(target_of(other, given) for other, given in targets.items()),
        data=_data(document),
        prompt=_prompt(document),
        train=_train(document, data.get("train", {})),
        state=data.get("state"),
        budget=_budget(data.get("budget") or {}),
        evaluation=evaluation_of(document, data.get("eval", {})),
        notify=Notify(**data.get("notify") or {}),
        report=Report(**data.get("report") or {}),
        upload=UploadNames(**data.get("upload") or {}),
        imported=_imported(document),
        trains="data" in data,
        places=document.places,
    )


def choose_target(document: Document, asked: str | None, *, must_choose: bool = True) -> str | None:
    """Return the target's name: `asked`, the file's, or the only one.

    ConfigError if it does not exist, or if none is named among several and `must_choose`.
    """
    data: Mapping[str, Any] = document.data
    names = list(data.get("targets") or BUILT_IN_TARGETS)
    name = asked if asked is not None else data.get("target")
    if name is None and len(names) == 1:
        return str(names[0])
    if name in names:
        return str(name)
    known = f"Targets here: {', '.join(names)}."
    if name is None:
        if not must_choose:
            return None
        problem = document.problem(
            ("targets",), "no target is named", code="no_target", hint=f"Add `target:`. {known}"
        )
    elif asked is not None:
        problem = Problem(f"--target {asked}: there is no such target", code="unknown_target", hint=known)
    else:
        problem = document.problem(
            ("target",), f"there is no target {name!r}", code="unknown_target", hint=known
        )
    raise ConfigError(problem.message, problems=[problem])


def _budget(raw: Mapping[str, Any]) -> Budget:
    unclear = raw.get("unclear", {})
    return Budget(
        usd=raw.get("usd"),
        usd_per_month=raw.get("usd_per_month"),
        yen_per_usd=raw.get("yen_per_usd"),
        resend_after=seconds(unclear["resend_after"], 0.0) if unclear else None,
    )


def _data(document: Document) -> Data:
    raw = document.data.get("data")
    if raw is None:  # there is only something to evaluate
        return Data(sources=())
    return Data(
        sources=_sources(document, ("data", "sources"), raw["sources"]),
        split=_split(document, raw.get("split")),
        dedupe="off" if raw.get("verbatim") else raw.get("dedupe", "exact"),
        legacy_functions=raw.get("legacy_functions", "refuse"),
        sharegpt=raw.get("sharegpt", "refuse"),
        clean=tuple(raw.get("clean") or ()),
        checks=raw.get("checks") or {},
        pii=raw.get("pii"),
        verbatim=raw.get("verbatim", False),
        augment=_augment(document, raw.get("augment", {})),
        replay=_replay(document, raw.get("replay")),
    )


def _imported(document: Document) -> Imported | None:
    """Return the job that the file itself was imported from: one that extends it is another experiment."""
    raw, place = document.data.get("imported"), document.places.get(("imported",))
    if raw is None or place is None or place[0] != document.path:
        return None
    return Imported(**{**raw, "missing": tuple(raw.get("missing") or ())})


def _replay(document: Document, raw: float | Mapping[str, Any] | None) -> Replay | None:
    given: Mapping[str, Any] = raw if isinstance(raw, Mapping) else {"share": raw or 0}
    if not given["share"]:
        return None
    path = given.get("path")
    base = document.base(("data", "replay", "path"))
    return Replay(share=float(given["share"]), path=None if path is None else base / path)


def _augment(document: Document, raw: Mapping[str, Any]) -> Augment:
    sampling = {**DEFAULT_AUGMENT_SAMPLING, **raw.get("sampling", {})}
    given: dict[str, Any] = {
        name: raw[name] for name in ("target", "model", "kind", "question") if name in raw
    }
    numbers: dict[str, Any] = {
        name: int(raw[name]) for name in ("per_row", "max_rows", "seed") if name in raw
    }
    path = raw.get("path")
    return Augment(
        **given,
        **numbers,
        prompt=document.templates.get(("data", "augment", "prompt")),
        max_usd=None if raw.get("max_usd") is None else float(raw["max_usd"]),
        sampling={key: one_spelling(value) for key, value in sampling.items() if value is not None},
        path=None if path is None else document.base(("data", "augment", "path")) / path,
    )


def _sources(document: Document, path: KeyPath, raw: list[Mapping[str, Any]]) -> tuple[Source, ...]:
    return tuple(
        Source(
            path=one.get("path"),
            base=document.base((*path, index, "dataset" if "dataset" in one else "path")),
            key=(*path, index),
            format=one.get("format"),
            encoding=one.get("encoding"),
            separator=one.get("separator"),
            header_row=None if one.get("header_row") is None else int(one["header_row"]),
            records=one.get("records"),
            pause=one.get("pause"),
            turns=None if one.get("turns") is None else int(one["turns"]),
            sheet=one.get("sheet"),
            query=one.get("query"),
            sql=Sql(**one["sql"]) if "sql" in one else None,
            dataset=Dataset(**one["dataset"]) if "dataset" in one else None,
            columns=one.get("columns"),
            shape=one.get("shape"),
            where=one.get("where"),
            sample=_sample(one.get("sample")),
            limit=None if one.get("limit") is None else int(one["limit"]),
            weight=float(one.get("weight", 1)),
            group_by=_texts(one.get("group_by", ())),
            order_by=one.get("order_by"),
            roles={role: _texts(names) for role, names in one["roles"].items()} if "roles" in one else None,
        )
        for index, one in enumerate(raw)
    )


def _sample(raw: float | Mapping[str, Any] | None) -> RowSample | None:
    if raw is None:
        return None
    given = raw if isinstance(raw, Mapping) else {"size": raw}
    size = given["size"]
    return RowSample(size=size if size < 1 else int(size), seed=int(given.get("seed", 42)))


def _split(document: Document, raw: Mapping[str, Any] | None) -> Split | None:
    if raw is None:
        return None

    def part(key: str) -> Share | tuple[Source, ...]:
        value = raw.get(key, 0)
        if isinstance(value, list):
            return _sources(document, ("data", "split", key), value)
        return value if 0 < value < 1 else int(value)

    groups = raw.get("group_by") or ()
    return Split(
        validation=part("validation"),
        test=part("test"),
        seed=int(raw.get("seed", 42)),
        stratify_by=raw.get("stratify_by"),
        group_by=(groups,) if isinstance(groups, str) else tuple(groups),
    )


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _prompt(document: Document) -> Prompt:
    raw = document.data.get("prompt", {})
    templates = document.templates
    return Prompt(
        system=templates.get(("prompt", "system")),
        user=templates.get(("prompt", "user")),
        assistant=templates.get(("prompt", "assistant")),
        messages=_message_templates(document, raw.get("messages")),
        preferred=templates.get(("prompt", "preferred")),
        non_preferred=templates.get(("prompt", "non_preferred")),
        item={name: templates["prompt", "item", name] for name in raw.get("item", ())},
        tools=document.tools,
        parallel_tool_calls=raw.get("parallel_tool_calls"),
        vars=raw.get("vars", {}),
        dependencies=document.dependencies,
    )


def _message_templates(
    document: Document, raw: list[Mapping[str, Any]] | None
) -> tuple[MessageTemplate, ...] | None:
    if raw is None:
        return None
    return tuple(
        MessageTemplate(
            role=one["role"],
            content=_tree(document, ("prompt", "messages", index, "content"), one.get("content")),
            weight=None if one.get("weight") is None else int(one["weight"]),
            name=document.templates.get(("prompt", "messages", index, "name")),
            tool_calls=_tree(document, ("prompt", "messages", index, "tool_calls"), one.get("tool_calls")),
            tool_call_id=document.templates.get(("prompt", "messages", index, "tool_call_id")),
        )
        for index, one in enumerate(raw)
    )


def _tree(document: Document, path: KeyPath, raw: Any) -> TemplateTree:
    """Return a value with every text replaced by its template."""
    if isinstance(raw, str):
        return document.templates[path]
    if isinstance(raw, list):
        return tuple(_tree(document, (*path, index), one) for index, one in enumerate(raw))
    if isinstance(raw, Mapping):
        return {key: _tree(document, (*path, key), one) for key, one in raw.items()}
    return raw  # type: ignore[no-any-return]  # a number, true, false or null stands for itself


def _train(document: Document, raw: Mapping[str, Any]) -> Train:
    hyperparameters = {**DEFAULT_HYPERPARAMETERS, **raw.get("hyperparameters", {})}
    for key, value in hyperparameters.items():
        if key in WHOLE_NUMBERS and isinstance(value, float):  # 5.0 is a whole number to JSON Schema
            hyperparameters[key] = int(value)
        elif key in NUMBERS and isinstance(value, int):  # 1 and 1.0 are one value
            hyperparameters[key] = float(value)
    seed = raw.get("seed")
    return Train(
        method=raw.get("method", "supervised"),
        grader=one_spelling(raw.get("grader")),
        hyperparameters=hyperparameters,
        seed=None if seed is None else int(seed),
        suffix=raw.get("suffix"),
        continue_from=_start(document, raw.get("continue_from")),
        metadata=raw.get("metadata") or {},
        stop_when=_stop_when(raw.get("stop_when") or {}),
    )


def _start(document: Document, given: str | None) -> str | Path | None:
    """Return the id of a tuned model unchanged, or the file of another experiment as a path."""
    if given is None or not given.endswith((".yaml", ".yml")):
        return given
    return document.base(("train", "continue_from")) / given


def _stop_when(raw: Mapping[str, Any]) -> StopWhen:
    worse = raw.get("validation_worse")
    return StopWhen(
        validation_worse=None if worse is None else int(worse),
        loss_above=raw.get("loss_above"),
        diverges=raw.get("diverges", False),
    )
