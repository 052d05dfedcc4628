"""`ftrun import --list`: what an account has, as a table, in Markdown or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ftrun.cli.output import print_json
from ftrun.cost.amounts import money
from ftrun.language import localized, phrase, screen_language
from ftrun.text import display_width, visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.runner import Session
    from ftrun.runner.importing.account import Account, TunedModel
    from ftrun.runner.importing.destinations import Destination
    from ftrun.targets import Service

VALIDATION = {
    "there": "validation there",
    "gone": "validation gone",
    "imported": "validation imported",
    "unknown": "validation unknown",
}
HEAD = ("ends", "base", "data", "imported", "answers", "last used")


def print_account(session: Session, service: Service, out: Path, *, as_json: bool, markdown: bool) -> None:
    """Print what is at the session's target. Models could go to the other targets of its file."""
    from ftrun.cost.availability import today
    from ftrun.runner.importing.account import account_of
    from ftrun.runner.importing.destinations import elsewhere
    from ftrun.runner.importing.saved import saved_here
    from ftrun.targets import identity_of

    target = session.experiment.target
    saved, places = saved_here(out, identity_of(target)), elsewhere(session.experiment.targets, target)
    account = account_of(service, target, saved, places=places, day=today())
    if as_json:
        print_json(account.as_dict())
        return
    for line in account_lines(account, markdown=markdown):
        print(line)


def account_lines(account: Account, *, markdown: bool) -> Iterator[str]:
    """Yield the lines of the table, its sums, and what to know about it."""
    if not account.models:
        yield f"There is no tuned model at {visible(account.target)}."
    else:
        columns = _columns(account.models)
        head = [*map(_said, HEAD), *columns, _said("model")]
        rows = [head, *(_row(one, columns) for one in account.models)]
        if markdown:
            yield f"### Tuned models at {account.target}, {account.date}"
            yield ""
            yield from _markdown(rows)
        else:
            yield from _aligned(rows)
        yield ""
        yield from _listed(_sums(account), markdown=markdown)
    yield from _listed(_others(account), markdown=markdown)
    yield from _listed((f"note: {visible(note)}" for note in account.notes), markdown=markdown)


def _columns(models: Sequence[TunedModel]) -> list[str]:
    """Return the destinations that a price is known for: others are named below the table."""
    found = dict.fromkeys(place.target for one in models for place in one.could_go if place.usd is not None)
    return list(found)


def _row(one: TunedModel, columns: Sequence[str]) -> list[str]:
    costs = {place.target: place for place in one.could_go}
    return [
        visible(_end(one)),
        visible(one.job.model),
        _data(one),
        _said("yes" if one.imported else "no"),
        _said("recorded" if one.recorded else "no"),
        one.last_used or _said("unknown"),
        *(_cost(costs.get(name), one) for name in columns),
        visible(one.model),
    ]


def _said(word: str) -> str:
    """Return a word of the table in the language of the screen."""
    return phrase(word, screen_language())


def _end(one: TunedModel) -> str:
    """Return when a model ends, and by which source."""
    end = one.ends.answers
    if one.gone:
        return _said("gone")
    if end is None:
        return _said("unknown")
    return f"{end.day} or later ({end.source})" if end.not_before else f"{end.day} ({end.source})"


def _data(one: TunedModel) -> str:
    """Return whether the files are still there."""
    if one.validation in (None, one.training):
        return _said(one.training)
    return _said(one.training) + _said(", ") + _said(VALIDATION[str(one.validation)])


def _cost(place: Destination | None, one: TunedModel) -> str:
    if one.training == "gone":
        return "-"
    if place is None or place.usd is None:
        return "?"
    if place.usd == 0:
        return _said("free")
    return f"~{money(place.usd)}" if one.estimated else money(place.usd)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(display_width(row[place]) for row in rows) for place in range(len(rows[0]))]
    for row in rows:
        cells = [cell + " " * (width - display_width(cell)) for cell, width in zip(row, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _markdown(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
        if number == 0:
            yield f"|{'---|' * len(row)}"


def _listed(lines: Iterator[str], *, markdown: bool) -> Iterator[str]:
    yield from (f"- {line}" if markdown else line for line in lines)


def _sums(account: Account) -> Iterator[str]:
    """Yield how many there are and end when, what is saved, and what training all of them elsewhere costs."""
    models = account.models
    data = Counter(one.training for one in models)
    ends = _said(", ").join(map(localized, _ends(models)))
    yield f"{len(models)} tuned model{'' if len(models) == 1 else 's'}: {ends}"
    yield (
        f"data: {data['imported']} imported, {data['there']} there, {data['gone']} gone, "
        f"{data['unknown']} unknown; answers recorded: {sum(one.recorded is not None for one in models)}"
    )
    for one in account.totals():
        if one.usd is not None:
            cost = "free" if one.usd == 0 else money(one.usd)
            left = f" ({one.note})" if one.note and one.usd else ""
            yield f"retraining all that have data at {visible(one.target)}: {cost}{left}"
    unknown = [one for one in account.totals() if one.usd is None]
    if unknown:
        yield f"also possible, at unknown prices: {', '.join(one.target for one in unknown)}"


def _ends(models: Sequence[TunedModel]) -> Iterator[str]:
    """Yield how many end first, how many later, and of how many that isn't known."""
    gone = sum(one.gone for one in models)
    days = [one.ends.answers.day for one in models if one.ends.answers is not None and not one.gone]
    first = sum(day == days[0] for day in days)
    if days:
        yield f"{first} end{'s' if first == 1 else ''} on {days[0]}"
    if len(days) > first:
        yield f"{len(days) - first} later"
    if unknown := len(models) - gone - len(days):
        yield f"{unknown} without a known end"
    if gone:
        yield f"{gone} gone (the server no longer lists them)"


def _others(account: Account) -> Iterator[str]:
    failed, running = account.failed, account.running
    if failed:
        yield f"not listed: {failed} failed or cancelled job{'' if failed == 1 else 's'}"
    if running:
        yield f"not listed: {running} job{'' if running == 1 else 's'} without a tuned model so far"
