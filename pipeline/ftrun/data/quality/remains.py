"""Checks for what other programs left in texts: HTML, runs of tabs, signs for pictures, old separators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ftrun.data.quality.pii import excerpt
from ftrun.data.quality.placeholders import is_program, without_code
from ftrun.data.texts.markup import MEDIA, PASTED, TAB_RUN, first_markup, old_marks
from ftrun.protocol.faults import Fault
from ftrun.protocol.texts import Text, is_answer, texts_of


def html_left(text: Text) -> Iterator[Fault]:
    """Yield an answer with tags or entities of HTML outside code."""
    if is_answer(text) and ("<" in text.text or "&" in text.text):
        bare = without_code(text.text)
        found = first_markup(bare)
        if found and not is_program(bare):
            message = f"the answer has HTML: {found[0][:24]} in {excerpt(text.text, found.start())}"
            yield Fault("html", message, text.field)


def tab_runs(text: Text) -> Iterator[Fault]:
    """Yield an answer with tabs between values, as a table that was pasted leaves them."""
    if is_answer(text) and "\t" in text.text:
        bare = without_code(text.text)
        found = TAB_RUN.search(bare) or PASTED.search(bare)
        if found and not is_program(bare):
            message = f"tabs are between the words of {excerpt(text.text, found.start())}"
            yield Fault("tabs", message, text.field)


def media_signs(text: Text) -> Iterator[Fault]:
    """Yield a text with a sign such as <image>, which is trained as these characters."""
    found = MEDIA.search(without_code(text.text)) if "<" in text.text or "[" in text.text else None
    if found:
        message = f"{found[0]} is trained as text: no picture, video or sound is put in its place"
        yield Fault("image_token", message, text.field)


def may_have_marks(texts: Iterable[str]) -> bool:
    """Return quickly whether `separators` could find something in any of these texts."""
    return any(text.rstrip().endswith(("###", "->", " END")) for text in texts)


def separators(row: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield the marks of the first fine-tuning tool around the last prompt and answer of a row."""
    before = None
    for text in texts_of(row):
        if is_answer(text) and before is not None:
            marks = old_marks(before.text, text.text)
            if marks:
                named = ", ".join(f"“{one.encode('unicode_escape').decode()}”" for one in marks)
                message = (
                    f"{named} around prompt and answer: marks of the first fine-tuning tool (prepare_data)"
                )
                yield Fault("old_separators", message, text.field)
                return
        if not is_answer(text):
            before = text
