"""`ftrun gc`: delete files at a target that this project uploaded and no longer uses."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.connection import inventory_of
from ftrun.cli.options import remote_options
from ftrun.cli.output import print_json


@click.command(name="gc")
@remote_options
@click.option("--yes", is_flag=True, help="Delete without asking.")
@click.option("--dry-run", is_flag=True, help="Only list them.")
def command(
    config: Path | None,
    target: str | None,
    runs_dir: Path | None,
    as_json: bool,
    yes: bool,
    dry_run: bool,
) -> int:
    """List uploaded files that no experiment of this project uses any longer, ask, and delete them.

    A file belongs to this project if its name says so. If another clone still uses it, its next run uploads
    it again. Files uploaded within the last 24 hours are kept, since a run of another clone may be about to
    use them. Models are never deleted here; use `ftrun rm`.
    """
    from ftrun.cli.confirmation import confirm
    from ftrun.cli.ls import print_entries
    from ftrun.runner.inventory import entries, fresh, unowned

    with inventory_of(config, target, runs_dir, yes=yes) as (session, service, known):
        if known.notes:  # nobody knows what a damaged state owns
            dry_run = True
        listed = list(
            unowned(entries(service, "files", known, session.experiment.target), service.jobs(), known)
        )
        young = fresh(listed)
        found = [entry for entry in listed if entry.id not in young]
        if not as_json:
            print_entries(found)
        deleted: list[str] = []
        if found and not dry_run:
            size = sum(entry.bytes or 0 for entry in found)
            confirm(f"Delete these {len(found)} files ({size:,} bytes)?", yes=yes, as_json=as_json)
            for entry in found:
                service.delete_file(entry.id)
                deleted.append(entry.id)
    notes = [f"{note}; nothing is deleted while a state is unreadable" for note in known.notes]
    notes += [f"{file} was kept: {why}. To delete it: ftrun rm {file}" for file, why in young.items()]
    if as_json:
        files = [entry.as_dict() for entry in found]
        print_json({"files": files, "deleted": deleted, "notes": notes})
    else:
        for line in [*notes, *([f"Deleted {len(deleted)} files."] if deleted else [])]:
            print(line)
    return 0
