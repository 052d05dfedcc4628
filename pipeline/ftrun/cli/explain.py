"""`ftrun explain CODE`: what a finding, an error or an exit code means, an example, and how to fix it.

The explanations are the sections of docs/checks.md and docs/errors.md, which ship with the package.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from ftrun.cli.completion import complete_code
from ftrun.cli.options import json_option
from ftrun.cli.output import print_json
from ftrun.errors import UsageError
from ftrun.language import localized_part, phrase, screen_language, verbatim

DOCUMENTS = {"checks.md": "finding", "errors.md": "error"}
SECTION = re.compile(r"^### (\w+)\n(.*?)(?=^##|\Z)", re.MULTILINE | re.DOTALL)
SEVERITY = re.compile(r"(Error|Warning|Note)\. ")
EXAMPLE, FIX = "- Example: ", "- Fix: "
LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a code means. `kind` is finding, error or exit code; `severity` is that of a finding."""

    code: str
    kind: str
    severity: str | None
    meaning: str
    example: str
    fix: str


@click.command(name="explain")
@click.argument("code", required=False, shell_complete=complete_code)
@json_option
def command(code: str | None, as_json: bool) -> int:
    """Explain CODE: a finding of `ftrun check`, an error's code, or an exit code. Without CODE, list all."""
    known = explanations()
    if code is None:
        if as_json:
            print_json({"codes": sorted(known)})
        else:
            print(verbatim("\n".join(_listed(known))))
            print("\n`ftrun explain CODE` shows an example and the fix.")
        return 0
    found = known.get(code.strip().strip("[]`").lower().replace("-", "_"))
    if found is None:
        raise _unknown(code, known)
    if as_json:
        print_json({"code": found[0].code, "explanations": [asdict(one) for one in found]})
    else:
        print(verbatim("\n\n".join(_text(one, screen_language()) for one in found)))
    return 0


def explanations() -> dict[str, list[Explanation]]:
    """Return what each code means; a code may be both a finding and an error."""
    found: dict[str, list[Explanation]] = {}
    for document, kind in DOCUMENTS.items():
        for code, section in SECTION.findall(_document(document)):
            found.setdefault(code, []).append(_explanation(code, kind, section))
    return found


def _document(name: str) -> str:
    """Return the text of a document; works from a wheel and from a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "docs" / name
    path = installed if installed.is_file() else package.parents[1] / "docs" / name
    return path.read_text(encoding="utf-8")


def _explanation(code: str, kind: str, section: str) -> Explanation:
    lines = [LINK.sub(r"\1", line) for line in section.strip().splitlines() if line.strip()]
    meaning = "\n".join(line for line in lines if not line.startswith((EXAMPLE, FIX)))
    severity = SEVERITY.match(meaning) if kind == "finding" else None
    return Explanation(
        code=code,
        kind="exit code" if code.isdigit() else kind,
        severity=severity[1].lower() if severity else None,
        meaning=meaning[severity.end() :] if severity else meaning,
        example=_value(lines, EXAMPLE),
        fix=_value(lines, FIX),
    )


def _value(lines: list[str], start: str) -> str:
    return next((line.removeprefix(start) for line in lines if line.startswith(start)), "")


def _text(one: Explanation, language: str) -> str:
    """Return an explanation, its labels and its fix in a language; meaning and example are in English."""
    kind, example, fix = (
        localized_part(word, language) for word in (one.severity or one.kind, "Example", "Fix")
    )
    lines = (
        f"{one.code} ({kind})",
        one.meaning,
        f"{example}: {one.example}",
        f"{fix}: {phrase(one.fix, language)}",
    )
    return "\n  ".join(lines)


def _listed(known: Mapping[str, list[Explanation]]) -> list[str]:
    return [f"{code:<24} {found[0].meaning.splitlines()[0]}" for code, found in known.items()]


def _unknown(code: str, known: Mapping[str, list[Explanation]]) -> UsageError:
    near = difflib.get_close_matches(code.lower(), known, n=3, cutoff=0.6)
    message = f"there is no code {code!r}"
    if not near:
        return UsageError(message, code="usage", hint="`ftrun explain` lists all codes.")
    return UsageError(
        message, code="usage", hint=f"Did you mean {', '.join(near)}? `ftrun explain` lists all."
    )
