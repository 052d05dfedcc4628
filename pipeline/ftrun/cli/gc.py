"""`ftrun gc`: files at a target that experiments of this project made and that no state uses any more."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.failure import print_json
from ftrun.cli.remote import opened, remote_options


@click.command(name="gc")
@remote_options
@click.option("--yes", is_flag=True, help="Delete without asking.")
@click.option("--dry-run", is_flag=True, help="Only list.")
def command(
    config: Path | None,
    target: str | None,
    runs_dir: Path | None,
    as_json: bool,
    yes: bool,
    dry_run: bool,
) -> int:
    """List uploaded files that no experiment of this project uses any more, ask, and delete them.

    A file counts as this project's when its name says so; what another clone still uses is uploaded
    again by its next run. Kept is what was uploaded within the last 24 hours: a run of another clone may be
    about to use it. Models are never collected: `ftrun rm` deletes one.
    """
    from ftrun.cli.jobs import confirm
    from ftrun.cli.ls import print_entries
    from ftrun.runner.inventory import entries, fresh, unowned

    with opened(config, target, runs_dir, yes=yes) as (_session, service, known):
        if known.notes:  # what a damaged state owns is not known
            dry_run = True
        listed = list(unowned(entries(service, "files", known), service.jobs(), known))
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
    notes = [f"{note}; nothing is deleted while a state can't be read" for note in known.notes]
    notes += [f"{file} is kept: {why}. To delete it: ftrun rm {file}" for file, why in young.items()]
    if as_json:
        files = [entry.as_dict() for entry in found]
        print_json({"files": files, "deleted": deleted, "notes": notes})
    else:
        for line in [*notes, *([f"Deleted {len(deleted)} files."] if deleted else [])]:
            print(line)
    return 0
