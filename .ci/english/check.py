"""Check the wording of documents, comments, docstrings and messages against phrases.txt beside this file.

codespell knows single words; this knows phrases, also where they run over the end of a line. It prints
`FILE:LINE: "what is written": what is usual` for each and exits with 1 if there were any.

usage: check.py [FILE ...]     (without files: all that ships, but of the changelog what is not yet released)
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHIPPED = (
    *(
        "*.md",
        "Makefile",
        "pyproject.toml",
        ".ci/*",
        ".ci/english/check.py",
        "docs/**/*.md",
        "schemas/*.json",
    ),
    *("benchmarks/*", "configs/*.yaml", "configs/prompts/*", "pipeline/**/*.py", "pipeline/**/*.html"),
)
CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.DOTALL | re.MULTILINE)
NEXT_COMMENT = re.compile(r"\n[ \t]*#+")
RELEASED = re.compile(r"^## \[[0-9].*", re.DOTALL | re.MULTILINE)


def main(names: Iterable[str]) -> int:
    """Print every finding and return the exit code."""
    paths = [Path(name).resolve() for name in names] or [path for one in SHIPPED for path in ROOT.glob(one)]
    known = phrases()
    found = sorted({line for path in paths if path.is_file() for line in findings(path, known)})
    for line in found:
        print(line)
    return 1 if found else 0


def phrases() -> list[tuple[re.Pattern[str], str]]:
    """Return the patterns of phrases.txt, each with what is usual instead."""
    lines = (HERE / "phrases.txt").read_text(encoding="utf-8").splitlines()
    pairs = [re.split(r"\t+", line) for line in lines if line and not line.startswith("#")]
    return [(pattern_of(phrase), usual) for phrase, usual in pairs]


def pattern_of(phrase: str) -> re.Pattern[str]:
    """Return the pattern that finds a phrase as whole words, in any case, also over the end of a line."""
    words = phrase.replace(" ", r"(?:[ \t]+|[ \t]*\n[ \t]*)")  # not over an empty line
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)


def findings(path: Path, known: list[tuple[re.Pattern[str], str]]) -> Iterator[str]:
    """Yield a line for each phrase in the prose of a file."""
    name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    for first, text in prose(path):
        plain = CODE.sub(blank, text)
        for pattern, usual in known:
            for found in pattern.finditer(plain):
                line = first + plain.count("\n", 0, found.start())
                yield f'{name}:{line}: "{" ".join(found[0].split())}": {usual}'


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (number of its first line, text) of every piece that people read."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        yield from comments(text)
        yield from strings(text)
    else:
        yield 1, NEXT_COMMENT.sub(blank, RELEASED.sub("", text))


def comments(code: str) -> Iterator[tuple[int, str]]:
    """Yield the comments of a module, those of consecutive lines as one text."""
    first, lines = 0, list[str]()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != first + len(lines):
                yield first, "\n".join(lines)
                first, lines = token.start[0], []
            lines.append(token.string.lstrip("#"))
    yield first, "\n".join(lines)


def strings(code: str) -> Iterator[tuple[int, str]]:
    """Yield the strings of a module that are more than a word; an f-string's values become an ellipsis."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.JoinedStr):
            parts = (one.value if isinstance(one, ast.Constant) else "…" for one in node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def blank(found: re.Match[str]) -> str:
    """Return as much space as was matched, with its line breaks, so that lines keep their numbers."""
    return re.sub(r"[^\n]", " ", found[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
