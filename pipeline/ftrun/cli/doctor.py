"""`ftrun doctor`: find what is wrong with this machine, and say how to fix it. Changes nothing."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

import ftrun
from ftrun.cli.command_lines import program
from ftrun.cli.completion import ConfigPath
from ftrun.cli.options import json_option, runs_dir_option
from ftrun.cli.output import print_json
from ftrun.engine.extras import ENGINE, LOCAL
from ftrun.engine.models.number_format import choose, format_setting, kept_measurement
from ftrun.engine.places import cache_home, engine_home
from ftrun.errors import FtrunError, UsageError
from ftrun.installation import install_extra, install_packages
from ftrun.scoring.options import EVAL

NEEDED_GB = 2.0  # the built-in model: its download, its conversion and a few fine-tuned ones
TORCH = "torch>=2.6,<3"
EXTRAS = {"engine": ENGINE, "eval": EVAL, "local": LOCAL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check of the machine. `hint` says how to fix what is not `ok`."""

    name: str
    ok: bool
    message: str
    hint: str | None = None


@click.command(name="doctor")
@click.argument("configs", nargs=-1, type=ConfigPath(), metavar="[CONFIG]...")
@click.option("--ci", is_flag=True, help="Check instead how long the experiments' models can be used.")
@click.option(
    "--within",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="With --ci: warn of what ends within so many days (default: 90).",
)
@runs_dir_option
@json_option
def command(
    configs: tuple[Path, ...], ci: bool, within: int | None, runs_dir: Path | None, as_json: bool
) -> int:
    """Check this machine and say how to fix what is wrong. Exits with 1 if anything is.

    With --ci, check instead which models of the experiments (default: all in configs/ and imported/configs/)
    have ended or end soon, by the dates that ftrun knows. It asks no server, needs no key, and exits with 1
    if a model has ended.
    """
    if ci:
        from ftrun.cli.doctor_ci import report_ends
        from ftrun.cost.availability_warnings import SOON

        return report_ends(configs, runs_dir, within=SOON if within is None else within, as_json=as_json)
    if configs or within is not None or runs_dir is not None:
        hint = f"To check experiments: {program()} doctor --ci"
        raise UsageError("without --ci, doctor checks this machine only", code="usage", hint=hint)
    found = list(examine())
    if as_json:
        print_json({"ok": all(one.ok for one in found), "findings": [asdict(one) for one in found]})
    else:
        for one in found:
            print(f"{'ok ' if one.ok else 'BAD'} {one.name:<12} {one.message}")
            if one.hint and not one.ok:
                print(f"    tip: {one.hint}")
    return 0 if all(one.ok for one in found) else 1


def examine() -> Iterator[Finding]:
    """Yield a finding for each check."""
    yield _python()
    yield from (_extra(name, packages) for name, packages in EXTRAS.items())
    yield from (_folder(name, path) for name, path in (("store", engine_home()), ("cache", cache_home())))
    yield _engine()
    yield _key()
    yield _accelerator()
    yield _number_format()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    return Finding(
        name="python",
        ok=fine,
        message=f"Python {version}, ftrun {ftrun.__version__} in {sys.prefix}",
        hint="Use Python 3.11 or newer.",
    )


def _extra(name: str, packages: tuple[str, ...]) -> Finding:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    there = ", ".join(f"{one} {importlib.metadata.version(one)}" for one in packages if one not in missing)
    return Finding(
        name=f"extra {name}",
        ok=not missing,
        message=there if not missing else f"missing: {', '.join(missing)}",
        hint=install_extra(name),
    )


def _folder(name: str, path: Path) -> Finding:
    """Check that the folder is writable and has room."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists())
    free = shutil.disk_usage(existing).free / 1e9
    writable = os.access(existing, os.W_OK)
    fine = writable and free >= NEEDED_GB
    room = f"{free:.0f} GB free" if free >= NEEDED_GB else f"only {free:.1f} GB free"
    return Finding(
        name=name,
        ok=fine,
        message=f"{path}: {room}" + ("" if writable else ", not writable"),
        hint=f"Free some space, or set another folder in FTRUN_{'HOME' if name == 'store' else 'CACHE'}.",
    )


def _engine() -> Finding:
    if importlib.util.find_spec("fastapi") is None:
        return Finding(name="engine", ok=True, message="not installed")
    from ftrun.engine.launch import running_engine

    try:
        endpoint = running_engine(engine_home())
    except FtrunError as error:
        return Finding(name="engine", ok=False, message=str(error), hint=error.problem.hint)
    state = f"running at {endpoint.base_url}" if endpoint else "not running (it starts when needed)"
    return Finding(name="engine", ok=True, message=state)


def _key() -> Finding:
    """Check that OPENAI_API_KEY looks like a key, without showing it."""
    from ftrun.targets.credentials import key_from

    if not os.environ.get("OPENAI_API_KEY"):
        return Finding(
            name="openai key", ok=True, message="OPENAI_API_KEY is not set (only needed for `openai` targets)"
        )
    try:
        key_from("OPENAI_API_KEY", "openai")
    except FtrunError as error:
        return Finding(name="openai key", ok=False, message=str(error), hint=error.problem.hint)
    return Finding(name="openai key", ok=True, message="OPENAI_API_KEY is set (not tested)")


def _accelerator() -> Finding:
    """Say what training would run on; a GPU that PyTorch can't use is a problem."""
    driver = shutil.which("nvidia-smi") is not None
    build = _torch_version()
    cpu_build = build is not None and "+cpu" in build
    return Finding(
        name="accelerator",
        ok=not (driver and cpu_build),
        message="NVIDIA driver found" if driver else f"none found: training uses {os.cpu_count()} CPU cores",
        hint=f"PyTorch is a CPU-only build. For the GPU: {install_packages([TORCH], '--force-reinstall')}",
    )


def _number_format() -> Finding:
    """Say in which format base models compute, and what was measured; nothing is measured here."""
    try:
        setting, found = format_setting(), kept_measurement()
    except FtrunError as error:
        return Finding(name="format", ok=False, message=str(error), hint=error.problem.hint)
    if setting != "auto":
        message = f"number format: {setting}, as FTRUN_DTYPE says"
    elif found is None:
        message = "number format: auto; not measured yet: it is chosen when a model is loaded"
    elif not found.right:
        message = "number format: float32; matrix products in bfloat16 are wrong or missing here"
    else:
        message = (
            f"number format: {choose(found)}; matrix products on one core: float32 "
            f"{found.float32:.0f} GFLOP/s, bfloat16 {found.bfloat16:.0f} GFLOP/s"
        )
    return Finding(name="format", ok=True, message=message)


def _torch_version() -> str | None:
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
