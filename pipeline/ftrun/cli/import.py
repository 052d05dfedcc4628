"""`ftrun import JOB_ID…|--all`: jobs of a provider become experiments with their data."""

from __future__ import annotations

import shlex
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftrun.cli.completion import ConfigPath
from ftrun.cli.options import json_option, target_option
from ftrun.cli.output import print_json
from ftrun.errors import DecisionError, UsageError
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.runner import Session
    from ftrun.runner.importing import FailedJob, ImportedJob, ImportResult, ImportSource
    from ftrun.targets import Service

DEFAULT = Path("imported")
EXAMPLE = "ftrun import --all --target openai, or: ftrun import --all --config configs/hiroyuki.yaml"
MOST_LISTED = 20  # jobs and notes that are listed on the screen; --json has them all
WITHOUT_CONFIG = """\
version: 1
name: import
target: {target}
targets:
  {target}: {{provider: {target}, model: {model}}}
"""


@click.command(name="import")
@click.argument("job_ids", metavar="[JOB_ID]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Import all jobs of the account that have a tuned model.")
@click.option(
    "--config",
    type=ConfigPath(),
    metavar="FILE",
    help="A file with the target: an experiment, or one that has `targets` alone. Default: the one target of "
    "the experiments in this folder.",
)
@target_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT,
    show_default=True,
    metavar="DIR",
    help="The folder to import into.",
)
@click.option("--list", "listing", is_flag=True, help="Import nothing: list the tuned models and their ends.")
@click.option("--markdown", is_flag=True, help="With --list: print the table as Markdown.")
@click.option("--yes", is_flag=True, help="Agree to send FILE's key to FILE's server.")
@json_option
def command(
    job_ids: tuple[str, ...],
    every: bool,
    config: Path | None,
    target: str | None,
    out: Path,
    listing: bool,
    markdown: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Turn fine-tuning jobs of a provider into experiments in DIR/configs, with their data, for git.

    An imported experiment counts as done: running it does nothing. Importing again adds what is new. Nothing
    is created or paid at the provider. A tuned model's name may stand for its job. Without --config, --target
    may be a provider's name, such as openai.

    With --list, show for every tuned model how long it answers, whether its data still exist and are saved
    here, and what training it again would cost at the other targets of FILE.
    """
    from ftrun.cli.interrupts import heed_signals
    from ftrun.cli.reporter import Reporter
    from ftrun.files import output_path
    from ftrun.runner.importing import import_jobs

    if listing and not job_ids:
        from ftrun.cli.import_list import print_account

        heed_signals()
        with _connected(config, target, yes=yes) as (session, service):
            print_account(session, service, output_path(out), as_json=as_json, markdown=markdown)
        return 0
    if listing or markdown:
        hint = "ftrun import --list --config FILE"
        raise UsageError("--list takes no JOB_ID, and --markdown needs --list", code="usage", hint=hint)
    if bool(job_ids) == every:
        raise UsageError(
            "name the jobs to import, or pass --all" if not every else "pass JOB_IDs or --all, not both",
            code="usage",
            hint=_example(config, target) if not job_ids else f"ftrun import {shlex.join(job_ids)}",
        )
    heed_signals()
    reporter = Reporter(quiet=as_json)

    def progress(done: int, of: int, seconds: float) -> None:
        reporter("imported", done=done, of=of, seconds=seconds)

    with _connected(config, target, yes=yes) as connection:
        source = _source(*connection)
        result = import_jobs(source, output_path(out), None if every else job_ids, progress=progress)
    reporter.end()
    if as_json:
        print_json({"target": source.target, **result.as_dict()})
    else:
        _print(result, source)
    return 0 if all(one.expected for one in result.failed) else 1


def _example(config: Path | None, target: str | None) -> str:
    """Return the command that imports all jobs, with the target that was given."""
    if config is None and target is None:
        return EXAMPLE
    given = [] if config is None else ["--config", str(config)]
    return f"ftrun import --all {shlex.join([*given, *([] if target is None else ['--target', target])])}"


@contextmanager
def _connected(config: Path | None, target: str | None, *, yes: bool) -> Iterator[tuple[Session, Service]]:
    """Yield where jobs are imported from, connected; nobody is asked anything before the user has agreed."""
    from ftrun.cli.connection import only_experiment
    from ftrun.experiment import providers

    if config is None and target in providers.table()["services"] | {"local": {}}:
        with tempfile.TemporaryDirectory() as folder:
            yield from _connection(_of_provider(Path(folder), str(target)), str(target), yes=yes)
    else:
        file = config if config is not None else only_experiment(target, example=EXAMPLE)
        yield from _connection(file, target, yes=yes)


def _of_provider(folder: Path, provider: str) -> Path:
    """Return an experiment file that has nothing but a provider; UsageError if its name is not enough."""
    from ftrun.experiment import providers
    from ftrun.experiment.build import BUILT_IN_TARGETS
    from ftrun.files import real, write_atomic

    needed = [] if provider == "local" else providers.service(provider).get("needs", [])
    if needed:
        raise UsageError(
            f"--target {provider}: this provider also needs `{needed[0]}`, which an experiment file can set",
            code="no_target",
            hint=f"Set it in an experiment file, then: ftrun import --all --config FILE --target {provider}",
        )
    file = real(folder) / "import.yaml"
    write_atomic(file, WITHOUT_CONFIG.format(target=provider, model=BUILT_IN_TARGETS["local"]["model"]))
    return file


def _connection(config: Path, target: str | None, *, yes: bool) -> Iterator[tuple[Session, Service]]:
    from ftrun.cli.connection import service_of
    from ftrun.runner.session import locate_session

    session = locate_session(config, target=target)
    with _trusting(), service_of(session, yes=yes) as service:
        yield session, service


def _source(session: Session, service: Service) -> ImportSource:
    from ftrun.experiment import read_document
    from ftrun.experiment.build import BUILT_IN_TARGETS
    from ftrun.runner.importing import ImportSource
    from ftrun.targets import identity_of, is_local
    from ftrun.workflow.context import where_is

    chosen = session.experiment.target
    targets = read_document(session.experiment.file).data.get("targets") or BUILT_IN_TARGETS
    return ImportSource(
        service=service,
        target=chosen.name,
        mapping=targets[chosen.name],
        identity=identity_of(chosen),
        local=is_local(chosen),
        at_once=chosen.concurrency,
        where=where_is(chosen),
    )


@contextmanager
def _trusting() -> Iterator[None]:
    """Say how to agree with this very command."""
    try:
        yield
    except DecisionError as error:
        if error.code == "not_confirmed":
            error.problem.hint = "If you trust both, run the same command once with --yes; nothing is paid."
        raise


def _print(result: ImportResult, source: ImportSource) -> None:
    """Print what a person wants to know, and what to do next."""
    for text in _summary(result, source):
        print(visible(text))
    if result.imported:
        print("Next:")
        for line in _next(result):
            print(f"  {visible(line)}")


def _summary(result: ImportResult, source: ImportSource) -> Iterator[str]:
    from ftrun.experiment.places import shown_path

    took = f"{result.seconds:.0f} s"
    into = f"{shown_path(result.folder)}/"  # by itself `imported` is a word that is translated
    yield f"imported  {_jobs(len(result.imported))} from {source.where} into {into} ({took})"
    if result.skipped:
        yield f"skipped   {_jobs(len(result.skipped))}: imported before"
    yield from _missing(result.imported)
    yield from _failures(result.failed)
    if any(one.code == "no_such_job" for one in result.failed):
        yield "  tip: `ftrun import --list` shows the account's tuned models; each may stand for its job."
    yield from _listed(list(_remarks([*result.imported, *result.skipped])))
    yield from (f"note: {note}" for note in result.notes)


def _missing(imported: Sequence[ImportedJob]) -> Iterator[str]:
    """Yield what the provider did not have, or did not give, and of how many jobs."""
    from ftrun.runner.importing import MISSING_WORDS

    counts = Counter(name for one in imported for name in one.missing)
    for name, number in counts.most_common():
        yield f"missing   {MISSING_WORDS[name]} of {_jobs(number)}"


def _jobs(number: int) -> str:
    return f"{number:,} job{'' if number == 1 else 's'}"


def _failures(failed: Sequence[FailedJob]) -> Iterator[str]:
    """Yield the jobs that were not imported, those with one reason together."""
    reasons = Counter(one.message for one in failed)
    lines = []
    for reason, number in reasons.most_common():
        first = next(one.job_id for one in failed if one.message == reason)
        more = f" and {number - 1:,} more" if number > 1 else ""
        lines.append(f"not imported  {first}{more}: {reason}")
    yield from _listed(lines)


def _remarks(jobs: Sequence[ImportedJob]) -> Iterator[str]:
    for job in jobs:
        yield from (f"note: {job.config}: {note}" for note in job.notes)


def _listed(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:MOST_LISTED]
    if len(lines) > MOST_LISTED:
        yield f"… and {len(lines) - MOST_LISTED:,} more (all of them with --json)"


def _next(result: ImportResult) -> Iterator[str]:
    from ftrun.cli.command_lines import program
    from ftrun.experiment.places import shown_path

    folder = shlex.quote(f"{shown_path(result.folder)}/")
    # the newest is the likeliest to be in use, and its model to answer
    usable = [one for one in result.imported if "training_file" not in one.missing] or result.imported
    last = shlex.quote(usable[-1].config)
    yield f"git add {folder}   # everything that can't be fetched again"
    every = " --all" if len(result.imported) > 1 and result.folder == Path.cwd() / DEFAULT else f" {last}"
    yield f"{program()} rescue{every}   # record what the models answer while they do"
    yield f"{program()} port {last} --to TARGET   # train it elsewhere, and compare"
