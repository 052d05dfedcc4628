"""Read an experiment file as a whole: `extends`, --set, template files, and the digest of every byte read.

It only knows which keys are templates; what the others mean is validation's matter.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ftrun
from ftrun.errors import ConfigError, Problem
from ftrun.experiment import overrides as sets
from ftrun.experiment import schema_text
from ftrun.experiment.decode import decode, read_bytes, refuse_data
from ftrun.experiment.model import Template
from ftrun.experiment.nodes import KeyPath, Node, find, merge, plain, spell, walk
from ftrun.experiment.places import absolute, excerpt, shown_path
from ftrun.experiment.questions import QuestionReader
from ftrun.experiment.yaml12 import compose

LARGEST_YAML = 1_000_000  # bytes
LARGEST_TEMPLATE = 256_000
LONGEST_CHAIN = 10
TEMPLATE_FOLDERS_SKIPPED = frozenset(("runs", "node_modules", "__pycache__"))
# keys below which every text is a template
TEMPLATES = ("system", "user", "assistant", "preferred", "non_preferred", "item")
MESSAGE_TEMPLATES = ("content", "name", "tool_calls", "tool_call_id")
INCLUDES = re.compile(r"{%[-+]?\s*(?:include|import|extends|from)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An experiment file as read: `data` merged, `templates` by key path, nothing validated yet.

    In `data` and `root`, files of questions are replaced by what they hold; `question_files` are those files,
    and `general` is the one that `eval.general` names. `json_schemas` are the schemas of scorers by key path,
    `schema_files` the files that they are in.
    `problems` are those that do not keep the rest from being checked (a template file that is missing).
    """

    path: Path
    project: Path
    root: Node
    data: Any
    files: tuple[Path, ...]
    templates: Mapping[KeyPath, Template]
    tools: list[Any] | None
    json_schemas: Mapping[KeyPath, Any]
    schema_files: Mapping[KeyPath, Path]
    question_files: frozenset[Path]
    general: Path | None
    dependencies: str
    texts: Mapping[Path, str]
    problems: tuple[Problem, ...]
    digest: str

    @property
    def places(self) -> dict[KeyPath, tuple[Path, int, int]]:
        """Return file, line and column of every key path in a file."""
        return {path: (node.file, *node.place) for path, node in walk(self.root) if node.file is not None}

    def base(self, path: KeyPath) -> Path:
        """Return the folder that a path written at `path` is relative to."""
        return sets.base_folder(find(self.root, path) or self.root, self.path)

    def problem(
        self,
        path: KeyPath,
        message: str,
        *,
        code: str,
        hint: str | None = None,
        at_key: bool = False,
        show: bool = True,
    ) -> Problem:
        """Return a problem at the value (or key) of `path`, or at its nearest parent.

        `show`: with the line; without it where the value may be a secret.
        """
        from ftrun.experiment.key_shapes import masked  # only errors need it

        nearest = path
        while (node := find(self.root, nearest)) is None:
            nearest = nearest[:-1]
        name = spell(path[3:] if node.file in self.question_files else path)
        message = f"{masked(name)}: {message}" if name else message
        if node.file is None:
            return Problem(f"--set: {message}", code=code, hint=hint)
        line, column = node.key_place if at_key else node.place
        shown = excerpt(self.texts.get(node.file, ""), line, column) if show else ""
        where: dict[str, Any] = {"file": shown_path(node.file), "line": line, "column": column}
        return Problem(message + shown, code=code, hint=hint, **where)


def project_folder(config: Path) -> Path:
    """Return the folder that contains `runs/`: the experiment file's, or its parent if that is `configs`."""
    folder = config.parent
    return folder.parent if folder.name == "configs" else folder


def read(path: Path, overrides: Sequence[str] = (), questions_named: Sequence[Path] = ()) -> Document:
    """Read an experiment file and everything it refers to; ConfigError has the places of all problems.

    `questions_named` are files of questions that a person named: they may be anywhere.
    """
    path = absolute(path)
    refuse_data(path)
    reader = _Reader(path, allowed=tuple(map(absolute, questions_named)))
    root = reader.read_yaml(path, ())
    for override in overrides:
        sets.apply(root, override)
    for file in reader.allowed:
        _add_questions(root, file)
    templates = reader.read_templates(root)
    tools = reader.read_tools(root)
    questions = QuestionReader(
        read_bytes=reader.read_bytes,
        folder=lambda node: sets.base_folder(node, path),
        refusal=reader.refusal,
        problem=reader.problem_at,
    )
    general = questions.read(root)
    json_schemas = reader.read_json_schemas(root)
    texts = [template.text for path, template in templates.items() if path[0] == "prompt"]
    dependencies = _dependencies(path.parent, reader.read_bytes) if any(map(INCLUDES.search, texts)) else ""
    return Document(
        path=path,
        project=project_folder(path),
        root=root,
        data=plain(root),
        files=tuple(reader.yaml_texts),
        templates=templates,
        tools=tools,
        json_schemas=json_schemas,
        schema_files=reader.schema_files,
        question_files=frozenset(questions.texts),
        general=general,
        dependencies=dependencies,
        texts={**questions.texts, **reader.schema_texts, **reader.yaml_texts},
        problems=(*reader.problems, *questions.problems),
        digest=reader.digest(overrides),
    )


class _Reader:
    """Read the files of one experiment and remember every byte for the digest."""

    def __init__(self, config: Path, *, allowed: Sequence[Path] = ()) -> None:
        self.config, self.allowed = config, allowed
        self.contents: dict[Path, bytes] = {}
        self.yaml_texts: dict[Path, str] = {}
        self.schema_files: dict[KeyPath, Path] = {}
        self.schema_texts: dict[Path, str] = {}
        self.problems: list[Problem] = []

    def read_bytes(self, path: Path, limit: int) -> bytes:
        """Return a file's bytes, read once."""
        if path not in self.contents:
            self.contents[path] = read_bytes(path, limit=limit)
        return self.contents[path]

    def read_yaml(self, path: Path, chain: tuple[Path, ...]) -> Node:
        """Return the tree of a YAML file on top of what it extends."""
        text = decode(self.read_bytes(path, LARGEST_YAML), path)
        self.yaml_texts[path] = text
        node = compose(text, path)
        if not isinstance(node.value, dict):
            raise self._not_a_mapping(node, text, path)
        extends = node.value.get("extends")
        if extends is None or not isinstance(extends.value, str):
            return node
        return merge(self._read_base(extends, path, (*chain, path)), node)

    def _not_a_mapping(self, node: Node, text: str, path: Path) -> ConfigError:
        from ftrun.experiment.yaml12 import syntax_hint

        hint = syntax_hint(text.splitlines(), node.line) or "An experiment file begins with `version: 1`."
        where: dict[str, Any] = {"file": shown_path(path), "line": node.line, "column": node.column}
        shown = excerpt(text, node.line, node.column)
        return ConfigError(f"expected keys and values{shown}", code="not_a_mapping", hint=hint, **where)

    def _read_base(self, extends: Node, path: Path, chain: tuple[Path, ...]) -> Node:
        base = absolute(path.parent / str(extends.value))
        message = None
        if base in chain:
            cycle = [*chain[chain.index(base) :], base]
            message = "these files extend each other in a circle: " + " -> ".join(
                shown_path(step) for step in cycle
            )
        elif base.suffix not in (".yaml", ".yml"):
            message = f"{extends.value!r} does not end in .yaml or .yml"
        elif not _is_file(base):
            message = f"there is no file {shown_path(base)}"
        elif len(chain) >= LONGEST_CHAIN:
            message = f"the chain of `extends` is longer than {LONGEST_CHAIN} files"
        if message is not None:
            raise ConfigError(
                f"extends: {message}", problems=[self.problem_at(extends, f"extends: {message}", "extends")]
            )
        return self.read_yaml(base, chain)

    def problem_at(self, node: Node, message: str, code: str) -> Problem:
        """Return a problem at a value of the experiment file."""
        if node.file is None:
            return Problem(f"--set: {message}", code=code)
        shown = excerpt(self.yaml_texts.get(node.file, ""), node.line, node.column)
        where: dict[str, Any] = {"file": shown_path(node.file), "line": node.line, "column": node.column}
        return Problem(message + shown, code=code, **where)

    def read_templates(self, root: Node) -> dict[KeyPath, Template]:
        """Return the templates by key path; a value that ends in .j2 is read from its file."""
        templates = {}
        for path, node in _template_nodes(root):
            template = self._template(path, node)
            if template is not None:
                templates[path] = template
        return templates

    def _template(self, path: KeyPath, node: Node) -> Template | None:
        text = node.value
        if not text.endswith(".j2") or "\n" in text or "{" in text:
            line = node.line + 1 if node.block else node.line
            column = 1 if node.block else node.column
            return Template(text=text, place=(node.file, line, column) if node.file else None)
        file = absolute(sets.base_folder(node, self.config) / text)
        reason = self.refusal(file, node)
        if reason is not None:
            self.problems.append(self.problem_at(node, f"{spell(path)}: {reason}", "template_file"))
            return None
        try:
            content = decode(self.read_bytes(file, LARGEST_TEMPLATE), file)
        except ConfigError as error:
            self.problems.extend(error.problems)
            return None
        return Template(text=content, file=file, place=(file, 1, 1))

    def read_tools(self, root: Node) -> list[Any] | None:
        """Return `prompt.tools`: the inline list, or the list in the named .json file."""
        node = find(root, ("prompt", "tools"))
        if node is None or not isinstance(node.value, str):
            found = plain(node) if node is not None else None
            return found if isinstance(found, list) else None
        file = absolute(sets.base_folder(node, self.config) / node.value)
        reason = self.refusal(file, node)
        if reason is None:
            try:
                found = json.loads(decode(self.read_bytes(file, LARGEST_TEMPLATE), file))
            except ConfigError as error:
                self.problems.extend(error.problems)
                return None
            except (ValueError, RecursionError) as error:
                reason = f"{shown_path(file)} is not JSON: {error}"
            else:
                if isinstance(found, list):
                    return found
                reason = f"{shown_path(file)} does not contain a list of tools"
        self.problems.append(self.problem_at(node, f"prompt.tools: {reason}", "tools_file"))
        return None

    def read_json_schemas(self, root: Node) -> dict[KeyPath, Any]:
        """Return the JSON Schemas that scorers name as files, by key path."""
        scorers, found = find(root, ("eval", "scorers")), dict[KeyPath, Any]()
        for index in range(len(scorers.value) if scorers and isinstance(scorers.value, list) else 0):
            place: KeyPath = ("eval", "scorers", index, "json_schema", "path")
            node = find(root, place)
            if node is None or not isinstance(node.value, str):
                continue
            file = absolute(sets.base_folder(node, self.config) / node.value)
            reason = self.refusal(file, node)
            try:
                if reason is None:
                    text = decode(self.read_bytes(file, LARGEST_TEMPLATE), file)
                    self.schema_files[place], self.schema_texts[file] = file, text
                    found[place] = json.loads(text)
            except ConfigError as error:
                self.problems.extend(error.problems)
            except json.JSONDecodeError as error:
                shown, key = excerpt(text, error.lineno, error.colno), spell(place)
                message = f"{key}: this is not JSON: {error.msg}{shown}"
                where: dict[str, Any] = {"line": error.lineno, "column": error.colno}
                self.problems.append(Problem(message, code="json_schema", file=shown_path(file), **where))
            except (ValueError, RecursionError) as error:
                reason = f"{shown_path(file)} is not JSON: {error}"
            if reason is not None:
                self.problems.append(self.problem_at(node, f"{spell(place)}: {reason}", "json_schema"))
        return found

    def refusal(self, file: Path, node: Node) -> str | None:
        """Return why `file` may not be read: only regular files in the project, no links out of it."""
        if not _is_file(file):
            return f"there is no file {shown_path(file)}"
        if file in self.allowed:
            return None
        roots = {project_folder(self.config).resolve(), sets.base_folder(node, self.config).resolve()}
        if not any(file.resolve().is_relative_to(root) for root in roots):
            return f"{shown_path(file)} is outside the experiment's folder"
        return None

    def digest(self, overrides: Sequence[str]) -> str:
        """Return the SHA-256 of all that was read, the overrides, the schema and ftrun's version."""
        total = hashlib.sha256()
        for part in (ftrun.__version__, schema_text(), *overrides):
            _feed(total, part.encode("utf-8", "surrogateescape"))
        for path, content in self.contents.items():
            _feed(total, os.path.relpath(path, self.config.parent).encode("utf-8", "surrogateescape"))
            _feed(total, content)
        return total.hexdigest()


def _add_questions(root: Node, file: Path) -> None:
    """Add a file of questions to `eval.prompts`, as if the experiment file named it."""
    node = root
    for key, empty in (("eval", dict[str, Node]()), ("prompts", list[Node]())):
        if not isinstance(node.value, dict):
            return  # which is reported
        node = node.value.setdefault(key, _of_nobody(empty))
        if node.value is None:
            node.value = empty
    if isinstance(node.value, list):
        node.value.append(_of_nobody({"path": _of_nobody(str(file))}))


def _of_nobody(value: Any) -> Node:
    return Node(value, file=None, line=1, column=1)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL
        return False


def _feed(total: Any, content: bytes) -> None:
    # the length prefix distinguishes ("ab", "c") from ("a", "bc")
    total.update(len(content).to_bytes(8, "big"))
    total.update(content)


def _template_nodes(root: Node) -> Iterator[tuple[KeyPath, Node]]:
    places: list[KeyPath] = [("data", "augment", "prompt"), *(("prompt", key) for key in TEMPLATES)]
    messages = find(root, ("prompt", "messages"))
    for index in range(len(messages.value) if messages and isinstance(messages.value, list) else 0):
        places += [("prompt", "messages", index, key) for key in MESSAGE_TEMPLATES]
    for place in places:
        node = find(root, place)
        for path, leaf in walk(node, place) if node is not None else ():
            if isinstance(leaf.value, str):
                yield path, leaf


def _dependencies(folder: Path, read_file: Any) -> str:
    """Return the digest of every .j2 file below `folder`: what a template may include."""
    total = hashlib.sha256()
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and name not in TEMPLATE_FOLDERS_SKIPPED
        )
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix == ".j2" and path.is_file():
                _feed(total, os.path.relpath(path, folder).encode("utf-8", "surrogateescape"))
                _feed(total, read_file(path, LARGEST_TEMPLATE))
    return total.hexdigest()
