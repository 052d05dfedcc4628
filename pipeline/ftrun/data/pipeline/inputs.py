"""The inputs of the prepared files: everything that can change them and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from ftrun.data.diagnostics.findings import FilePlace, Findings, UnusableFileError
from ftrun.data.readers.sources import SourceFile, source_files
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment, Source, Split, Sql, Template, TemplateTree
from ftrun.experiment.places import shown_path
from ftrun.files import digest, sha256_file

PREPARE_VERSION = 1  # raise it when the same inputs would give other files
CELLS_VERSION = 2  # raise it when the same workbook would give other values
SHAPES_VERSION = 1  # raise it when a row of a shape would become another one
CLEAN_VERSION = 1  # raise it when a rule of `data.clean` would give other texts
GENERAL_VERSION = 1  # raise it when the general rows that ship change, or others of them would be used
MASK_VERSION = 4  # raise it when other finds would be masked


def prepare_inputs(experiment: Experiment) -> dict[str, Any]:
    """Return the inputs as JSON values: contents in reading order without names, data and prompt keys."""
    method = experiment.train.method
    return {
        "prepare version": PREPARE_VERSION,
        "files": [_file(file) for file in source_files(experiment, download=False)],
        "split": _split(experiment.data.split),
        "dedupe": experiment.data.dedupe,
        "prompt": _prompt(experiment),
        **_given(
            method=None if method == "supervised" else method,
            sharegpt="convert" if experiment.data.sharegpt == "convert" else None,
            legacy_functions="upgrade" if experiment.data.legacy_functions == "upgrade" else None,
            clean=sorted(experiment.data.clean) or None,
            **{"clean version": CLEAN_VERSION if experiment.data.clean else None},
            verbatim=experiment.data.verbatim or None,
        ),
        **_masked(experiment),
        **_replay(experiment),
    }


def severity_inputs(experiment: Experiment) -> dict[str, Any]:
    """Return, as JSON values, what the experiment says about severities; nothing if it says nothing.

    ConfigError if it names a check that does not exist.
    """
    given = {"checks": dict(experiment.data.checks), "pii": experiment.data.pii}
    given = {name: value for name, value in given.items() if value}
    if given:
        from ftrun.data.pipeline.checking import severities  # its patterns cost milliseconds

        severities(experiment)
    return given


def _masked(experiment: Experiment) -> dict[str, Any]:
    if not experiment.data.pii:
        return {}
    from ftrun.data.quality.pii import masked_kinds  # its patterns cost milliseconds

    kinds = masked_kinds(experiment.data.pii)
    return {"masked": list(kinds), "mask version": MASK_VERSION} if kinds else {}


def _replay(experiment: Experiment) -> dict[str, Any]:
    replay = experiment.data.replay
    if replay is None:
        return {}
    from ftrun.data.pipeline.replaying import general_files

    findings = Findings()
    own = [[content_hash(file), file.format] for file in general_files(experiment, replay, findings)]
    findings.raise_errors()
    return {"replay": [replay.share, own], "general version": GENERAL_VERSION}


def _file(file: SourceFile) -> dict[str, Any]:
    source = file.source
    facts = {
        "role": file.role,
        "source": list(source.key),  # `limit` counts the rows of a whole source
        "format": file.format,
        "encoding": source.encoding,
        "columns": dict(source.columns) if source.columns else None,
        "limit": source.limit,
        "sha256": content_hash(file),
    }
    # absent where not given: what was prepared before there were these keys is still what it was
    more = {
        "cells version": CELLS_VERSION if file.format == "xlsx" else None,
        "shape": source.shape,
        "shapes version": SHAPES_VERSION if source.shape else None,
        "separator": source.separator,
        "header row": source.header_row,
        "records": source.records,
        "pause": source.pause,
        "turns": source.turns,
        "sheet": source.sheet,
        "query": source.query or (source.sql.query if source.sql else None),
        "where": source.where,
        "sample": [source.sample.size, source.sample.seed] if source.sample else None,
        "weight": source.weight if source.weight != 1 else None,
        "group_by": list(source.group_by) or None,
        "order_by": source.order_by,
        "roles": {role: list(names) for role, names in source.roles.items()} if source.roles else None,
    }
    return facts | {key: value for key, value in more.items() if value is not None}


def content_hash(file: SourceFile) -> str:
    """Return the SHA-256 of a file's bytes, of a database's rows, or of the name of a dataset's commit.

    DataError if it can't be read.
    """
    source = file.source
    if source.sql is not None:
        return _rows_hash(source.sql)
    if source.dataset is not None and source.dataset.id is not None:
        return digest(asdict(source.dataset))  # a commit never changes
    try:
        log = file.path.with_name(f"{file.path.name}-wal")  # what SQLite has not yet put into the file
        if file.format == "sqlite" and log.is_file() and log.stat().st_size:
            return digest([sha256_file(file.path), sha256_file(log)])
        return sha256_file(file.path)
    except OSError as error:
        message = f"the file can't be read: {error.strerror}"
        raise DataError(message, code="unreadable", file=shown_path(file.path)) from error


def _rows_hash(sql: Sql) -> str:
    from ftrun.data.readers.database import snapshot

    findings = Findings()
    place = FilePlace(f"${sql.url_env}", findings)
    # a row counts whatever it contains: if it can't be used, reading it says so
    with suppress(UnusableFileError), snapshot(sql, place, needed=frozenset()) as taken:
        return taken.sha256()
    findings.raise_errors()
    raise AssertionError("a database without rows has a reason")


def _split(split: Split | None) -> dict[str, Any] | None:
    if split is None or not (split.validation or split.test):
        return None
    keys = {"stratify_by": split.stratify_by, "group_by": list(split.group_by)}
    given = {name: key for name, key in keys.items() if key}  # a split without them is what it always was
    return {"validation": _part(split.validation), "test": _part(split.test), "seed": split.seed, **given}


def _part(part: int | float | tuple[Source, ...]) -> int | float | str:
    return "files" if isinstance(part, tuple) else part


def _prompt(experiment: Experiment) -> dict[str, Any]:
    prompt = experiment.prompt
    return {
        "system": _texts(prompt.system),
        "user": _texts(prompt.user),
        "assistant": _texts(prompt.assistant),
        "messages": [
            {
                "role": one.role,
                "content": _texts(one.content),
                "weight": one.weight,
                "name": _texts(one.name),
                **_given(tool_calls=_texts(one.tool_calls), tool_call_id=_texts(one.tool_call_id)),
            }
            for one in prompt.messages or ()
        ],
        "vars": dict(prompt.vars),
        "dependencies": prompt.dependencies,
        **_given(
            preferred=_texts(prompt.preferred),
            non_preferred=_texts(prompt.non_preferred),
            item=_texts(prompt.item) or None,
            tools=prompt.tools,
            parallel_tool_calls=prompt.parallel_tool_calls,
        ),
    }


def _given(**keys: Any) -> dict[str, Any]:
    """Return the keys that have a value: an experiment without them has the inputs that it always had."""
    return {name: value for name, value in keys.items() if value is not None}


def _texts(tree: TemplateTree) -> Any:
    """Return a template's text, or the tree with the text of each."""
    if isinstance(tree, Template):
        return tree.text
    if isinstance(tree, Mapping):
        return {key: _texts(one) for key, one in tree.items()}
    return [_texts(one) for one in tree] if isinstance(tree, tuple) else tree
