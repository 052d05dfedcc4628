"""Bring the catalogues up to date with the source, and say what they lack.

python .ci/language/extract.py            say what is missing, left over or wrong (exit 1)
python .ci/language/extract.py --write    add new messages without translation, delete what is left over
python .ci/language/extract.py --take FILE   the same, with lines of FILE: message<TAB>translation
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from messages import PACKAGE, messages

from ftrun.language import LANGUAGES
from ftrun.language.catalogue import WORD, entries, quoted
from ftrun.language.templates import PLACEHOLDER, alternatives

HEADER = """\
# Messages of ftrun. The source's strings are the messages; CONTRIBUTING.md says how to translate one.
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\\n"
"Language: {language}\\n"
"""
GRAMMAR = ("article", "verb")  # placeholders that only English needs
_CONTINUED = re.compile(r'"\n"')


def catalogue_path(language: str) -> Path:
    """Return the path of a language's catalogue."""
    return PACKAGE / "language" / f"{language}.po"


def read(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the messages and the words of a catalogue, however an editor has broken its lines."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    body = text.partition("\n\n")[2]
    found = entries(_CONTINUED.sub("", body).replace('msgid ""\n"', 'msgid "'))
    return (
        {message: translation for context, message, translation in found if context != WORD},
        {message: translation for context, message, translation in found if context == WORD},
    )


def written(language: str, known: dict[str, str], words: dict[str, str]) -> str:
    """Return the catalogue's text: messages in the order of the source, then words."""
    parts = [HEADER.format(language=language)]
    for message, places in messages().items():
        flag = "#, python-brace-format\n" if PLACEHOLDER.search(message) else ""
        place = " ".join(one.removeprefix("pipeline/ftrun/") for one in places[:3])
        parts.append(f"#: {place}\n{flag}msgid {quoted(message)}\nmsgstr {quoted(known.get(message, ''))}\n")
    for word in sorted(words):
        parts.append(f'msgctxt "{WORD}"\nmsgid {quoted(word)}\nmsgstr {quoted(words[word])}\n')
    return "\n".join(parts)


def faults(language: str) -> Iterator[str]:
    """Yield what is wrong with a catalogue."""
    path = catalogue_path(language)
    known, words = read(path)
    found = messages()
    for message, places in found.items():
        if not known.get(message):
            yield f"{places[0]}: no translation of: {message!r}"
        elif lost := _lost(message, known[message]):
            yield f"{path.name}: {lost} in the translation of {message!r}"
    yield from (f"{path.name}: left over: {message!r}" for message in known.keys() - found.keys())
    yield from (f"{path.name}: no translation of the word {word!r}" for word in words if not words[word])
    if path.exists() and path.read_text(encoding="utf-8") != written(language, known, words):
        yield f"{path.name} is not as `--write` writes it"


def _lost(message: str, translation: str) -> str | None:
    """Return which placeholders differ; choices such as `s` may be left out."""
    wanted = set(PLACEHOLDER.findall(message.replace("{{", "").replace("}}", "")))
    there = set(PLACEHOLDER.findall(translation.replace("{{", "").replace("}}", "")))
    needed = {name for name in wanted if not alternatives(name) and name not in GRAMMAR}
    wrong = (needed - there) | (there - wanted)
    return f"the placeholders {', '.join(sorted(wrong))} differ" if wrong else None


def main(arguments: list[str]) -> int:
    """Check the catalogues, or write them."""
    for language in LANGUAGES[1:]:
        if arguments:
            known, words = read(catalogue_path(language))
            if arguments[0] == "--take":
                for line in Path(arguments[1]).read_text(encoding="utf-8").splitlines():
                    message, _, translation = line.partition("\t")
                    known[message.replace("\\n", "\n")] = translation.replace("\\n", "\n")
            text = written(language, known, words)
            catalogue_path(language).write_text(text, encoding="utf-8")
    wrong = [one for language in LANGUAGES[1:] for one in faults(language)]
    print(*wrong, sep="\n", end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
