"""Saying what makes a text not JSON: quotes of word processors, Python's repr, comments, commas too many.

Each is named with a way out that works on the whole file. Nothing is ever changed by itself.
"""

from __future__ import annotations

import ast
import html
import json
import re
from typing import NamedTuple

SPACE = " \t\r\n"
QUOTES = "“”„‟«»‹›＂″〝〞"
SINGLE = "'‘’‚‛`"
FULL_WIDTH = "：，｛｝［］"
NEW = "< OLD.jsonl > NEW.jsonl"
EACH = "for line in sys.stdin if line.strip()"
COMMAS = (
    'python3 -X utf8 -c "import sys; '
    f"sys.stdout.writelines(line.strip().removesuffix(',') + chr(10) {EACH})\" {NEW}"
)
REPR = (
    'python3 -X utf8 -c "import ast, json, sys; '
    f'[print(json.dumps(ast.literal_eval(line), ensure_ascii=False)) {EACH}]" {NEW}'
)
WHOLE_REPR = (
    'python3 -X utf8 -c "import ast, json, sys; '
    f'json.dump(ast.literal_eval(sys.stdin.read().strip()), sys.stdout, ensure_ascii=False)" {NEW}'
)
STRAIGHT = (
    'python3 -X utf8 -c "import sys; '
    f"sys.stdout.write(sys.stdin.read().translate(dict.fromkeys(map(ord, '{QUOTES}'), chr(34))))\" {NEW}"
)
UNESCAPED = f'python3 -X utf8 -c "import html, sys; sys.stdout.write(html.unescape(sys.stdin.read()))" {NEW}'
STRUCTURAL = re.compile(r"(?<=[{\[,:])\s*[“”„]|[“”](?=\s*[:,}\]])")
WORD = re.compile(r"[A-Za-z_]\w*")
KEY = re.compile(r"[\w$-]+\s*:")


class Cause(NamedTuple):
    """What is wrong, in words that follow "this is not JSON: ", at which offset, and what to do about it."""

    words: str
    offset: int
    hint: str | None = None


def cause_of(error: ValueError, text: str, *, row: bool) -> Cause:
    """Return what is wrong with `text`, which a decoder refused with `error`.

    `row`: it is one line of a file whose lines are read each by itself.
    """
    offset = getattr(error, "pos", 0)
    words = getattr(error, "msg", str(error))
    before = text[:offset].rstrip(SPACE)
    for look in (_start, _foreign, _mixed, _comma, _comment, _string if row else _character, _bare):
        found = look(text, min(offset, len(text)), before, words)
        if found is not None:
            return found if row else found._replace(hint=_for_whole_file(found.hint))
    if (words.startswith("Unterminated") or offset >= len(text.rstrip(SPACE))) and text.strip(SPACE):
        last = max(0, len(text.rstrip(SPACE)) - 1)
        if row:
            words = "the object does not end: it is cut short, or spread over several lines"
            return Cause(words, last, "Write each object on one line, whole.")
        return Cause("the file ends too early: it is cut short", last, "Save or download it again.")
    return Cause(f"{words[:1].lower()}{words[1:]}", offset)


def _for_whole_file(hint: str | None) -> str | None:
    return (
        None
        if hint is None
        else hint.replace(REPR, WHOLE_REPR).replace("OLD.jsonl", "OLD.json").replace("NEW.jsonl", "NEW.json")
    )


def _start(text: str, offset: int, before: str, words: str) -> Cause | None:
    """Recognise a line, or a file, that does not even begin as JSON does."""
    here = text[offset : offset + 1]
    if before or not (here.isalnum() or here == "<"):
        return None
    hint = "It looks like a web page: download the file itself." if here == "<" else None
    return Cause("it does not begin with { or [", offset, hint)


def _foreign(text: str, offset: int, before: str, words: str) -> Cause | None:
    """Recognise a character, where a value or a name must begin, that JSON does not have."""
    here = text[offset : offset + 1]
    rest = text[offset : offset + 6]
    if not here:
        return None
    if here in QUOTES:
        return _typographic(here, offset)
    if here in SINGLE:
        return _python(text, offset, f'the quotes are single ({here}), JSON has double ones (")')
    if rest == html.escape('"') or rest.startswith(("&#34;", "&amp;q")):
        return Cause(
            f"the quotes are written as HTML ({rest.split(';')[0]};)", offset, f"Undo it: {UNESCAPED}"
        )
    if here == "\ufeff":
        words = "there is a byte order mark in the middle of the file, as if files had been joined"
        return Cause(words, offset, "Delete the character U+FEFF, or join the files without their marks.")
    if here in FULL_WIDTH:
        return Cause(f"{here} is a full-width character; JSON has the narrow one", offset)
    if here.isspace() and here not in SPACE:
        return Cause(f"U+{ord(here):04X} is a space that JSON does not have", offset, "Write a plain space.")
    return None


def _typographic(here: str, offset: int) -> Cause:
    hint = f"Save it with straight quotes; where no text has such quotes inside, this turns them: {STRAIGHT}"
    return Cause(f'the quotes are typographic ({here}), not straight (")', offset, hint)


def _mixed(text: str, offset: int, before: str, words: str) -> Cause | None:
    """Recognise a typographic quote that was meant to end, or begin, a text with a straight one."""
    if not words.startswith(("Expecting ',' delim", "Expecting ':' delim", "Unterminated string")):
        return None
    line = text.rfind("\n", 0, offset) + 1
    found = STRUCTURAL.search(text, line)
    return None if found is None else _typographic(found[0].strip("{[,:}] \t\r\n"), found.start())


def _python(text: str, offset: int, words: str) -> Cause:
    try:
        ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return Cause(words, offset, "Write it with json.dumps(row, ensure_ascii=False), not with str(row).")
    words = f"{words}: this is how Python shows a value with str() or print()"
    hint = f"Write it with json.dumps(row, ensure_ascii=False), or turn the whole file: {REPR}"
    return Cause(words, offset, hint)


def _comma(text: str, offset: int, before: str, words: str) -> Cause | None:
    """Recognise a comma that nothing follows, and objects that follow each other."""
    here = text[offset : offset + 1]
    if before.endswith(",") and here in ("}", "]"):
        return Cause(
            f"there is a comma before the {here} that closes it", len(before) - 1, "Delete the comma."
        )
    if here == "," and words.startswith("Illegal trailing comma"):
        return Cause("there is a comma before the bracket that closes it", offset, "Delete the comma.")
    if "after the object" not in words:
        return None
    place = len(text) - len(text[offset:].lstrip(SPACE))
    ends = text.find("\n", place)
    if text[place : place + 1] == "," and "\n" in text[:place].strip(SPACE):
        hint = "Put [ before the first object and ] behind the last one, and no comma before the ]."
        return Cause("there is a comma behind the object, but no array around the objects", place, hint)
    if text[place : place + 1] == "," and not text[place + 1 : None if ends < 0 else ends].strip(SPACE):
        hint = f"Delete it; in JSON lines nothing separates the objects: {COMMAS}"
        return Cause("there is a comma behind the object", place, hint)
    if text[place : place + 1] in (",", "{", "["):
        return Cause("there are several objects in this line", place, "Write each object on one line.")
    return None


def _comment(text: str, offset: int, before: str, words: str) -> Cause | None:
    rest = text[offset:].lstrip(SPACE)
    for mark in ("//", "/*", "#"):
        if rest.startswith(mark):
            place = len(text) - len(rest)
            return Cause(f"there is a comment ({mark}), and JSON has none", place, "Delete the comments.")
    return None


def _string(text: str, offset: int, before: str, words: str) -> Cause | None:
    """Recognise a text that a line does not close, and what may not be inside a text."""
    if words.startswith("Unterminated string"):
        words = "the text that begins here does not end in this line"
        return Cause(
            words, offset, r"Write a line break inside a text as \n, and close the text with a quote."
        )
    return _character(text, offset, before, words)


def _character(text: str, offset: int, before: str, words: str) -> Cause | None:
    """Recognise what may not be inside a text."""
    if words.startswith("Invalid control character"):
        here = text[offset : offset + 1]
        name, escape = {"\n": ("line break", r"\n"), "\r": ("line break", r"\n"), "\t": ("tab", r"\t")}.get(
            here, ("control character", f"\\u{ord(here or ' '):04x}")
        )
        return Cause(f"there is a {name} inside a text", offset, f"Write it as {escape}.")
    if words.startswith("Invalid \\"):
        hint = r"Write a backslash as two: C:\\data."
        return Cause("a backslash inside a text begins no escape of JSON", offset, hint)
    return None


def _bare(text: str, offset: int, before: str, words: str) -> Cause | None:
    """Recognise words without quotes."""
    found = WORD.match(text, offset)
    if words.startswith("Expecting ',' delimiter") and text[offset : offset + 1] in ('"', "{", "["):
        return Cause("a comma is missing here", offset, "Put a comma between the two.")
    if found is None:
        if text[offset : offset + 1] in ("(", "{") and before.endswith(("[", ":", ",")):
            return _python(text, offset, "JSON has no tuples and no sets") if text[offset] == "(" else None
        return None
    word = found[0]
    if word in ("True", "False", "None"):
        return _python(text, offset, f"{word} is Python's; JSON writes {_json_word(word)}")
    if word in ("undefined", "nan", "inf", "NULL", "Null", "null", "TRUE", "FALSE"):
        return Cause(f"{word} is not JSON", offset, "Write null, true, false or a number.")
    if KEY.match(text, offset) and "property name" in words:
        return Cause(f"the name {word} has no quotes", offset, f'Put every name into quotes: "{word}": …')
    if before.endswith('"') or words.startswith("Expecting ',' delimiter"):
        hint = 'Write a quote inside a text as \\".'
        return Cause("a text ends here, but more of it follows", offset, hint)
    if words.startswith("Expecting value"):
        return Cause(f"the value {word} has no quotes", offset, f'Put a text into quotes: "{word} …".')
    return None


def _json_word(word: str) -> str:
    return json.dumps({"True": True, "False": False}.get(word))
