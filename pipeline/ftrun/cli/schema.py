"""`ftrun schema`: print the JSON Schema of the experiment file."""

from __future__ import annotations

import sys

import click

from ftrun.experiment import schema_text


@click.command("schema")
@click.option("--json", "as_json", is_flag=True, help="Accepted for consistency: the schema is JSON anyway.")
def command(as_json: bool) -> None:
    """Print the JSON Schema of the experiment file (2020-12), for editors and other tools."""
    sys.stdout.write(schema_text())
