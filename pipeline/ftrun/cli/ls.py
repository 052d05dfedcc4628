"""`ftrun ls files|jobs|models`: list what is at a target, and which experiment it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.connection import inventory_of
from ftrun.cli.options import remote_options
from ftrun.cli.output import print_json
from ftrun.text import display_width, visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.runner.inventory import InventoryEntry

USUAL = 50
KINDS = ("files", "jobs", "models")


@click.command(name="ls")
@click.argument("kind", type=click.Choice(KINDS))
@remote_options
@click.option(
    "--limit", type=click.IntRange(min=0), default=USUAL, show_default=True, help="How many to list; 0: all."
)
def command(
    kind: str, config: Path | None, target: str | None, runs_dir: Path | None, as_json: bool, limit: int
) -> int:
    """List files, jobs or models at a target, newest first, and which experiment they belong to.

    CONFIG is optional if the experiments in this folder share one target.
    """
    from ftrun.runner.inventory import entries
    from ftrun.targets.service import READING

    with inventory_of(config, target, runs_dir) as (session, service, known):
        service.end_within(READING)
        there = entries(service, kind, known, session.experiment.target)
        found = list(islice(there, limit + 1 if limit else None))
    more = bool(limit) and len(found) > limit
    shown = found[:limit] if limit else found
    if as_json:
        name = session.experiment.target.name
        listed = [entry.as_dict() for entry in shown]
        print_json({"target": name, kind: listed, "more": more, "notes": known.notes})
        return 0
    print_entries(shown)
    for note in known.notes:
        print(f"note: {visible(note)}")
    if more:
        print(f"Only the newest {limit} are shown; --limit 0 lists all.")
    return 0


def print_entries(shown: Sequence[InventoryEntry]) -> None:
    """Print entries as a table, with a column for their ends if any is known."""
    rows = [("id", "created", "description", "experiment", "answers"), *(_row(entry) for entry in shown)]
    columns = 5 if any(row[4] for row in rows[1:]) else 4
    widths = [max(display_width(row[column]) for row in rows) for column in range(columns)]
    for row in rows if shown else []:
        cells = [cell + " " * (width - display_width(cell)) for cell, width in zip(row, widths, strict=False)]
        print("  ".join(cells).rstrip())
    if not shown:
        print("Nothing found.")


def _row(entry: InventoryEntry) -> tuple[str, str, str, str, str]:
    made = datetime.fromtimestamp(entry.created_at).strftime("%Y-%m-%d %H:%M") if entry.created_at else "-"
    size = f"{entry.bytes:,} bytes" if entry.bytes is not None else None
    parts = (entry.status, entry.name, size, entry.model, entry.facts.get("fine_tuned_model"))
    what = " · ".join(str(part) for part in parts if part)
    belongs = entry.owner or (f"({entry.made_by}, unknown to every state here)" if entry.made_by else "-")
    return visible(entry.id), made, visible(what), visible(belongs), _end_words(entry.facts)


def _end_words(facts: Mapping[str, Any]) -> str:
    """Return until when a model answers, and which of the two sources says so; of others nothing."""
    day, source = facts.get("ends"), facts.get("ends_source")
    if day is None:
        return ""
    if source == "server":
        return f"until {day} (server)"
    return f"until {day} or later (table)" if facts["ends_not_before"] else f"until {day} (table)"
