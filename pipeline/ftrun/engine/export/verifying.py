"""Ask an exported model and the engine the same questions, each in its own process, and compare."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ftrun.engine.child_process import start
from ftrun.engine.export.answering import ANSWERED
from ftrun.engine.export.formats import Format
from ftrun.engine.export.source import Source
from ftrun.engine.models.weights import Announce
from ftrun.errors import FtrunError
from ftrun.files import open_to_write, real, write_json
from ftrun.installation import install_packages

# the package that runs a format, and what to install for it
NEEDS: Mapping[Format, tuple[str, str]] = {
    "adapter": ("peft", "peft>=0.20,<1"),
    "safetensors": ("transformers", "transformers"),
    "gguf": ("xllamacpp", "xllamacpp"),
}
TITLES: Mapping[str, str] = {
    "engine": "ftrun",
    "adapter": "PEFT",
    "safetensors": "Transformers",
    "gguf": "llama.cpp",
}
SECONDS_BETWEEN = 10.0  # between two lines that say how far it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question: its id, the messages, and how many tokens the answer may have."""

    id: str
    messages: Sequence[Mapping[str, Any]]
    max_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A question that the export answers otherwise than the engine."""

    id: str
    engine: str
    exported: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found: who ran the export, how many questions were asked, and which answers differ.

    `refused` are questions that the engine doesn't answer, with its reason.
    """

    runtime: str
    asked: int
    differences: Sequence[Difference]
    refused: Mapping[str, str]

    @property
    def equal(self) -> int:
        """Return how many answers are equal."""
        return self.asked - len(self.differences)


def require_runtime(kind: Format) -> None:
    """Raise FtrunError if what runs this format is not installed."""
    package, requirement = NEEDS[kind]
    if find_spec(package) is None:
        raise FtrunError(
            f"--verify needs a package that is not installed: {requirement}",
            code="runtime_missing",
            hint=f"Install what runs it: {install_packages([requirement])}",
        )


def verify(
    folder: Path, kind: Format, source: Source, questions: Sequence[Asked], announce: Announce
) -> Verification:
    """Ask the engine and the export in `folder` the same questions, greedily, and compare the answers.

    Raises FtrunError if the export can't be loaded.
    """
    task: dict[str, Any] = {
        "base": source.base,
        "adapter": str(source.adapter),
        "folder": str(folder),
        "questions": [
            {"id": one.id, "messages": [*one.messages], "max_tokens": one.max_tokens} for one in questions
        ],
    }
    announce(f"Asking the engine {len(questions)} questions …")
    engine = _ask("engine", task, announce)
    answers: Mapping[str, str] = engine["answers"]
    task["questions"] = [one for one in task["questions"] if one["id"] in answers]
    announce(f"Asking {TITLES[kind]} the same questions …")
    found = _ask(kind, {**task, "longest": engine["longest"]}, announce)
    return Verification(
        runtime=found["runtime"],
        asked=len(answers),
        differences=[
            Difference(id=one, engine=answer, exported=found["answers"][one])
            for one, answer in answers.items()
            if answer != found["answers"][one]
        ],
        refused=engine["refused"],
    )


def _ask(runtime: str, task: Mapping[str, Any], announce: Announce) -> Mapping[str, Any]:
    """Let a process ask the questions of `task`; FtrunError if the model can't be loaded."""
    with tempfile.TemporaryDirectory(prefix="ftrun-export-") as name:
        folder = real(name)
        asked, answers, log = folder / "task.json", folder / "answers.json", folder / "log"
        write_json(asked, task)
        with open_to_write(log, "wb") as file:
            process = start(
                "ftrun.engine.export.answering", runtime, str(asked), str(answers), folder=folder, log=file
            )
        try:
            _wait(process, log, len(task["questions"]), announce)
        finally:
            process.kill()
            process.wait()
        found: dict[str, Any] = {}
        if answers.exists():
            found = json.loads(answers.read_text(encoding="utf-8"))
        if "answers" in found:
            return found
        said = [line for line in _log_lines(log) if line != ANSWERED] or [""]
        why = found.get("error") or f"its process ended with {process.returncode}: {said[-1]}"
    raise FtrunError(
        f"{TITLES[runtime]} can't answer with the exported model: {why}",
        code="export_not_loadable",
        file=task["folder"],
        hint="The files were written. Another version of that program may run them, or another --format.",
    )


def _wait(process: subprocess.Popen[bytes], log: Path, total: int, announce: Announce) -> None:
    """Wait until the process ends, and say now and then how many of `total` questions it has answered."""
    while True:
        try:
            process.wait(timeout=SECONDS_BETWEEN)
            return
        except subprocess.TimeoutExpired:
            done = _log_lines(log).count(ANSWERED)
            announce(f"  {done} of {total} answered")


def _log_lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
