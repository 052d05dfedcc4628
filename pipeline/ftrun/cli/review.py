"""`ftrun review`: approve or reject the rows that `ftrun augment` proposed."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.command_lines import program
from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.errors import UsageError
from ftrun.experiment.places import shown_path
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.augment.entries import ReviewEntry, Status
    from ftrun.augment.review_file import ReviewFile
    from ftrun.runner import Session

ALL = "all"


@click.command(name="review")
@experiment_options
@click.option("--list", "listed", is_flag=True, help="Print the pending rows instead of opening the page.")
@click.option("--approve", metavar="ID", multiple=True, help="Approve a row; `all`: every pending row.")
@click.option("--reject", metavar="ID", multiple=True, help="Reject a row; `all`: every pending row.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the page; 0: any free port.")
@click.option("--no-browser", is_flag=True, help="Print the page's address instead of opening a browser.")
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    listed: bool,
    approve: tuple[str, ...],
    reject: tuple[str, ...],
    port: int,
    no_browser: bool,
) -> int:
    """Approve or reject proposed rows: on a page in your browser, or with --approve and --reject."""
    from ftrun.augment.review_file import ReviewFile
    from ftrun.augment.row_texts import row_texts_of
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    review = ReviewFile(session.experiment, row_texts_of(session.experiment), session.folder.parent)
    _decide(review, approve, reject)
    review.write_training_file()  # also after somebody edited the review file by hand
    entries = review.entries()
    if not (listed or approve or reject or as_json) and any(one.status == "pending" for one in entries):
        _serve(session, review, port, browser=not no_browser)
        entries = review.entries()
    if as_json:
        print_json(_document(session, review, entries))
    else:
        _print(session, review, entries, listed=listed)
    return 0


def _decide(review: ReviewFile, approve: Sequence[str], reject: Sequence[str]) -> None:
    if ALL in approve and ALL in reject:
        raise UsageError("--approve all and --reject all contradict each other", code="usage")
    if both := set(approve) & set(reject):
        raise UsageError(f"{sorted(both)[0]} can't be both approved and rejected", code="usage")
    chosen: list[tuple[Sequence[str], Status]] = [(approve, "approved"), (reject, "rejected")]
    for ids, status in sorted(chosen, key=lambda one: ALL in one[0]):  # the named ones first
        if ALL in ids:
            ids = [*ids, *(entry.id for entry in review.entries() if entry.status == "pending")]
        if named := [name for name in ids if name != ALL]:
            review.decide(named, status)


def _serve(session: Session, review: ReviewFile, port: int, *, browser: bool) -> None:
    import webbrowser

    from ftrun.augment.review_server import ReviewServer

    with _server(ReviewServer, review, _facts(session, review), port) as server:
        print(f"Review page: {server.url}\nPress Ctrl-C, or End on the page, to stop.", flush=True)
        if browser:
            webbrowser.open(server.url)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print(file=sys.stderr)
        if server.failure is not None:
            raise server.failure


def _server(server: Any, review: ReviewFile, facts: Mapping[str, Any], port: int) -> Any:
    try:
        return server(review, facts, port)
    except OSError as error:
        message = f"port {port} can't be used: {error.strerror}"
        raise UsageError(message, code="port", hint="Leave --port out to use any free port.") from error


def _facts(session: Session, review: ReviewFile) -> dict[str, Any]:
    from ftrun.augment.review_file import yaml_line

    return {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "review_file": os.path.normpath(review.path),
        "training_file": os.path.normpath(review.training),
        "source_line": yaml_line(session.experiment, review.training),
    }


def _document(session: Session, review: ReviewFile, entries: Sequence[ReviewEntry]) -> dict[str, Any]:
    from ftrun.augment.entries import counts
    from ftrun.augment.review_file import as_json

    shown = [as_json(entry) for entry in entries]
    return {**_facts(session, review), **counts(entries), "entries": shown}


def _print(session: Session, review: ReviewFile, entries: Sequence[ReviewEntry], *, listed: bool) -> None:
    from ftrun.augment.entries import counts

    for entry in entries if listed else ():
        if entry.status == "pending":
            _print_entry(entry)
    found = counts(entries)
    print(", ".join(f"{number} {status}" for status, number in found.items()))
    if listed and found["pending"]:
        here = f"{program()} review {shlex.quote(shown_path(session.experiment.file))}"
        print("In the list: = stays as it is, - was before, + is proposed.", file=sys.stderr)
        print(f"To decide, and to write what is empty, in the browser: {here}", file=sys.stderr)
        print(f"To decide here: {here} --approve ID --reject ID", file=sys.stderr)
    if not found["approved"]:
        return
    facts = _facts(session, review)
    training = shown_path(review.training)
    if facts["source_line"]:
        print(f"To train on the approved rows, add this line to data.sources:\n    {facts['source_line']}")
    else:
        print(f"{training} is one of the sources: the next run trains on it.")


def _print_entry(entry: ReviewEntry) -> None:
    where = ", ".join(f"{one.file}:{one.line}" for one in entry.origin)
    print(f"{entry.id}  {entry.kind}" + (f"  from {visible(where)}" if where else ""))
    if entry.note:
        print(f"  note: {visible(entry.note)}")
    for name, text in entry.new.items():
        old = entry.old.get(name, "")
        print(f"  {visible(name)}")
        if old != text:
            print(f"    - {_indented(old)}")
        print(f"    {'=' if old == text else '+'} {_indented(text) or '(empty: please write it)'}")


def _indented(text: str) -> str:
    return visible(text, keep_newlines=True).replace("\n", "\n      ")
