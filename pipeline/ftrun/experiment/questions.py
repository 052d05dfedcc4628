"""Replace the files of questions that `eval.prompts` and `eval.general` name by the questions in them.

A file is found and refused as templates are; `prompt_files` reads what is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftrun.errors import ConfigError, Problem
from ftrun.experiment.nodes import Node, find, plain
from ftrun.experiment.places import absolute, shown_path

NEXT_TO_PATH = ("path", "tags", "encoding")


class QuestionReader:
    """Reads the files of questions of one experiment; `texts` of the files and `problems` are what it found.

    How bytes are read, which folder a value is relative to, why a file may not be read, and how a problem
    at a value is made, is given.
    """

    def __init__(
        self,
        *,
        read_bytes: Callable[[Path, int], bytes],
        folder: Callable[[Node], Path],
        refusal: Callable[[Path, Node], str | None],
        problem: Callable[[Node, str, str], Problem],
    ) -> None:
        self._read_bytes, self._folder = read_bytes, folder
        self._refusal, self._problem = refusal, problem
        self.texts: dict[Path, str] = {}
        self.problems: list[Problem] = []

    def read(self, root: Node) -> Path | None:
        """Replace every file of questions in the tree; return the file that `eval.general` names."""
        prompts, general = (find(root, ("eval", key)) for key in ("prompts", "general"))
        for node in (prompts, general):
            if node is not None and isinstance(node.value, list):
                node.value = [one for entry in node.value for one in self._questions(entry)]
        if general is None or not isinstance(general.value, str) or not general.value:
            return None
        file = absolute(self._folder(general) / general.value)
        general.value = self._in_files(general) or False  # what is wrong is reported
        return file

    def _questions(self, entry: Node) -> list[Node]:
        """Return the questions of an entry: those of its file, or itself."""
        given = entry.value if isinstance(entry.value, dict) else {}
        path = given.get("path")
        if path is None or not isinstance(path.value, str) or not path.value:
            return [entry]
        for key, node in given.items():
            if key not in NEXT_TO_PATH:
                allowed = ", ".join(NEXT_TO_PATH)
                self._add(node, f"only {allowed} go with a file of questions, not `{key}`", "eval_prompt")
        tags, encoding = given.get("tags"), given.get("encoding")
        if tags is not None and not _is_list_of_texts(plain(tags)):
            self._add(tags, "tags: expected a list of texts", "wrong_value")
            tags = None
        if encoding is not None and not isinstance(encoding.value, str):
            self._add(encoding, "encoding: expected a text", "wrong_value")
            encoding = None
        questions = self._in_files(path, None if encoding is None else encoding.value)
        for question in questions if tags is not None else ():
            _add_tags(question, plain(tags) if tags is not None else [])
        return questions

    def _in_files(self, path: Node, encoding: str | None = None) -> list[Node]:
        """Return the questions of the files that a path or glob names."""
        from ftrun.experiment.prompt_files import FORMATS, LARGEST, read_prompts  # most experiments have none

        found = list[Node]()
        for file in self._matches(path):
            if file.suffix.lower() not in FORMATS:
                formats = ", ".join(FORMATS)
                message = f"{shown_path(file)}: questions are read from {formats} files"
                self._add(path, message, "prompt_file")
                continue
            try:
                read = read_prompts(file, self._read_bytes(file, LARGEST), encoding=encoding)
            except ConfigError as error:
                self.problems.extend(error.problems)
                continue
            self.texts[file] = read.text
            self.problems.extend(read.problems)
            found.extend(read.entries)
        return found

    def _matches(self, path: Node) -> list[Path]:
        """Return the files, in the order of their names, that may be read."""
        import glob

        base = self._folder(path)
        names = [path.value]
        try:
            literal = (base / path.value).is_file()
            if not literal and glob.has_magic(path.value):
                found = sorted(glob.glob(path.value, root_dir=base, recursive=True))  # noqa: PTH207 - takes ../
                names = [name for name in found if not (base / name).is_dir()] or names
        except (OSError, ValueError):  # a name too long, or with a NUL
            pass
        files = [absolute(base / name) for name in names]
        reasons = [self._refusal(file, path) for file in files]
        for reason in filter(None, reasons):
            self._add(path, reason, "prompt_file")
        return [file for file, reason in zip(files, reasons, strict=True) if not reason]

    def _add(self, node: Node, message: str, code: str) -> None:
        self.problems.append(self._problem(node, message, code))


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _add_tags(question: Node, tags: list[str]) -> None:
    """Add the tags of a file to those of one of its questions, unless those are wrong, which is reported."""
    own = question.value.get("tags")
    if own is not None and not isinstance(own.value, list):
        return
    kept = own.value if own is not None else []
    known = [node.value for node in kept]
    added = [_like(question, tag) for tag in tags if tag not in known]
    question.value["tags"] = _like(question, [*kept, *added])


def _like(question: Node, value: Any) -> Node:
    """Return a node at the place of a question."""
    node = Node(value, file=question.file, line=question.line, column=question.column)
    node.key_line, node.key_column = question.key_line, question.key_column
    return node
