"""Looking at the first lines of a table: what separates its columns, and which line names them.

A table that commas (in a .tsv: tabs) divide evenly is read with these, whatever else would do.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

LINES, CHARACTERS = 300, 300_000  # of the look: whichever is reached first ends it
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?\s*', re.IGNORECASE)  # what Excel reads and writes in a first line
LONGEST_NAME = 60  # characters of a column's name below a title
MOST_TITLES = 10  # lines above the header
NEARLY = 0.8  # of the records fit the header: the others are mistakes
INDEX = re.compile(r"\s*\d{1,18}(?:\.0)?\s*")

Record = tuple[int, list[str] | None]  # first line, values; None: its quotes are wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What separates the columns, and the line that names them.

    `unclear` are several separators that do equally well; `separator` is then one of them. `titled`: the
    lines above `header` have fewer values than the table.
    """

    separator: str
    header: int
    records: tuple[Record, ...]
    unclear: tuple[str, ...] = ()
    titled: bool = False


def first_lines(lines: Iterator[str]) -> tuple[list[str], bool]:
    """Return the lines to look at, and whether they are all there are."""
    found: list[str] = []
    size = 0
    for line in lines:
        found.append(line)
        size += len(line)
        if len(found) == LINES or size > CHARACTERS:
            return found, False
    return found, True


def separator_line(line: str) -> str | None:
    """Return the separator that a first line such as `sep=;` names, None if it names none."""
    found = SEP_LINE.fullmatch(line)
    return found[1] if found else None


def look_at(
    lines: Sequence[str],
    usual: str,
    *,
    whole: bool,
    start: int = 1,
    fixed: bool = False,
    thorough: bool = False,
) -> Look:
    """Return how the table that begins with `lines` is written; `usual` is the separator if it does.

    `whole`: they are all its lines; `start` is the number of the first one; `fixed`: it is `usual` for sure;
    `thorough`: other separators, and a title above a single column, are looked for even where `usual` does.
    """
    records = {usual: _records(lines, usual, start, whole=whole)}
    width, share = _fit(records[usual])
    alone = len(records[usual]) == 1 and width > 1  # a header without rows
    if fixed or alone or (width > 1 and share == 1 and not thorough):
        return _look(records, (usual,), titles=_titles(records) if width < 2 or share < 1 else {})
    records |= {mark: _records(lines, mark, start, whole=whole) for mark in SEPARATORS if mark != usual}
    fits = {mark: _fit(found) for mark, found in records.items()}
    wide = [mark for mark, (width, _) in fits.items() if width > 1]
    if even := [mark for mark in wide if fits[mark][1] == 1 and len(records[mark]) > 1]:
        most = max(fits[mark][0] for mark in even)
        settled = usual == "\t" and fits[usual][0] == most  # texts have commas, but no tabs
        return _look(records, [usual] if usual in even and settled else even)
    if not thorough and _reads(records[usual], usual):
        return _look(records, [usual])
    titles = _titles(records)
    near = [mark for mark in wide if fits[mark][1] >= NEARLY]
    return _look(records, list(titles) or (near or wide or [usual])[:1], titles=titles)


def _reads(records: Sequence[Record], usual: str) -> bool:
    """Return whether all records have one value, and the name above them has no separator but pipes."""
    names = [name for name in (records[0][1] or []) if name.strip()] if records else []
    single = len(names) == 1 and not any(mark in names[0] for mark in ",;\t" if mark != usual)
    return single and _fit(records) == (1, 1)


def _look(
    records: Mapping[str, list[Record]], good: Sequence[str], *, titles: Mapping[str, int] | None = None
) -> Look:
    chosen, titles = records[good[0]], titles or {}
    return Look(
        separator=good[0],
        header=titles.get(good[0]) or (chosen[0][0] if chosen else 1),
        records=tuple(chosen),
        unclear=tuple(good) if len(good) > 1 else (),
        titled=good[0] in titles,
    )


def _titles(records: Mapping[str, list[Record]]) -> dict[str, int]:
    """Return the line of the header below a title, by separator."""
    lines = {mark: _title(found) for mark, found in records.items()}
    known = {mark: line for mark, line in lines.items() if line is not None}
    # by a separator that is only in the texts, the first row would be the header
    return {mark: line for mark, line in known.items() if line == min(known.values())}


def _records(lines: Sequence[str], separator: str, start: int, *, whole: bool) -> list[Record]:
    """Return the records with a value; if there are more lines, without the last, which may be cut."""
    reader = csv.reader(iter(lines), delimiter=separator, strict=True)
    found: list[Record] = []
    while True:
        line = start + reader.line_num
        try:
            record = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if whole or "end of data" not in str(error):
                found.append((line, None))
            continue
        if any(value.strip() for value in record):
            found.append((line, record))
    return found if whole else found[:-1] or found


def trimmed(record: Sequence[str]) -> list[str]:
    """Return the values up to the last that is not blank."""
    named = len(record)
    while named and not record[named - 1].strip():
        named -= 1
    return list(record[:named])


def _fit(records: Sequence[Record]) -> tuple[int, float]:
    """Return how many columns the first record names, and which share of the others has as many values."""
    if not records or records[0][1] is None:
        return 0, 0.0
    names = trimmed(records[0][1])
    rest = records[1:]
    return len(names), sum(_fits(record, len(names)) for _, record in rest) / max(1, len(rest))


def _fits(record: Sequence[str] | None, width: int) -> bool:
    return record is not None and len(trimmed(record)) <= width <= len(record)


def _title(records: Sequence[Record]) -> int | None:
    """Return the line that names the columns if those above it have fewer values and all below it fit."""
    for index in range(1, min(MOST_TITLES + 1, len(records) - 1)):
        line, record = records[index]
        names = trimmed(record or [])
        above = max(len(list(filter(str.strip, one or []))) for _, one in records[:index])
        inside = names[1:] if names and not names[0].strip() else names  # an index has no name
        if above > max(1, len(names) - 2) or not 1 < len(names) == len({*names}):
            continue
        if not all(_is_name(name) for name in inside):
            continue
        if all(_fits(one, len(names)) for _, one in records[index + 1 :]):
            return line
    return None


def _is_name(text: str) -> bool:
    """Return whether a text can be a column's name: a row taken for the header has sentences and numbers."""
    plain = text.strip()
    ends_sentence = len(plain) > 1 and plain[-1] in ".!?。！？؟।"
    divided = any(mark in plain for mark in ";\t|")
    return 0 < len(plain) <= LONGEST_NAME and not (INDEX.fullmatch(plain) or ends_sentence or divided)


def nameless(header: Sequence[str]) -> list[int]:
    """Return the positions of the columns without a name."""
    return [index for index, name in enumerate(header) if not name.strip()]


def is_index(values: Sequence[str]) -> bool:
    """Return whether values number rows: whole numbers that differ, or that count up from the first again.

    Data frames that were put together, one below the other, have such numbers.
    """
    if not all(INDEX.fullmatch(value) for value in values if value.strip()):
        return False
    numbers = [int(float(value)) for value in values if value.strip()]
    different = len({*numbers})
    if different == len(numbers):
        return True
    counts = all(after > before or after == numbers[0] for before, after in itertools.pairwise(numbers))
    return counts and 4 * different >= len(numbers)


def is_outer_index(values: Sequence[str]) -> bool:
    """Return whether values are the outer level of an index: whole numbers that repeat, and count up."""
    whole = all(INDEX.fullmatch(value) for value in values)
    return whole and all(float(before) <= float(after) for before, after in itertools.pairwise(values))
