"""Find the messages of the source: what `extract.py` writes to the catalogue.

A message is a string constant with two words, or an f-string with one, wherever it stands, and the words
that `counted` counts. Of an f-string each `{expression}` becomes `{name}`; a choice between two words, such
as `{'' if n == 1 else 's'}`, becomes `{s}` or `{is_or_are}`. The help of commands, the text of page templates
and scripts, and the messages of libraries (`libraries.txt`) are messages too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from ftrun.language import pages

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "pipeline" / "ftrun"
HERE = Path(__file__).parent

WORD = re.compile(r"[A-Za-z]{2,}|\ba\b")
# what is not meant for people: queries, patterns, markup, addresses, code
NOT_TEXT = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|ALTER|BEGIN|DROP|WITH|WHERE|ORDER BY)\b"
    r"|\\[sdwbS]|\(\?|^<|</|^\s*(import|from|def|class) |\{\{%|default-src|; charset=|^Bearer |/\*"
)
NOT_MESSAGES = {
    "compile",
    "search",
    "match",
    "sub",
    "fullmatch",
    "findall",
    "execute",
    "executemany",
    "debug",
}
ALTERNATIVE = re.compile(r"[A-Za-z']*")


def messages() -> dict[str, list[str]]:
    """Return every message with the places (files) where it stands, in the order of the files."""
    found: dict[str, list[str]] = {}
    ignored = set(_lines("ignored.txt"))
    starts = tuple(one[:-1] for one in ignored if one.endswith("…"))
    for place, text in (*_of_python(), *_of_pages(), *_of_libraries()):
        if text in ignored or f"{place}: *" in ignored or (starts and text.startswith(starts)):
            continue
        places = found.setdefault(text, [])
        if place not in places:
            places.append(place)
    return found


def _lines(name: str) -> Iterator[str]:
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            yield line.replace("\\n", "\n")


def _of_libraries() -> Iterator[tuple[str, str]]:
    for line in _lines("libraries.txt"):
        yield "a library", line


def _of_pages() -> Iterator[tuple[str, str]]:
    for file in sorted((*PACKAGE.rglob("*.html.j2"), *PACKAGE.rglob("page.html"))):
        for text in pages.texts(file.read_text(encoding="utf-8")):
            yield file.relative_to(ROOT).as_posix(), text
    for file in sorted(PACKAGE.rglob("*.js")):
        for text in pages.script_texts(file.read_text(encoding="utf-8")):
            yield file.relative_to(ROOT).as_posix(), text


def _of_python() -> Iterator[tuple[str, str]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        reader = _Reader()
        reader.visit(ast.parse(file.read_text(encoding="utf-8")))
        for text in reader.found:
            yield file.relative_to(ROOT).as_posix(), text


class _Reader(ast.NodeVisitor):
    """Collects the messages of a module."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, text: str) -> None:
        """Keep a text with two words, or with a word and a placeholder."""
        text = re.sub(r"</?title>", "", text).strip()
        plain = re.sub(r"\{\w*\}", " ", text)
        needed = 2 if plain == text else 1
        if len(WORD.findall(plain)) >= needed and " " in text and not NOT_TEXT.search(text):
            self.found.append(text)

    def visit_Module(self, node: ast.Module) -> None:
        self._body(node.body)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._body(node.body)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        if any("command" in ast.unparse(one) for one in node.decorator_list):
            for text in (ast.get_docstring(node) or "").split("\n\n"):
                for line in text.split("\n")[1:] if text.startswith("\b") else [" ".join(text.split())]:
                    self.add(line)
        for one in (*node.decorator_list, node.args):
            self.visit(one)
        self._body(node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # type: ignore[assignment]

    def _body(self, body: list[ast.stmt]) -> None:
        for one in body:
            if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):  # a docstring
                self.visit(one)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        """Pass over annotations."""

    def visit_Assert(self, node: ast.Assert) -> None:
        """Pass over what only developers see."""

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if name in NOT_MESSAGES:
            return
        if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant):
            if name == "split":
                return
            if name == "format" and isinstance(function.value.value, str):
                self.add(re.sub(r"\{(\w*)[^{}]*\}", r"{\1}", function.value.value))
                for one in (*node.args, *node.keywords):
                    self.visit(one)
                return
        if name == "counted" and isinstance(node.args[-1], ast.Constant):
            self.found.append(f"{{n}} {node.args[-1].value}{{s}}")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Keep a text; `{}` in it is filled in with `format` elsewhere."""
        if isinstance(node.value, str):
            is_format = "{}" in node.value and "{{" in node.value  # its braces are doubled already
            literal = str if is_format else _literal
            self.add("{value}".join(map(literal, node.value.split("{}"))))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        parts: list[str] = []
        names: set[str] = set()
        for one in node.values:
            if isinstance(one, ast.Constant):
                parts.append(_literal(str(one.value)))
            elif isinstance(one, ast.FormattedValue):
                parts.append(self._placeholder(one, names))
        self.add("".join(parts))

    def _placeholder(self, node: ast.FormattedValue, names: set[str]) -> str:
        choice = _choice(node.value)
        if choice is None:
            self.visit(node.value)
        name = unique = choice or _name(node.value)
        number = 2
        while unique in names and choice is None:
            unique, number = f"{name}_{number}", number + 1
        names.add(unique)
        return f"{{{unique}}}"


def _literal(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def _choice(node: ast.expr) -> str | None:
    """Return the name of a choice between two words (`s`, `is_or_are`); None for any other expression."""
    if not isinstance(node, ast.IfExp):
        return None
    words = [one.value if isinstance(one, ast.Constant) else None for one in (node.body, node.orelse)]
    first, last = words
    if not isinstance(first, str) or not isinstance(last, str):
        return None
    if not ALTERNATIVE.fullmatch(first) or not ALTERNATIVE.fullmatch(last) or "'" in first + last:
        return None
    if {first, last} == {"", "s"}:
        return "s"
    return f"{first}_or_{last}"


def _name(node: ast.expr) -> str:
    """Return a placeholder's name: the last name in its expression."""
    if isinstance(node, ast.Name):
        name = node.id
    elif isinstance(node, ast.Attribute):
        name = node.attr
    elif isinstance(node, ast.Call):
        name = _name(node.func)
        if (
            name in ("visible", "str", "shown", "inline", "code", "sorted", "join", "repr", "quoted")
            and node.args
        ):
            name = _name(node.args[0])
    elif isinstance(node, ast.Subscript):
        inner = node.slice
        name = (
            inner.value
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
            else _name(node.value)
        )
    else:
        name = "value"
    name = re.sub(r"\W", "_", name).strip("_").lower()
    return "value" if not name or name == "s" or "_or_" in name else name
