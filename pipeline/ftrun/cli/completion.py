"""What the shell proposes for what is typed so far: commands, experiments, their targets, and codes.

Completion must never fail or print: what can't be read proposes nothing.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from ftrun.errors import FtrunError

SPECIAL = re.compile(r"[^\w./@%+=:,~-]")
YAML = (".yaml", ".yml")


class ConfigPath(click.Path):
    """The path of an experiment file; the shell proposes YAML files and the folders that may hold some."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the experiments that begin like this; any file where there are none."""
        return config_items(incomplete) or super().shell_complete(ctx, param, incomplete)


def config_items(incomplete: str) -> list[CompletionItem]:
    """Return the YAML files that begin with `incomplete`, also in a folder that does."""
    return [CompletionItem(_typed(found)) for found in dict.fromkeys(_paths(incomplete))]


def _typed(path: str) -> str:
    """Return a path as bash inserts it; other shells quote what they are given."""
    in_bash = os.environ.get("_FTRUN_COMPLETE", "").startswith("bash")
    return SPECIAL.sub(r"\\\g<0>", path) if in_bash else path


def _paths(incomplete: str) -> Iterator[str]:
    folder, _, start = incomplete.rpartition("/")
    before = f"{folder}/" if folder or incomplete.startswith("/") else ""
    with suppress(OSError):
        if not incomplete:
            yield from (f"configs/{name}" for name in _yaml_files(Path("configs")))
        for path in sorted(Path(before or ".").iterdir()):
            if not path.name.startswith(start) or (path.name.startswith(".") and not start):
                continue
            if path.suffix in YAML:
                yield f"{before}{path.name}"
            elif incomplete and path.is_dir():
                yield from (f"{before}{path.name}/{name}" for name in _yaml_files(path))


def _yaml_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    names = (path.name for path in folder.iterdir() if path.suffix in YAML)
    return sorted(name for name in names if not name.startswith("."))


def complete_target(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the targets of the experiment that the command line names, else of all experiments here."""
    from ftrun.cli.usage_errors import experiment_files

    files = _named_files(ctx) or experiment_files()
    names = dict.fromkeys(name for file in files for name in _targets(file))
    return [name for name in names if name.startswith(incomplete)]


def complete_code(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the codes that `ftrun explain` knows."""
    from ftrun.cli.explain import explanations

    return [code for code in explanations() if code.startswith(incomplete)]


def _named_files(ctx: click.Context) -> list[Path]:
    """Return the experiment that was typed. The parser may not have reached it yet, so the words are read."""
    config = ctx.params.get("config")
    words = [str(config)] if config else []
    with suppress(ValueError):
        words += shlex.split(os.environ.get("COMP_WORDS", ""))
    return [Path(word) for word in words if word.endswith(YAML) and Path(word).is_file()][:1]


def _targets(file: Path) -> list[str]:
    from ftrun.experiment import read_document

    with suppress(FtrunError, OSError, ValueError, TypeError):
        targets = read_document(file).data.get("targets")
        return list(targets) if isinstance(targets, dict) else ["local"]
    return []
