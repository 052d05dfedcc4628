"""Options that several commands share, and durations such as 90s, 15m or 2h."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ftrun.cli.completion import ConfigPath, complete_target

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
Decorated = Callable[..., Any]

target_option = click.option(
    "--target",
    metavar="T",
    shell_complete=complete_target,
    help="Use this target instead of the file's `target`.",
)
runs_dir_option = click.option(
    "--runs-dir", type=click.Path(path_type=Path), help="The runs/ folder, if it is not in the project."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)
lock_option = click.option(
    "--wait", "wait_for_lock", is_flag=True, help="Wait if another run of this experiment is active."
)
paying_option = click.option(
    "--yes", is_flag=True, help="Don't ask before anything that costs money (budgets still apply)."
)

FILE = click.Path(path_type=Path, dir_okay=False)


def page_option(help_text: str) -> Callable[[Decorated], Decorated]:
    """Return --html, which writes a page to a file."""
    return click.option("--html", "page", type=FILE, metavar="FILE", help=help_text)


scorer_option = click.option(
    "--scorer",
    "scorers",
    metavar="NAME",
    multiple=True,
    help="Use a custom scorer of an installed package; repeat it for several.",
)


class Duration(click.ParamType[float]):
    """A number of seconds, or a number with the unit s, m, h or d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", value.strip())
        if not found:
            self.fail(f"{value!r} is not a duration: write 90s, 15m or 2h", param, ctx)
        return float(found[1]) * UNITS[found[2]]


max_wait_option = click.option(
    "--max-wait", type=Duration(), metavar="T", help="Exit with 75 after waiting for 90s, 15m, 2h."
)


def experiment_options(command: Decorated) -> Decorated:
    """Add CONFIG, --target, --set, --runs-dir and --json."""
    config = click.argument("config", type=ConfigPath())
    overrides = click.option(
        "--set", "overrides", metavar="K=V", multiple=True, help="Override any key of the file."
    )
    return config(target_option(overrides(runs_dir_option(json_option(command)))))


def remote_options(command: Decorated) -> Decorated:
    """Add an optional CONFIG, --target, --runs-dir and --json."""
    config = click.argument("config", type=ConfigPath(), required=False)
    return config(target_option(runs_dir_option(json_option(command))))
