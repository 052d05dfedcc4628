"""How bad findings are taken where the experiment says so: `data.checks` and `data.pii`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftrun.data.diagnostics.codes import CODES
from ftrun.data.diagnostics.findings import Severity
from ftrun.data.quality.pii import KINDS, actions
from ftrun.errors import ConfigError, Problem
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of

OF_ACTION: dict[str, Severity] = {"off": "off", "warn": "warning", "block": "error", "mask": "error"}


def severities(experiment: Experiment) -> dict[str, Severity]:
    """Return, by code, how bad findings are that are not taken as the table has them.

    ConfigError with every code of `data.checks` that there is not, or that can't be set there.
    """
    problems = list(_problems(experiment))
    if problems:
        raise ConfigError(problems[0].message, problems=problems)
    taken: dict[str, Severity] = {**experiment.data.checks}
    done = actions(experiment.data.pii)
    # what a mask did not catch must not be sent
    return taken | {f"pii_{kind}": OF_ACTION[done[kind]] for kind in KINDS}


def severity_inputs(experiment: Experiment) -> dict[str, Any]:
    """Return, ready for JSON, what the experiment says about severities; nothing if it says nothing."""
    severities(experiment)
    given = {"checks": dict(experiment.data.checks), "pii": experiment.data.pii}
    return {name: value for name, value in given.items() if value}


def _problems(experiment: Experiment) -> Iterator[Problem]:
    for code, severity in experiment.data.checks.items():
        where = place_of(experiment, "data", "checks", code)
        if code.startswith("pii_") and code in CODES:
            kind = code.removeprefix("pii_")
            hint = f"Say it in `data.pii: {{{kind}: off}}`: off, warn, block or mask."
            yield Problem(f"{code} is not set in `data.checks`", code="checks", hint=hint, **where)
        elif code not in CODES:
            yield Problem(f"there is no check {code!r}", code="checks", hint=_near(code), **where)
        elif CODES[code].severity == "error" and severity != "error":
            message = f"{code} stays an error: what has it can't be trained on"
            yield Problem(message, code="checks", hint=CODES[code].fix, **where)


def _near(code: str) -> str:
    import difflib  # only errors need it

    near = difflib.get_close_matches(code, list(CODES), n=1)
    return f"Did you mean {near[0]}?" if near else "Each finding ends with its code; docs/checks.md has all."
