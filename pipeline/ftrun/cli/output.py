"""Print results as JSON and failures as messages, and turn exceptions into exit codes.

Expected errors show no traceback; a bug says where its log file is.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ftrun.errors import FtrunError, InterruptError, PendingError, Problem, UsageError
from ftrun.files import FULL
from ftrun.redaction import hide
from ftrun.text import visible

MOST_PROBLEMS = 50  # shown in the terminal; --json has them all


def report_failure(error: BaseException, words: Sequence[str]) -> int:
    """Print `error` (as JSON if `--json` is among the arguments `words`) and return the exit code."""
    if isinstance(error, SystemExit):  # click exits so when the reader of a pipe has gone
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, BrokenPipeError):
        return 1
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, click.exceptions.NoArgsIsHelpError) and "--json" not in words:
        print(error.format_message(), file=sys.stderr)
        return error.exit_code
    expected = _expected(error)
    if expected is None:
        return _report_bug(error, words)
    if "--json" in words:
        print_json(failure_document(expected))
    else:
        print_problems(expected)
    return expected.exit_code


def failure_document(error: FtrunError) -> dict[str, Any]:
    """Return the JSON document of a failure: `error` is the first problem, `errors` all of them."""
    document = getattr(error, "document", None) or {}
    return {
        **document,
        "error": error.problem.as_dict(),
        "errors": [problem.as_dict() for problem in error.problems],
    }


def print_json(document: Any) -> None:
    """Write one JSON document to stdout."""
    print(json_text(document, indent=2), flush=True)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Return JSON for stdout, with escapes if stdout's encoding lacks a character."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def _expected(error: BaseException) -> FtrunError | None:
    """Return the expected error that `error` stands for; None if it is a bug."""
    if isinstance(error, FtrunError):
        return error
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return InterruptError("Interrupted.", code="interrupted")
    if isinstance(error, click.UsageError):
        from ftrun.cli.usage_errors import explained

        return explained(error)
    if isinstance(error, click.ClickException):
        return UsageError(error.format_message(), code="usage")
    if isinstance(error, OSError) and (error.filename is not None or error.errno in FULL):
        return FtrunError(
            f"{error.strerror}: {error.filename or 'what is printed'}",
            code="os_error",
            file=None if error.filename is None else str(error.filename),
            hint="Free some space or fix the permissions, then run the same command again: nothing was lost.",
        )
    return None


def print_problems(error: FtrunError, *, said: str | None = None) -> None:
    """Write every problem of `error` to stderr, with its place and how to fix it; not the tip that was `said`
    just before.

    What the user asked for, such as to leave a job to itself or to stop, is not called an error.
    """
    label = "" if isinstance(error, (PendingError, InterruptError)) else "ERROR: "
    shown = error.problems[:MOST_PROBLEMS]
    if str(error) != shown[0].message:
        print(visible(str(error)), file=sys.stderr)
    before = said
    for problem in shown:
        _print_problem(problem, label=label, with_hint=problem.hint != before)
        before = problem.hint
    if len(error.problems) > len(shown):
        print(f"… and {len(error.problems) - len(shown)} more (all of them with --json)", file=sys.stderr)


def _print_problem(problem: Problem, *, label: str, with_hint: bool) -> None:
    print(f"{label}{visible(str(problem), keep_newlines=True)}", file=sys.stderr)
    if problem.hint and with_hint:
        print(f"  tip: {visible(problem.hint, keep_newlines=True)}", file=sys.stderr)


def _report_bug(error: BaseException, words: Sequence[str]) -> int:
    import tempfile
    import traceback

    descriptor, name = tempfile.mkstemp(prefix="ftrun-bug-", suffix=".log")
    with os.fdopen(descriptor, "w", encoding="utf-8") as log:
        log.write(hide("".join(traceback.format_exception(error))))
    message = f"This is a bug in ftrun ({type(error).__name__}). Details: {Path(name)}"
    if "--json" in words:
        print_json(failure_document(FtrunError(message, code="bug")))
    else:
        print(f"ERROR: {message}", file=sys.stderr)
    return 3
