"""`ftrun history CONFIG`: list every model that this experiment trained on a target, with its scores."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ftrun.cli.command_lines import program
from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.cost.amounts import money
from ftrun.experiment.places import shown_path
from ftrun.state.model import ENDED
from ftrun.text import readable, visible

SHOWN = ("model", "method", "seed", "suffix", "continue from")  # of a spec


@click.command(name="history")
@experiment_options
def command(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """List every model of an experiment on a target with its settings, cost and scores, oldest first."""
    from ftrun.paid.history import history
    from ftrun.paid.removed_models import removed_at
    from ftrun.runner import open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    found = [
        {**one, "removed": removed_at(session.folder, one["spec_key"], one["fine_tuned_model"])}
        for one in history(session.state, session.folder)
    ]
    experiment = session.experiment
    if as_json:
        print_json({"experiment": experiment.name, "target": experiment.target.name, "models": found})
        return 0
    if not found:
        print(f"{experiment.name} has no job on {experiment.target.name} yet.")
    for one in found:
        _print(one)
    if sum(one["fine_tuned_model"] is not None for one in found) > 1:
        words = [f"{shown_path(experiment.file)}@{experiment.target.name}"]
        words += ["--runs-dir", str(runs_dir)] if runs_dir else []
        print(f"Compare them: {program()} compare {shlex.join(words)}")
    return 0


def _print(one: Mapping[str, Any]) -> None:
    at = (
        datetime.fromtimestamp(one["created_at"], UTC).strftime("%Y-%m-%d %H:%M")
        if one["created_at"]
        else "-"
    )
    cost = "" if one["usd"] is None else f"  {money(one['usd'])}"
    mark = "*" if one["current"] else " "
    status = one["status"] if one["status"] in ENDED else f"{one['status']} when last looked at"
    print(f"{mark} {at}  #{one['spec_key'][:8]}  {visible(one['job_id'])}  {visible(status)}{cost}")
    if one["fine_tuned_model"]:
        print(f"    model     {visible(one['fine_tuned_model'])}")
    if one["removed"]:
        print(f"    deleted at the target (known since {one['removed'][:10]}); its answers are kept")
    settings = _settings(one["spec"], one.get("hyperparameters") or {})
    if settings:
        print(f"    settings  {visible(settings)}")
    for candidate, scores in one["metrics"].items():
        print(f"    scores    {visible(candidate)}: {visible(_scores(scores))}")


def _settings(spec: Mapping[str, Any], used: Mapping[str, Any]) -> str:
    """Return what was requested; where that was `auto`, with what was used."""
    asked = spec.get("hyperparameters") or {}
    values = {name: spec[name] for name in SHOWN if spec.get(name) is not None}
    for name in dict.fromkeys((*asked, *used)):
        chosen, wanted = used.get(name), asked.get(name)
        known = wanted is not None and chosen is not None and readable(wanted) != readable(chosen)
        values[name] = (
            f"{readable(wanted)} ({readable(chosen)})" if known else chosen if wanted is None else wanted
        )
    return readable(values) if values else ""


def _scores(scores: Mapping[str, Any]) -> str:
    """Return the pass rate in words, and whatever else was measured."""
    counted = ("passed", "judged", "asked", "pass_rate")
    passed, judged, asked = (scores.get(name) for name in counted[:3])
    words = [] if judged else ["no question has an `expect`"] if judged == 0 else []
    if judged and passed is not None:
        words = [f"passed {passed} of {judged} ({passed / judged:.0%})"]
    if asked is not None and asked != judged:
        words.append(f"{asked} asked")
    parts = {name: one for name, one in scores.items() if isinstance(one, Mapping)}
    words += [f"{name}: {_scores(one)}" for name, one in parts.items()]
    others = {name: one for name, one in scores.items() if name not in (*counted, *parts) and one is not None}
    return ", ".join([*words, *([readable(others)] if others else [])])
