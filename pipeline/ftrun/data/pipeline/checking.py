"""The check of prepared files: counts, distributions, leaks, limits, and whether there is enough."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from ftrun.cost import availability_warnings
from ftrun.cost.availability import ServerEnds
from ftrun.cost.expected import Asked, Rows
from ftrun.cost.models import limit_of
from ftrun.cost.prices import price
from ftrun.cost.tool_tokens import IMAGES, RECIPE, TOOLS
from ftrun.data.diagnostics.codes import CODES
from ftrun.data.diagnostics.findings import Findings, Severity
from ftrun.data.diagnostics.notes import merged
from ftrun.data.general.questions import shipped_prompts
from ftrun.data.pipeline.counting import Counts, FileStatistics, Places, read_tally
from ftrun.data.pipeline.own_rows import BOM
from ftrun.data.pipeline.preparing import look_at
from ftrun.data.pipeline.tips import text_tip
from ftrun.data.quality import overlap
from ftrun.data.quality.pii import KINDS, TOKENS, WORDS, actions
from ftrun.data.split.advice import HELD_OUT_TWICE, advice, sizes, taken
from ftrun.data.types import Origin, Prepared
from ftrun.errors import ConfigError, Problem
from ftrun.experiment.model import EvalPrompt, Experiment
from ftrun.experiment.places import place_of
from ftrun.protocol.faults import Fault, nearest
from ftrun.protocol.spec import FEWEST_EXAMPLES, SPLITS

FEW_EXAMPLES = 50
ALL_CODES = "Each finding ends with its code; `ftrun explain` lists all."
OF_ACTION: dict[str, Severity] = {"off": "off", "warn": "warning", "block": "error", "mask": "error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check found. `files` has None for a role without a file, `estimate` is None without rows.

    `recall`: the ids of the eval prompts that the training data ask, exactly or nearly. `language`: that of
    the training data (ISO 639-1), None if it is not clear.
    """

    files: Mapping[str, FileStatistics | None]
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    estimate: Mapping[str, Any] | None
    rows: int
    duplicates: int
    recall: tuple[str, ...] = ()
    language: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `check --json`."""
        return {
            "files": {role: file.as_dict() if file else None for role, file in self.files.items()},
            "errors": [_as_dict(problem) for problem in self.errors],
            "warnings": [_as_dict(problem) for problem in self.warnings],
            "notes": [_as_dict(problem) for problem in self.notes],
            "recall": list(self.recall),
            "estimate": None if self.estimate is None else dict(self.estimate),
        }


def check(experiment: Experiment, prepared: Prepared | Path) -> CheckResult:
    """Return what the prepared files (given as such, or by their folder) contain and what is wrong with them.

    DataError if they are not there or damaged.
    """
    findings = Findings(severities(experiment))
    counted = read_tally(experiment, prepared.folder if isinstance(prepared, Prepared) else prepared)
    for warning in counted.origin.warnings:
        places = [(file, line) for file, line in warning.get("places", ())]
        findings.keep(Problem(**{**warning, "places": places}))
    _judge(experiment, counted, findings)
    return _result(counted, findings, _estimate(experiment, counted))


def examine(
    experiment: Experiment,
    announce: Callable[[str], None] | None = None,
    *,
    folder: Path | None = None,
) -> CheckResult:
    """Check without preparing: rows that can't be used become errors of the result.

    Writes nothing, or the good rows into `folder`, so that they can be shown.
    """
    findings = Findings(severities(experiment))
    counted = look_at(experiment, findings, announce, folder=folder)
    if counted is None:
        return _result(Counts(origin=Origin(), files=dict.fromkeys(SPLITS)), findings, None)
    _judge(experiment, counted, findings)
    for problem in target_problems(experiment):
        findings.keep(problem)
    return _result(counted, findings, _estimate(experiment, counted))


def target_problems(
    experiment: Experiment, day: date | None = None, server: ServerEnds | None = None
) -> Iterator[Problem]:
    """Yield warnings about the target as of `day` (default: today), each with its fix. `server`: what the
    server says of the model.
    """
    for problem in availability_warnings.target_problems(experiment, day, server):
        problem.hint = CODES[problem.code].fix
        yield problem


def recalled(experiment: Experiment, folder: Path) -> frozenset[str]:
    """Return the ids of the eval prompts that the training file in `folder` asks; none without the file."""
    path = folder / "train.jsonl"
    if not experiment.evaluation.prompts or not path.is_file():
        return frozenset()
    with path.open("rb") as lines:
        rows = (json.loads(line.removeprefix(BOM)) for line in lines if line.strip())
        return overlap.recalled(experiment.evaluation.prompts, rows)


def _result(counted: Counts, findings: Findings, estimate: dict[str, Any] | None) -> CheckResult:
    return CheckResult(
        files=counted.files,
        errors=findings.errors,
        warnings=findings.warnings,
        notes=findings.notes,
        estimate=estimate,
        rows=counted.origin.rows,
        duplicates=counted.origin.duplicates,
        recall=overlap.recall_ids(counted.notes.kept),
        language=counted.language,
    )


def _estimate(experiment: Experiment, counted: Counts) -> dict[str, Any]:
    """Return what training costs, whether tools and images are counted exactly, and the recipe for tools."""
    train = counted.files["train"]
    examples, tokens, flags = (train.examples, train.billed_tokens, train.flags) if train else (0, 0, 0)
    exactness = {"tools_exact": not flags & TOOLS, "tools_recipe": RECIPE, "images_exact": not flags & IMAGES}
    asked = Asked(test=_rows(counted.files["test"]), general=_general(experiment, counted.language))
    return {**price(experiment, examples=examples, train_tokens=tokens, asked=asked), **exactness}


def _rows(file: FileStatistics | None) -> Rows:
    return Rows() if file is None else Rows(file.examples, file.billed_tokens)


def _general(experiment: Experiment, language: str | None) -> Sequence[EvalPrompt]:
    """Return the general-ability set that is asked."""
    if not experiment.evaluation.general:
        return ()
    return experiment.evaluation.general_prompts or shipped_prompts(language)


def _judge(experiment: Experiment, counted: Counts, findings: Findings) -> None:
    _judge_size(experiment, counted, findings)  # first: what follows makes no row unusable
    _report_notes(experiment, counted, findings)
    _judge_duplicates(experiment, counted, findings)
    limit = limit_of(experiment.target)
    for role in SPLITS:
        statistics = counted.files[role]
        if statistics and statistics.over_limit:
            number = _examples(statistics.over_limit, role)
            verb = "has" if statistics.over_limit == 1 else "have"
            message = f"{number} {verb} over {limit:,} tokens; the first is here"
            findings.add("over_limit", message, **_where(experiment, counted, counted.over_limit[role]))
    for pair, (times, numbers) in counted.leaks.items():
        role, _, earlier = pair.partition(" ")
        whose, hint = ("training", None) if earlier == "train" else (earlier, HELD_OUT_TWICE)
        message = f"{_examples(times, role)} {'is' if times == 1 else 'are'} also in the {whose} data"
        where = _where(experiment, counted, numbers)
        findings.add("leak", f"{message}; the first is here", hint=hint, **where)


def _where(experiment: Experiment, counted: Counts, numbers: Places) -> dict[str, Any]:
    """Return the places of a finding as `Findings.add` takes them."""
    places = [counted.place(experiment.project, one) for one in numbers]
    return {"file": places[0][0], "line": places[0][1], "places": places}


def _report_notes(experiment: Experiment, counted: Counts, findings: Findings) -> None:
    """Report what content checks noted: once per code for single texts, the rest as it is."""
    place = partial(counted.place, experiment.project)
    texts = [note for note in counted.notes.kept if note.places and _of_text(note.fault)]
    for code, message, places in merged(texts, counted.notes, place):
        file, line = places[0]
        tip = text_tip(experiment, code, [note.fault for note in texts if note.fault.code == code])
        findings.add(code, message, file=file, line=line, hint=tip, places=places)
    for fault, numbers in counted.notes.kept:
        if not _of_text(fault):
            whole = place_of(experiment, "data", "sources", 0, "path")
            where = _where(experiment, counted, numbers) if numbers else whole
            message = f"{fault.field}: {fault.message}" if fault.field else fault.message
            findings.add(fault.code, message, hint=fault.hint, **where)
    replaced = [
        f"{times} {WORDS[kind]}{'' if times == 1 else 'es' if kind == 'email' else 's'} by {TOKENS[kind]}"
        for kind, times in sorted(counted.origin.masked.items())
    ]
    if replaced:
        findings.add("masked", f"replaced: {', '.join(replaced)}", **place_of(experiment, "data", "pii"))


def _of_text(fault: Fault) -> bool:
    """Return whether a fault is one of a text of a row, of which there may be many alike."""
    return bool(fault.field) and fault.code != "recall"


def _judge_size(experiment: Experiment, counted: Counts, findings: Findings) -> None:
    train = counted.examples("train")
    if train >= FEW_EXAMPLES or findings.failed:  # rows that have errors may be what is missing
        return
    split = experiment.data.split
    held_out = sum(counted.examples(part) for part in sizes(split, counted.origin.rows))
    code = "few_examples" if train >= FEWEST_EXAMPLES else "too_few_examples"
    few = "there is only 1 training example" if train == 1 else f"there are only {train} training examples"
    if code == "few_examples":
        findings.add(code, few, **place_of(experiment, "data", "sources", 0, "path"))
        return
    if split is not None and held_out and train + held_out >= FEWEST_EXAMPLES:
        rows = train + held_out
        message = (
            f"data.split leaves {train} of {rows} rows to train on, {FEWEST_EXAMPLES} are needed: "
            f"{taken(split, rows)}"
        )
        findings.add(code, message, hint=advice(split, rows), **place_of(experiment, "data", "split"))
        return
    dropped = counted.origin.duplicates if experiment.data.dedupe != "off" else 0
    why = f" ({dropped} more repeat earlier ones exactly)" if dropped else ""
    message = f"{few}{why}, {FEWEST_EXAMPLES} are needed"
    findings.add(code, message, **place_of(experiment, "data", "sources", 0, "path"))


def _judge_duplicates(experiment: Experiment, counted: Counts, findings: Findings) -> None:
    origin, dropped = counted.origin, experiment.data.dedupe != "off"
    if origin.near_places:
        nearly = (
            "row nearly repeats an earlier one" if origin.near == 1 else "rows nearly repeat earlier ones"
        )
        message = f"{origin.near} {nearly}: left out; the first is here"
        hint = "No action needed; `dedupe: exact` would keep them."
        where = _where(experiment, counted, origin.near_places)
        findings.add("near_duplicates", message, hint=hint, **where)
    if origin.duplicate_places:
        repeat = "row repeats an earlier one" if origin.duplicates == 1 else "rows repeat earlier ones"
        done = "left out" if dropped else "kept (`dedupe: off`)"
        message = f"{origin.duplicates} {repeat} exactly (of {origin.rows}): {done}; the first is here"
        fix = None if dropped else "Set `dedupe: exact`, the default, to leave them out."
        where = _where(experiment, counted, origin.duplicate_places)
        findings.add("duplicates", message, hint=fix, **where)


def _examples(number: int, role: str) -> str:
    return f"{number} {role} example{'' if number == 1 else 's'}"


def _as_dict(problem: Problem) -> dict[str, Any]:
    shown = {name: getattr(problem, name) for name in ("code", "file", "line", "message", "hint")}
    return {**shown, "places": [{"file": file, "line": line} for file, line in problem.places]}


def severities(experiment: Experiment) -> dict[str, Severity]:
    """Return, by code, how bad findings are that are not taken as the table has them.

    ConfigError with every code of `data.checks` that there is not, or that can't be set there.
    """
    problems = list(_problems(experiment))
    if problems:
        raise ConfigError(problems[0].message, problems=problems)
    taken: dict[str, Severity] = {**experiment.data.checks}
    done = actions(experiment.data.pii)
    # what a mask did not catch must not be sent
    return taken | {f"pii_{kind}": OF_ACTION[done[kind]] for kind in KINDS}


def _problems(experiment: Experiment) -> Iterator[Problem]:
    for code, severity in experiment.data.checks.items():
        where = place_of(experiment, "data", "checks", code)
        if code.startswith("pii_") and code in CODES:
            kind = code.removeprefix("pii_")
            hint = f"Set it in `data.pii: {{{kind}: off}}`: off, warn, block or mask."
            yield Problem(f"{code} is not set in `data.checks`", code="checks", hint=hint, **where)
        elif code not in CODES:
            near = nearest(code, CODES)
            hint = (
                f"Did you mean {near}?"
                if near
                else "Each finding ends with its code; `ftrun explain` lists all."
            )
            yield Problem(f"there is no check {code!r}", code="checks", hint=hint, **where)
        elif CODES[code].severity == "error" and severity != "error":
            message = f"{code} stays an error: what has it can't be trained on"
            yield Problem(message, code="checks", hint=CODES[code].fix, **where)
