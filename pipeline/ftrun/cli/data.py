"""`ftrun data`: show examples as the model will see them, and what changed since the last run."""

from __future__ import annotations

import itertools
import json
import shlex
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.check import open_experiment
from ftrun.cli.command_lines import program
from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.errors import DataError, UsageError
from ftrun.experiment.places import shown_path
from ftrun.files import damage_reported, real
from ftrun.language import verbatim
from ftrun.protocol.spec import SPLITS, SplitName
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.data.examples.views import ShownText
    from ftrun.data.pipeline.changes import Change, Changes
    from ftrun.data.pipeline.checking import CheckResult
    from ftrun.data.pipeline.samples import PreparedExample
    from ftrun.experiment.model import Experiment

USUAL = 5  # examples shown
MOST_JSON = 1000  # changes of a kind
LEARNED, NOT_LEARNED = "▶ ", "  "
LONGEST = 70  # characters of a text in one line
MARKS = {"added": "+", "removed": "-", "changed": "~", "moved": ">"}


@click.command(name="data")
@experiment_options
@click.option(
    "--show", type=click.IntRange(min=1), metavar="N", help=f"How many examples (default: {USUAL})."
)
@click.option("--split", type=click.Choice(SPLITS), help="Which split (default: train).")
@click.option(
    "--row", metavar="N|FILE:LINE", help="One example, by number in the split or by the place of its row."
)
@click.option("--diff", is_flag=True, help="Show what changed since the last run.")
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    show: int | None,
    split: SplitName | None,
    row: str | None,
    diff: bool,
) -> int:
    """Show examples as the model will see them, or what changed since the last run. Changes nothing."""
    from ftrun.data import examine
    from ftrun.runner.session import no_data, runs_folder

    if diff and (row or split):
        raise UsageError("--diff compares everything: leave out --row and --split", code="usage")
    experiment, _ = open_experiment(config, target, overrides)
    if not experiment.trains:
        raise no_data(experiment)
    with tempfile.TemporaryDirectory(prefix="ftrun-data-") as name:
        folder = real(name)
        result = examine(experiment, folder=folder)
        if not (folder / "train.jsonl").exists():
            raise DataError("no row can be used", problems=result.errors)
        if diff:
            kept = runs_folder(config, runs_dir) / experiment.name / experiment.target.name
            with damage_reported(kept):
                _diff(experiment, folder, kept, show, as_json)
        else:
            _show(experiment, _chosen(experiment, folder, result, split, row, show or USUAL), as_json)
    if result.errors and not as_json:
        number, again = len(result.errors), f"{program()} check {shlex.quote(shown_path(config))}"
        click.echo(f"{number} error{'' if number == 1 else 's'} elsewhere: {again}", err=True)
    return 0


def _chosen(
    experiment: Experiment,
    folder: Path,
    result: CheckResult,
    split: SplitName | None,
    row: str | None,
    number: int,
) -> list[PreparedExample]:
    """Return the chosen examples; DataError with the row's own error if it has one."""
    from ftrun.data.pipeline.samples import samples

    if row is None:
        return list(itertools.islice(samples(folder, experiment.project, split or "train"), number))
    place, line, where = "", "", ""
    if row.isdecimal():
        listed = samples(folder, experiment.project, split or "train")
        found = list(itertools.islice(listed, max(0, int(row) - 1), int(row)))
        where = f"{split or 'train'} has no example {row}"
    else:
        place, _, line = row.rpartition(":")
        if not line.isdecimal() or not place:
            hint = "Write --row 7, or the file and line of a row: --row data/x.csv:7."
            raise UsageError(f"--row {row}: neither a number nor FILE:LINE", code="usage", hint=hint)
        found = list(_at(samples(folder, experiment.project, *([split] if split else [])), place, int(line)))
    if found:
        return found
    own = [one for one in result.errors if f"{one.file}:{one.line}" == row]
    if own:
        raise DataError(own[0].message, problems=own)
    if row.isdecimal():
        raise UsageError(where, code="no_example", hint="Numbers count from 1 within a split.")
    raise _left_out(experiment, folder, split, place, int(line))


def _left_out(
    experiment: Experiment, folder: Path, split: SplitName | None, place: str, line: int
) -> UsageError:
    """Return the error that says where the example of a row is, or which rule left the row out."""
    from ftrun.data.pipeline.left_out import why_left_out
    from ftrun.data.pipeline.samples import samples

    elsewhere = next(_at(samples(folder, experiment.project), place, line), None)
    if elsewhere is not None:
        message = f"no example of {split} came from {place}:{line}: it is in {elsewhere.split}"
        return UsageError(
            message, code="no_example", hint=f"Leave --split out, or: --split {elsewhere.split}"
        )
    problem = why_left_out(experiment, place, line)
    return UsageError(problem.message, problems=[problem])


def _at(found: Iterator[PreparedExample], place: str, line: int) -> Iterator[PreparedExample]:
    """Yield the examples of one row; `place` may leave folders out."""
    for sample in found:
        if sample.line == line and (sample.file == place or sample.file.endswith(f"/{place}")):
            yield sample


def _show(experiment: Experiment, found: Sequence[PreparedExample], as_json: bool) -> None:
    from ftrun.data.examples.views import Sizes, fields_of, tools_of, turns_of

    sizes = Sizes(experiment.target)
    shown = []
    for sample in found:
        tokens, learned = sizes.total(sample.example), sizes.trained(sample.example)
        shown.append({**_place(sample), "tokens": tokens, "trained_tokens": learned, **_content(sample)})
        if not as_json:
            print(f"{heading(sample)} · {tokens:,} tokens, {learned:,} of them learned")
            tools = ", ".join(tools_of(sample.example))
            heads = [f"  tools: {visible(tools)}"] if tools else []
            for key, value in fields_of(sample.shown):
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                heads.append(f"  {visible(key)}: {one_line(text)}")
            print(*heads, *turn_lines(turns_of(sample.shown)), "", sep="\n")
    if as_json:
        print_json({"experiment": experiment.name, "target": experiment.target.name, "examples": shown})


def _place(sample: PreparedExample) -> dict[str, Any]:
    place = {"split": sample.split, "number": sample.number, "file": sample.file, "line": sample.line}
    return {**place, "general": True} if sample.general else place


def _content(sample: PreparedExample) -> dict[str, Any]:
    from ftrun.data.examples.views import turns_of

    return {"turns": [turn._asdict() for turn in turns_of(sample.shown)], "example": dict(sample.shown)}


def _diff(experiment: Experiment, now: Path, before: Path, show: int | None, as_json: bool) -> None:
    from ftrun.data.pipeline.changes import changes

    known = (before / "train.jsonl").exists()
    found = changes(before, now, experiment.project, MOST_JSON if as_json else show or USUAL)
    if as_json:
        print_json(_diff_document(experiment, before if known else None, found))
        return
    since = f"since the last run ({shown_path(before)})" if known else "no earlier run: everything is new"
    counts = ", ".join(f"{number:,} {kind}" for kind, number in found.counts.items())
    print(f"{experiment.name}: {since}: {counts}, {found.unchanged:,} unchanged")
    for change in found.first if known else ():
        print(*_change_lines(change), sep="\n")
    more = {
        kind: number - sum(one.kind == kind for one in found.first) for kind, number in found.counts.items()
    }
    if known and any(more.values()):
        left = ", ".join(f"{number:,} {kind}" for kind, number in more.items() if number)
        print(f"… and {left} (--show N for more of each, --json for all)")


def _change_lines(change: Change) -> Iterator[str]:
    from ftrun.data.examples.views import turns_of

    before, now = change.before, change.now
    shown = now or before
    assert shown is not None
    was = f" (was {heading(before)})" if before and now and heading(before) != heading(now) else ""
    yield f"{MARKS[change.kind]} {change.kind}: {heading(shown)}{was}"
    if change.kind == "changed" and before and now:
        yield from changed_lines(turns_of(before.shown), turns_of(now.shown))
    else:
        yield from short_lines(turns_of(shown.shown))


def _diff_document(experiment: Experiment, before: Path | None, found: Changes) -> dict[str, Any]:
    return {
        "experiment": experiment.name,
        "target": experiment.target.name,
        "before": None if before is None else shown_path(before),
        "counts": dict(found.counts),
        "unchanged": found.unchanged,
        "changes": [
            {
                "kind": change.kind,
                "before": change.before and {**_place(change.before), **_content(change.before)},
                "now": change.now and {**_place(change.now), **_content(change.now)},
            }
            for change in found.first
        ],
    }


def heading(sample: PreparedExample) -> str:
    """Return which example it is and where its row is; a general one was mixed in by `data.replay`."""
    place = f"{sample.split} {sample.number} · {visible(sample.file)}:{sample.line}"
    return f"{place} · general row" if sample.general else place


def turn_lines(turns: Sequence[ShownText]) -> Iterator[str]:
    """Yield the whole conversation, with what the model learns marked."""
    for turn in turns:
        learned = " (to avoid)" if turn.role == "not preferred" else " (learned)"
        mark = LEARNED if turn.trained else NOT_LEARNED
        name = f" {visible(turn.name)}" if turn.name else ""
        yield f"{mark}{visible(turn.role)}{name}{learned if turn.trained else ''}"
        for line in visible(turn.text, keep_newlines=True).split("\n"):
            yield verbatim(f"    {line}")


def short_lines(turns: Sequence[ShownText]) -> Iterator[str]:
    """Yield the last question and the answer, one line each."""
    for turn in turns[-2:]:
        yield f"    {visible(turn.role)}: {one_line(turn.text)}"


def changed_lines(before: Sequence[ShownText], now: Sequence[ShownText]) -> Iterator[str]:
    """Yield the turns that differ, one line each; a long common beginning is cut."""
    for index in range(max(len(before), len(now))):
        old, new = (turns[index] if index < len(turns) else None for turns in (before, now))
        if old != new:
            start = _common_start(old.text, new.text) if old and new else 0
            for mark, turn in (("-", old), ("+", new)):
                if turn is not None:
                    weight = "" if turn.trained or turn.role != "assistant" else " (not learned)"
                    yield f"  {mark} {visible(turn.role)}{weight}: {one_line(turn.text, start)}"


def one_line(text: str, start: int = 0) -> str:
    """Return a text, from `start` on, in one line of limited length."""
    begin = max(0, start - LONGEST // 3) if start > LONGEST // 2 else 0
    part = " ".join(text[begin : begin + 4 * LONGEST].split())
    cut = part if len(part) <= LONGEST and begin + 4 * LONGEST >= len(text) else f"{part[: LONGEST - 1]}…"
    return visible(f"…{cut}" if begin else cut)


def _common_start(one: str, other: str) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(one), len(other)))
