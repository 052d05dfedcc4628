"""How names of columns are compared: without case, width, spaces and punctuation."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

# what a name may have around the word that matters: ご質問内容, question_text, answers
AROUND = re.compile(r"^[ごお御](?=..)|(?<=..)(?:内容|本文|文章|文|テキスト|text|message|s)$")


def known(plain: Mapping[str, str], names: str, *taken: str | None) -> str | None:
    """Return the column that has the first of `names` (as `plain_name` spells them) that is there.

    `plain` gives each column's plain name; those that are `taken` are left alone. Only where no column is
    called so, one that has such a name in it is taken.
    """
    free = {column: spelled for column, spelled in plain.items() if column not in taken}
    for spelling in (free, {column: AROUND.sub("", spelled) for column, spelled in free.items()}):
        for name in names.split():
            found = next((column for column, spelled in spelling.items() if spelled == name), None)
            if found is not None:
                return found
    return None


def plain_name(name: str) -> str:
    """Return `name` without case, width, spaces and punctuation: `Ｑ．` and `q` are one name."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in text if character.isalpha() or character == "ー")
