"""What `ftrun init` remarks about a data file beside the experiment that it drafts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ftrun.scaffold.chat_log import ChatLog
from ftrun.scaffold.peek import Look

if TYPE_CHECKING:  # it imports us
    from ftrun.scaffold.gradable import Gradable
    from ftrun.scaffold.propose import Columns

HEADED = ("csv", "tsv", "xlsx")  # formats whose first line names the columns
FEWEST = 10  # training examples that providers ask for
LONGEST_NAME = 30  # characters; what is longer is hardly the name of a column


def remarks(
    look: Look, columns: Columns | None, log: ChatLog | None, gradable: Gradable | None, rows: int
) -> Iterator[str]:
    """Yield in sentences what was guessed about a file, and what it lacks; `rows` are the different ones."""
    if log is not None and log.guessed and log.roles is not None:
        asks, answers = log.roles["user"][0], log.roles["assistant"][0]
        yield f"By who speaks first, {asks!r} asks and {answers!r} answers. If not, mend `roles`."
    if log is not None and log.unknown:
        names = ", ".join(log.unknown[:5]) + (", …" if len(log.unknown) > 5 else "")
        yield f"Who speaks is not known of {names}: add them to `roles`, as user, assistant or system."
    if gradable is not None:
        yield (
            f"The chats end with a question, so a grader is to judge the answers: it compares them with "
            f"{gradable.field!r}. If that is wrong, mend `train.grader`."
        )
    elif look.chat and not any(map(_has_answer, look.rows)):
        yield (
            "No message is the assistant's, so there is nothing to imitate. Rows for a grader take "
            "`train: {method: reinforcement, grader: …}`."
        )
    if columns is not None and columns.guessed:
        yield (
            f"The column names say nothing, so by their content {columns.user!r} asks and "
            f"{columns.assistant!r} answers. If that is wrong: --user COLUMN --assistant COLUMN."
        )
        title = next((name for name in (columns.user, columns.assistant) if _is_sentence(name)), None)
        if title is not None and look.format in HEADED:
            yield (
                f"The first line is taken for names of columns, but “{title[:40]}” reads like a row. "
                "If it is one, put a line with names above it."
            )
    if look.guessed:
        first = " ".join(str(value) for value in look.rows[0].values())[:40]
        yield (
            f"The file is not UTF-8, and nothing proves what else: read as {look.encoding} its first row is "
            f"“{first}”. If that is not what it says, mend `encoding`."
        )
    elif look.encoding is not None:
        yield f"The file is {look.encoding}, not UTF-8; the experiment says so."
    if rows < FEWEST:
        yield (
            f"The file has {rows} different {'row' if rows == 1 else 'rows'}. Fine-tuning takes at least "
            f"{FEWEST} (`ftrun check` will say so), and 50 are a good beginning: add rows first."
        )
    elif rows <= FEWEST + 1:
        yield "All rows are training data: there are too few to keep some back for validation."


def _is_sentence(name: str) -> bool:
    return len(name) > LONGEST_NAME or name.rstrip().endswith((".", "?", "!", "。", "？", "！"))


def _has_answer(row: Mapping[str, Any]) -> bool:
    messages = row.get("messages")
    said = messages if isinstance(messages, list) else ()
    return any(isinstance(one, dict) and one.get("role") == "assistant" for one in said)
