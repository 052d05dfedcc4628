"""When two texts count as equal although they are written differently."""

from __future__ import annotations

import unicodedata


def normalised(text: str, *, case: bool = True) -> str:
    """Return a text's normal form: NFKC (full-width and half-width forms become one, `①` becomes `1`), each
    run of whitespace one space, none around it; without `case` also folded case.
    """
    form = " ".join(unicodedata.normalize("NFKC", text).split())
    # folding may undo the composition
    return form if case else unicodedata.normalize("NFKC", form.casefold())
