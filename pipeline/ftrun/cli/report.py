"""`ftrun report CONFIG`: print the verdict and write the report of what is there, without asking anybody."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.options import experiment_options, lock_option, page_option
from ftrun.cli.output import print_json
from ftrun.experiment.places import shown_path
from ftrun.files import output_path

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.report import Facts
    from ftrun.runner import Session


@click.command(name="report")
@experiment_options
@page_option("Write the page to this file instead of the run's folder.")
@click.option("--markdown", is_flag=True, help="Print the report as Markdown, for a pull request.")
@click.option("--open", "shown", is_flag=True, help="Open the page in the browser.")
@lock_option
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    page: Path | None,
    markdown: bool,
    shown: bool,
    wait_for_lock: bool,
) -> int:
    """Print the verdict and write the report from the results so far. Asks no model and trains nothing."""
    from ftrun.cli.present_report import report_facts
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    facts = report_facts(session)
    if markdown and not as_json:
        from ftrun.language import verbatim
        from ftrun.report.markdown import markdown_report

        print(verbatim(markdown_report(facts)), end="")
        path = _written(facts, page) if page is not None else None
    else:
        path = _written(facts, page) if page is not None else _again(session, wait_for_lock)
    if as_json:
        print_json(_document(session, facts, path))
    elif not markdown:
        _print(facts, path)
    if shown and path is not None:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
    return 0


def _written(facts: Facts, page: Path) -> Path:
    from ftrun.files import write_atomic
    from ftrun.report.html import html_report

    write_atomic(output_path(page), html_report(facts))
    return page


def _again(session: Session, wait: bool) -> Path | None:
    """Write the run's own report again; return its page if there is one."""
    from ftrun.cli.present_report import write_again
    from ftrun.report import HTML

    def emit(kind: str, **data: Any) -> None:
        if kind == "warning":
            print(f"warning: {data['message']}", file=sys.stderr)

    write_again(session, emit, wait=wait)
    path = session.folder / HTML
    return path if path.exists() else None


def _document(session: Session, facts: Facts, path: Path | None) -> dict[str, Any]:
    experiment = session.experiment
    head = {"experiment": experiment.name, "target": experiment.target.name}
    fit = facts.fit
    return {
        **facts.scores.as_dict(),
        **head,
        "status": facts.status,
        "fit": None if fit is None else {"verdict": fit.verdict, "sentence": fit.sentence},
        "report": None if path is None else str(path),
    }


def _print(facts: Facts, path: Path | None) -> None:
    from ftrun.evaluation.showing.phrasing import REHEARSED
    from ftrun.evaluation.showing.terminal import print_evaluation

    experiment = f"{facts.experiment.name} on {facts.target.name} ({facts.target.model})"
    print(experiment)
    if facts.status != "done":
        print(f"The run did not finish: {facts.status}.")
    rehearsed = facts.target.rehearses
    print_evaluation(facts.scores, facts.answers, instead=[REHEARSED] if rehearsed else [])
    if facts.fit is not None and not rehearsed:
        print(f"\n{facts.fit.sentence}")
    if path is not None:
        print(f"Report: {shown_path(path)}")
