"""The options that several commands share, and durations such as 90s, 15m, 2h."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

CONFIG = click.argument("config", type=click.Path(path_type=Path))
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class Duration(click.ParamType[float]):
    """A number of seconds, or one with the unit s, m, h or d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", value.strip())
        if not found:
            self.fail(f"{value!r} is no duration: write 90s, 15m or 2h", param, ctx)
        return float(found[1]) * UNITS[found[2]]


def experiment_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add CONFIG, --target, --set, --runs-dir and --json."""
    options = [
        CONFIG,
        click.option("--target", metavar="T", help="The target to use, instead of the file's `target`."),
        click.option(
            "--set", "overrides", metavar="K=V", multiple=True, help="Override any key of the file."
        ),
        click.option(
            "--runs-dir", type=click.Path(path_type=Path), help="Where runs/ is, if not in the project."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."),
    ]
    for option in reversed(options):
        command = option(command)
    return command
