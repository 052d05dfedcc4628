"""Proposing an experiment for a data file that nobody described: shape, method, split, questions, notes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ftrun.data.readers.sources import EXPORTS
from ftrun.errors import DataError
from ftrun.langid.majority import main_language
from ftrun.protocol.spec import CHAT_KEYS, FEWEST_EXAMPLES, LEGACY_KEYS, PREFERENCE_KEYS, Method
from ftrun.protocol.training_rows import IMAGE_KEYS
from ftrun.scaffold import names
from ftrun.scaffold.chat_exports import export_notes, export_shape
from ftrun.scaffold.data_file import DataFile, read_data_file, unusable
from ftrun.scaffold.judging import Judging, judging_of
from ftrun.scaffold.names import find_column, plain_name
from ftrun.scaffold.shapes import (
    Shape,
    find_classified,
    find_log,
    find_preferences,
    find_question_answer,
    is_ready_preference,
    messages_in,
    ready_rows,
    speaker_and_text,
)
from ftrun.scaffold.siblings import Siblings, siblings_of

FIELD = re.compile(r"[A-Za-z_]\w*")  # what a grader's template can name
LONGEST_EXACT = 40  # characters: longer answers are hardly given word for word
MOST_NAMED = 12  # columns or files in a note
HEADED = ("csv", "tsv", "xlsx")  # formats whose first line names the columns
LONGEST_NAME = 30  # characters; what is longer is hardly the name of a column


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an experiment on this file should say.

    `reference` is the field of each row that a grader compares answers with, None without a grader; `exact`:
    its values are short enough for equality. `remote` says what in the rows the engine on this machine can't
    train on, None if it can. `validation` is a share, a count, or None for no split. `spoken` is the language
    of the rows, None if it is not clear, `unused` are columns, `held_out` files beside it.
    """

    file: DataFile
    shape: Shape
    method: Method
    reference: str | None
    exact: bool
    remote: str | None
    rows: int
    validation: float | int | None
    spoken: str | None
    unused: tuple[str, ...]
    held_out: Mapping[str, tuple[Path, ...]]
    judging: Judging
    notes: tuple[str, ...]


def propose(
    file: DataFile, *, user: str | None = None, assistant: str | None = None, persona: str | None = None
) -> Proposal:
    """Return what to make of a file; `user` and `assistant` name columns that the caller knows.

    `persona` is the speaker of a chat export that the model should learn to be.

    DataError lists the columns if it is unclear which of them to use.
    """
    shape = export_shape(file, persona) if file.format in EXPORTS else _shape(file, user, assistant)
    distinct = list(dict.fromkeys(shape.pairs))
    reference = _reference(file)
    method: Method = "reinforcement" if reference else shape.method
    remote = _remote(file, method)
    unused = _unused(file, shape, reference)
    beside = siblings_of(file.path)
    held_out = _held_out(file, shape, beside)
    exact = reference is not None and all(len(str(row[reference])) <= LONGEST_EXACT for row in file.rows)
    return Proposal(
        file=file,
        shape=shape,
        method=method,
        reference=reference,
        exact=exact,
        remote=remote,
        rows=len(distinct),
        validation=_validation(len(distinct)),
        spoken=main_language(text for pair in shape.pairs for text in pair),
        unused=unused,
        held_out=held_out,
        judging=judging_of(
            shape,
            method,
            file.rows if file.format not in EXPORTS else (),
            distinct=len(distinct),
            exact=exact if reference is not None else None,
            own_test="test" in held_out,
        ),
        notes=(
            *_notes(file, shape, reference, len(distinct), held_out),
            *_unused_notes(unused),
            *_sibling_notes(beside, held_out),
        ),
    )


def _shape(file: DataFile, user: str | None, assistant: str | None) -> Shape:
    given = [name for name in (user, assistant) if name is not None]
    for name in given:
        if file.chat or name not in file.columns:
            raise _unknown_column(file, name)
    if file.chat or (not given and all(map(is_ready_preference, file.rows))):
        return ready_rows(file)
    if len(given) == 2 and user == assistant:
        raise _unclear(file, f"{user!r} can't be both the question and the answer")
    found = None
    if not given:
        asks = find_column(file.columns, names.USER)
        both = asks is not None and find_column(file.columns, names.ASSISTANT, asks) is not None
        found = (None if both else find_log(file)) or find_preferences(file) or find_classified(file)
    found = found or find_question_answer(file, user, assistant)
    if found is None:
        raise _unclear(file, "it is unclear which columns are the question and the answer")
    return found


def _unknown_column(file: DataFile, name: str) -> DataError:
    near = difflib.get_close_matches(name, file.columns, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    hint += f"Columns: {', '.join(file.columns)}."
    if file.chat:
        hint = "The rows are ready chats: leave out --user and --assistant."
    return unusable(file.path, f"there is no column {name!r}", "missing_column", hint)


def _unclear(file: DataFile, message: str) -> DataError:
    hint = f"Name them: --user COLUMN --assistant COLUMN. Columns: {', '.join(file.columns) or 'none'}."
    if (said := speaker_and_text(file)) is not None:
        hint = (
            f"It looks like a chat log: {said[0]!r} says who speaks, {said[1]!r} what. Add a column "
            "`conversation` that is the same in all rows of a conversation, and run init again."
        )
    return unusable(file.path, message, "ambiguous_columns", hint)


def _reference(file: DataFile) -> str | None:
    """Return the field that a grader can compare with, if the chats end with a question and it is clear."""
    chats = [messages_in(row) for row in file.rows]
    if not all(messages and messages[-1].get("role") == "user" for messages in chats):
        return None
    fields = [name for name in file.columns if name not in CHAT_KEYS and FIELD.fullmatch(name)]
    values = {name: [row.get(name) for row in file.rows] for name in fields}
    fields = [name for name in fields if all(isinstance(one, str | int | float) for one in values[name])]
    fields = [name for name in fields if all(str(one).strip() for one in values[name])]
    return find_column(fields, names.REFERENCE) or (fields[0] if len(fields) == 1 else None)


def _remote(file: DataFile, method: Method) -> str | None:
    """Return what the engine on this machine can't train on, None if it can train on the rows."""
    if method != "supervised":
        return "preferences" if method == "dpo" else "rows for a grader"
    for row in file.rows if file.chat else ():
        messages = messages_in(row)
        if any(one.get("tools") or one.get("tool_calls") or one.get("functions") for one in (row, *messages)):
            return "tools"
        parts = [part for one in messages if isinstance(one.get("content"), list) for part in one["content"]]
        if any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts):
            return "images"
    return None


def _validation(rows: int) -> float | int | None:
    """Return what to hold back: a tenth, less where training would fall below the minimum, None at last."""
    if rows >= 2 * FEWEST_EXAMPLES:
        return 0.1
    return min(2, rows - FEWEST_EXAMPLES) if rows > FEWEST_EXAMPLES + 1 else None


def _unused(file: DataFile, shape: Shape, reference: str | None) -> tuple[str, ...]:
    """Return the columns that the experiment doesn't use."""
    if file.format in EXPORTS or reference is not None:
        return ()
    used = {*CHAT_KEYS, *PREFERENCE_KEYS, *LEGACY_KEYS} if shape.columns is None else set()
    used |= {str(column) for column in (shape.columns or {}).values()}
    used |= {str(shape.source.get(key)) for key in ("group_by", "order_by")}
    where = str(shape.source.get("where") or file.reading.where or "")
    said = set(re.findall(r"\w+", where)) | set(re.findall(r"'([^']+)'", where))
    return tuple(name for name in file.columns if name not in used and name not in said)


def _unused_notes(unused: Sequence[str]) -> Iterator[str]:
    if not unused:
        return
    pictures = [name for name in unused if plain_name(name) in IMAGE_KEYS]
    shown = ", ".join(map(repr, unused[:MOST_NAMED])) + (", …" if len(unused) > MOST_NAMED else "")
    yield f"Not used: {shown}. To use a column, name it in a template of `prompt`: {{{{ column }}}}."
    if pictures:
        yield f"The pictures of {pictures[0]!r} are not used: models here learn texts alone."


def _held_out(file: DataFile, shape: Shape, beside: Siblings) -> dict[str, tuple[Path, ...]]:
    """Return the files beside this one whose rows are held out; those that can be read as it is."""
    needed = {str(column) for column in (shape.columns or {}).values() if column}
    found = {}
    for role, paths in (("validation", beside.validation), ("test", beside.test)):
        usable = tuple(path for path in paths if _reads_alike(path, file, needed))
        if usable:
            found[role] = usable
    return found


def _reads_alike(path: Path, file: DataFile, needed: set[str]) -> bool:
    try:
        other = read_data_file(
            path, encoding=file.encoding, sheet=file.sheet, query=file.query, asked=file.source_keys
        )
    except DataError:
        return False
    same = other.chat == file.chat and other.reading.shape == file.reading.shape
    return same and needed <= set(other.columns) and other.format == file.format


def _sibling_notes(beside: Siblings, held_out: Mapping[str, tuple[Path, ...]]) -> Iterator[str]:
    for role, paths in held_out.items():
        listed = ", ".join(path.name for path in paths)
        yield f"Beside the file: {listed}. The experiment holds these rows out (`split.{role}`)."
    for path in (*beside.validation, *beside.test):
        if not any(path in paths for paths in held_out.values()):
            yield f"{path.name} is beside the file, but not used: its rows are not like those of the file."
    if beside.more:
        more = ", ".join(path.name for path in beside.more[:MOST_NAMED])
        yield f"Other parts of these data are not used: {more}. A `path` such as train-*.jsonl takes all."


def _notes(
    file: DataFile,
    shape: Shape,
    reference: str | None,
    rows: int,
    held_out: Mapping[str, tuple[Path, ...]],
) -> Iterator[str]:
    """Yield as sentences what was guessed about a file and what it lacks.

    `reference` is the field that a grader compares answers with; `rows` counts the different ones; `held_out`
    are files beside it.
    """
    yield from file.remarks
    yield from file.reading.notes
    yield from shape.notes
    if shape.columns and sorted(shape.labels) == [str(number) for number in range(len(shape.labels))] != []:
        label = shape.columns["assistant"]
        names_of = ", ".join(f"'name of {number}'" for number in range(len(shape.labels)))
        yield (
            f"The labels of {label!r} are numbers, and names teach more: set `assistant` to "
            f'"{{{{ [{names_of}][row[{label!r}] | int] }}}}", and write the names into the system prompt.'
        )
    if file.format in EXPORTS:
        yield from export_notes(file, shape)
    roles = None if file.format in EXPORTS else shape.source.get("roles")
    if shape.guessed and roles:
        asks, answers = roles["user"][0], roles["assistant"][0]
        yield f"By who speaks first, {asks!r} asks and {answers!r} answers. If not, fix `roles`."
    if shape.unknown:
        names = ", ".join(shape.unknown[:5]) + (", …" if len(shape.unknown) > 5 else "")
        yield f"The role of {names} is unknown: add them to `roles`, as user, assistant or system."
    if reference is not None:
        yield (
            "The chats end with a question, so a grader will judge the answers: it compares them with "
            f"{reference!r}. If that is wrong, fix `train.grader`."
        )
    elif file.chat and not any(
        one.get("role") == "assistant" for row in file.rows for one in messages_in(row)
    ):
        yield (
            "No message is from the assistant, so there is nothing to imitate. Rows for a grader need "
            "`train: {method: reinforcement, grader: …}`."
        )
    if shape.guessed and shape.columns and not roles and file.format not in EXPORTS:
        yield from _guessed_columns(file, str(shape.columns["user"]), str(shape.columns["assistant"]))
    if file.encoding is not None:
        yield f"The file is {file.encoding}, not UTF-8; the experiment says so."
    if rows < FEWEST_EXAMPLES:
        yield (
            f"The file has {rows} different {'row' if rows == 1 else 'rows'}. Fine-tuning needs at least "
            f"{FEWEST_EXAMPLES} (`ftrun check` says so, too), and 50 are a good start: add rows first."
        )
    elif rows <= FEWEST_EXAMPLES + 1 and not held_out.get("validation"):
        yield "All rows are training data: there are too few to hold some back for validation."


def _guessed_columns(file: DataFile, user: str, assistant: str) -> Iterator[str]:
    yield (
        f"The column names say nothing, so by their content {user!r} asks and {assistant!r} answers. "
        "If that is wrong: --user COLUMN --assistant COLUMN."
    )
    for name in (user, assistant) if file.format in HEADED else ():
        if len(name) > LONGEST_NAME or name.rstrip().endswith((".", "?", "!", "。", "？", "！")):
            yield (
                f"The first line is taken for the column names, but “{name[:40]}” reads like a row. "
                "If it is one, add a line with names above it."
            )
            return
