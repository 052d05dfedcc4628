"""`ftrun ledger [CONFIG]`: list what cost money, estimated and actual, by experiment and month."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.completion import ConfigPath
from ftrun.cli.options import json_option, runs_dir_option
from ftrun.cli.output import print_json
from ftrun.cost.amounts import money
from ftrun.errors import ConfigError, UsageError
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.experiment.document import Document
    from ftrun.state.ledger import LedgerLine

MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@click.command(name="ledger")
@click.argument("config", type=ConfigPath(), required=False)
@click.option("--month", metavar="YYYY-MM", help="Only this month (UTC).")
@runs_dir_option
@json_option
def command(config: Path | None, month: str | None, runs_dir: Path | None, as_json: bool) -> int:
    """List what cost money, for CONFIG or for all experiments of this project.

    If CONFIG keeps its state elsewhere (`state:`), what other machines paid is fetched first.
    """
    from ftrun.state.ledger import effects, read_ledgers

    if month is not None and not MONTH.fullmatch(month):
        raise UsageError(f"--month {month}: write a month as 2026-11", code="usage")
    paths = _ledgers(config, runs_dir)
    found = [one for one in effects(read_ledgers(paths)) if month in (None, one.month)]
    document = {"month": month, "entries": [asdict(one) for one in found], **_sums(found)}
    if as_json:
        print_json(document)
    else:
        _print(document)
    return 0


def _ledgers(config: Path | None, runs_dir: Path | None) -> list[Path]:
    from ftrun.experiment import read_document
    from ftrun.runner.session import runs_folder
    from ftrun.state.ledger import ledgers_of

    here = Path("configs") if Path("configs").is_dir() else Path()
    runs = runs_folder(config or here / "any.yaml", runs_dir)
    document = read_document(config) if config else None
    name = document.data.get("name") if document else "*"
    if not isinstance(name, str) or not name:
        raise ConfigError("not an experiment: it has no `name`", code="no_name", file=str(config))
    if document is not None and "state" in document.data:
        _fetch(document, runs / name)
    return [path for folder in sorted(runs.glob(name)) for path in ledgers_of(folder)]


def _fetch(document: Document, folder: Path) -> None:
    from ftrun.experiment import build_experiment
    from ftrun.paid.spending import fetch_ledgers

    fetch_ledgers(build_experiment(document, next(iter(document.data.get("targets", {})), None)), folder)


def _sums(found: list[LedgerLine]) -> dict[str, Any]:
    from ftrun.state.ledger import spent

    groups = sorted({(one.experiment, one.target, one.month) for one in found})
    totals = []
    for name, target, month in groups:
        own = [one for one in found if (one.experiment, one.target, one.month) == (name, target, month)]
        total = spent(own)
        totals.append({"experiment": name, "target": target, "month": month, **asdict(total)})
    return {"totals": totals, **asdict(spent(found))}


def _print(document: dict[str, Any]) -> None:
    for one in document["entries"]:
        price = "price unknown" if one["usd"] is None else money(one["usd"])
        where = f"{one['at'][:16]}  {one['experiment']:<16} {one['target']:<10}"
        print(f"{where} {one['kind']:<11}{one['standing']:<10}{price:>14}  {visible(one['what'] or '')}")
    for total in document["totals"]:
        print(f"{total['month']}  {total['experiment']} on {total['target']}: {_sum_words(total)}")
    print(f"total: {_sum_words(document)}")


def _sum_words(total: dict[str, Any]) -> str:
    words = money(total["usd"])
    if total["estimated"]:
        words += f", of which {money(total['estimated'])} is estimated"
    return words + (f", plus {total['unknown']} at an unknown price" if total["unknown"] else "")
