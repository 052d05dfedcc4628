"""What `ftrun init` notes about a data file, besides the experiment that it drafts."""

from __future__ import annotations

from collections.abc import Iterator

from ftrun.protocol.spec import FEWEST_EXAMPLES
from ftrun.scaffold.data_file import DataFile
from ftrun.scaffold.shapes import Shape, messages_in

HEADED = ("csv", "tsv", "xlsx")  # formats whose first line names the columns
LONGEST_NAME = 30  # characters; what is longer is hardly the name of a column


def notes(file: DataFile, shape: Shape, reference: str | None, rows: int) -> Iterator[str]:
    """Yield as sentences what was guessed about a file and what it lacks.

    `reference` is the field that a grader compares answers with; `rows` counts the different ones.
    """
    roles = shape.source.get("roles")
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
    if shape.guessed and shape.columns and not roles:
        yield from _guessed_columns(file, str(shape.columns["user"]), str(shape.columns["assistant"]))
    if file.unsure:
        first = " ".join(str(value) for value in file.rows[0].values())[:40]
        yield (
            f"The file is not UTF-8, and its encoding is a guess: read as {file.encoding}, its first row is "
            f"“{first}”. If that is not what it says, fix `encoding`."
        )
    elif file.encoding is not None:
        yield f"The file is {file.encoding}, not UTF-8; the experiment says so."
    if rows < FEWEST_EXAMPLES:
        yield (
            f"The file has {rows} different {'row' if rows == 1 else 'rows'}. Fine-tuning needs at least "
            f"{FEWEST_EXAMPLES} (`ftrun check` says so, too), and 50 are a good start: add rows first."
        )
    elif rows <= FEWEST_EXAMPLES + 1:
        yield "All rows are training data: there are too few to hold some back for validation."


def _guessed_columns(file: DataFile, user: str, assistant: str) -> Iterator[str]:
    yield (
        f"The column names say nothing, so by their content {user!r} asks and {assistant!r} answers. "
        "If that is wrong: --user COLUMN --assistant COLUMN."
    )
    title = next((name for name in (user, assistant) if _is_sentence(name)), None)
    if title is not None and file.format in HEADED:
        yield (
            f"The first line is taken for the column names, but “{title[:40]}” reads like a row. "
            "If it is one, add a line with names above it."
        )


def _is_sentence(name: str) -> bool:
    return len(name) > LONGEST_NAME or name.rstrip().endswith((".", "?", "!", "。", "？", "！"))
