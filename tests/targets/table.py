"""Writes the tables of docs/targets.md from the table of services: `python -m targets.table` in tests/."""

from __future__ import annotations

import json
from pathlib import Path

from ftrun.cost.availability import TABLE as ENDS
from ftrun.experiment import providers

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "targets.md"


def services_table() -> str:
    """Return the services as a Markdown table."""
    lines = ["| provider | service | address | key | otherwise | differs |", "|---|---|---|---|---|---|"]
    for name, entry in providers.table()["services"].items():
        address = entry.get("base_url") or "`endpoint` + /openai/v1"
        otherwise = ", ".join(f"{key}: {value}" for key, value in entry.get("capabilities", {}).items())
        cells = (
            f"`{name}`",
            entry["title"],
            address,
            f"`{entry['api_key_env']}`",
            otherwise,
            entry["differs"],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def capabilities_table() -> str:
    """Return the capabilities as a Markdown table."""
    lines = ["| key | usual | otherwise | which means |", "|---|---|---|---|"]
    for name, about in providers.table()["protocol"].items():
        usual, other = about["values"]
        lines.append(f"| `{name}` | {usual} | {other} | {about['meaning']} |")
    return "\n".join(lines) + "\n"


def ends_table() -> str:
    """Return until when models can be used as a Markdown table, a row for what ends on the same days."""
    table = json.loads(ENDS.read_text(encoding="utf-8"))
    lines = ["| service | models | training | answers | source |", "|---|---|---|---|---|"]
    for entry in table.values():
        rows: dict[tuple[str, str], list[str]] = {}
        for model, known in entry["models"].items():
            days = known.get("training") or entry["training"], known["answers"]
            rows.setdefault(days, []).append(f"`{model}`")
        before = "not before " if entry["not_before"] else "until "
        source = f"{entry['publisher']}'s page of {entry['published']}, read on {entry['read']}"
        for (training, answers), models in rows.items():
            cells = (entry["title"], ", ".join(models), before + training, before + answers, source)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def with_tables(document: str) -> str:
    """Return the document with the tables between their marks."""
    tables = {"services": services_table(), "capabilities": capabilities_table(), "ends": ends_table()}
    for name, table in tables.items():
        begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
        before, rest = document.split(begin)
        document = before + begin + table + end + rest.split(end)[1]
    return document


if __name__ == "__main__":
    DOCUMENT.write_text(with_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
