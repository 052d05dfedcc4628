"""The words of a text, also in scripts that put no spaces between them.

`words_of` needs no package and takes each character of such scripts as a word. `dictionary_words` finds
Japanese ones with SudachiPy; loading its dictionary takes a moment, so that only ROUGE does it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from ftrun.scoring.types import Sample

if TYPE_CHECKING:
    from sudachipy import Tokenizer

# Han, kana with their marks, Thai, Lao, Burmese, Khmer
UNSPACED = (
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u309f\u30a1-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
)
ONE_UNSPACED = re.compile(f"[{UNSPACED}]")
WORD = re.compile(rf"[{UNSPACED}]|(?:(?![{UNSPACED}])[^\W_])+")
RUN = re.compile(rf"[{UNSPACED}]+|(?:(?![{UNSPACED}])[^\W_])+")
LETTER = re.compile(r"[^\W\d_]")
PIECE = 10_000  # characters that Sudachi gets at once: it takes at most 49,149 bytes


def words_of(text: str) -> list[str]:
    """Return words in lower case, without punctuation; in scripts without spaces each character is one."""
    return WORD.findall(unicodedata.normalize("NFKC", text).lower())


def dictionary_words(text: str) -> list[str]:
    """Return words in lower case, without punctuation; those of Japanese as SudachiPy divides them (mode A).

    Of a text in ASCII these are the words of rouge-score's own tokenizer without stemming.
    """
    return [
        word for run in RUN.findall(unicodedata.normalize("NFKC", text).lower()) for word in _divided(run)
    ]


def _divided(run: str) -> Iterator[str]:
    if ONE_UNSPACED.match(run) is None:
        yield run
        return
    for start in range(0, len(run), PIECE):
        for found in _sudachi().tokenize(run[start : start + PIECE]):
            yield found.surface()


@lru_cache(maxsize=1)
def _sudachi() -> Tokenizer:
    from sudachipy import Dictionary, SplitMode

    return Dictionary(dict="small").tokenizer(mode=SplitMode.A)


def mostly_unspaced(samples: Sequence[Sample]) -> bool:
    """Return whether most letters of the references belong to scripts without spaces between words."""
    text = "".join(one.reference or "" for one in samples)
    return 2 * len(ONE_UNSPACED.findall(text)) > len(LETTER.findall(text))
