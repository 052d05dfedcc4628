"""False alarms and hits of the checks that compare rows, on groups of rows in thirteen languages.

`relations-fine.jsonl` has groups that look like problems and are none. In `relations-true.jsonl` a row with
`hit` has that problem, and must be among the places of the finding.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ftrun.errors import Problem

from .conftest import Look

LOOKALIKES = Path(__file__).parents[1] / "lookalikes"
OTHER = {"few_examples", "unsupported_by_default"}  # no statement about how rows relate
MOST_FALSE, FEWEST_HITS = 0.02, 0.95
Group = list[dict[str, Any]]


def groups(name: str) -> dict[str, Group]:
    """Return the groups of a file of look-alikes."""
    found: dict[str, Group] = {}
    for line in (LOOKALIKES / name).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found.setdefault(row["group"], []).append(row)
    return found


def told_of(look: Look, group: Group) -> dict[str, Problem]:
    """Return what is found in the rows of a group, by code."""
    told = look({"messages": row["messages"]} for row in group)
    return {code: one for code, one in told.items() if code not in OTHER}


def lines_of(problem: Problem) -> set[int | None]:
    """Return the lines of a finding."""
    return {line for _, line in problem.places}


def test_the_corpus_is_large_enough() -> None:
    """At least two hundred rows in ten languages look like problems, and sixty are problems."""
    fine = [row for group in groups("relations-fine.jsonl").values() for row in group]
    true = [row for group in groups("relations-true.jsonl").values() for row in group if "hit" in row]
    assert len(fine) >= 200
    assert len({row["language"] for row in fine}) >= 10
    assert len(true) >= 60


def test_false_alarms_and_hits(look: Look) -> None:
    """At most one row in fifty is called a problem and is none; of the true ones nearly all are found."""
    false, rows, hits, wanted = Counter[str](), 0, Counter[str](), Counter[str]()
    for group in groups("relations-fine.jsonl").values():
        rows += len(group)
        for code, one in told_of(look, group).items():
            false[code] += len(one.places) or 1
    for group in groups("relations-true.jsonl").values():
        told = told_of(look, group)
        for line, row in enumerate(group, 1):
            if hit := row.get("hit"):
                wanted[hit] += 1
                hits[hit] += hit in told and line in lines_of(told[hit])
    table = [
        f"{code:16} {false[code]:4} of {rows} {hits[code]:4} of {wanted[code]}" for code in {*false, *wanted}
    ]
    print("\n".join(("code             false alarms   hits", *sorted(table))))
    assert false.total() <= MOST_FALSE * rows, false
    assert not false, false
    assert hits.total() >= FEWEST_HITS * wanted.total(), wanted - hits


def test_the_rows_of_many_templates_are_different(look: Look) -> None:
    """In one table of all groups no row is a near-duplicate, and `dedupe: near` leaves none out."""
    rows = [row for group in groups("relations-fine.jsonl").values() for row in group]
    assert "near_duplicates" not in told_of(look, rows)
    told = look(({"messages": row["messages"]} for row in rows), dedupe="near")
    assert "near_duplicates" not in told


def test_two_choices_of_many_do_not_contradict(look: Look) -> None:
    """Other lists, or other items where some of many are asked for, are good answers; other facts are not."""
    some = (
        ("Nenne drei Obstsorten.", "1. Apfel\n2. Birne\n3. Kirsche", "- Banane\n- Orange\n- Pflaume"),
        ("Cite deux fleuves.", "Le Rhin, la Loire", "La Seine, le Rhône"),
        ("Назови три города.", "Тула, Омск, Пермь", "Сочи, Псков, Казань"),
        ("果物を三つ挙げてください。", "りんご、梨、桃", "柿、みかん、ぶどう"),
        ("What goes into the bag?", "- a map\n- a torch", "1. bread\n2. water"),
    )
    facts = (("Wo ist die Kasse?", "Im Keller", "Am Eingang"),)
    for rows, contradict in ((some, False), (facts, True)):
        for asked, one, other in rows:
            chats = (
                [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
                for answer in (one, other)
            )
            assert ("contradiction" in look({"messages": chat} for chat in chats)) is contradict, asked
