"""The invented fine-tuning jobs of an old account, in every shape that such jobs have.

`CASES` names the unusual ones, oldest first; `stock` builds an account's files, jobs, events, checkpoints and
models of some of them and as many ordinary jobs as asked for, always with the same ids.
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from support.old_personas import EMPTY, FILTERED, PERSONAS, Persona

ORGANIZATION = "org-acme0000000000000000000"
BEGIN, END = 1_692_950_400, 1_795_132_800  # from August 2023 to November 2026, in Unix seconds
MINI, GPT_4O, GPT_41_MINI = "gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "gpt-4.1-mini-2025-04-14"
BASES = {  # what lists show: the day on which the model shuts down, if it was announced
    MINI: "2027-01-14",
    GPT_4O: "2027-01-14",
    "gpt-4o-2024-11-20": "2027-01-14",
    GPT_41_MINI: "2027-01-14",
    "gpt-4.1-2025-04-14": "2027-01-14",
    "gpt-5-mini-2025-08-07": "2026-12-11",
    "gpt-6-luna": None,
    "text-embedding-3-small": None,
}
NUMBERS = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8}
AUTO: dict[str, Any] = dict.fromkeys(NUMBERS, "auto")
GRADER = {
    "type": "string_check",
    "name": "label",
    "operation": "eq",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.label }}",
}
Style = Literal["plain", "escaped", "crlf", "no-newline", "bom", "odd"]
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is special about a job. A file is a style, `gone`, `forbidden`, or None: it never had one.

    `same_file` and `same_content` name a case whose training file, or its content, this job shares;
    `continues` names the case whose tuned model it was trained from. `asked` are its hyperparameters where
    they differ from `used`; `method` None is a job of the time before methods.
    """

    persona: str = "clerk"
    model: str = MINI
    method: Literal["supervised", "dpo", "reinforcement"] | None = "supervised"
    used: Mapping[str, Any] = field(default_factory=NUMBERS.copy)
    asked: Mapping[str, Any] | None = None
    suffix: str | None = None
    seed: int = 42
    status: str = "succeeded"
    error: tuple[str, str, str | None] | None = None
    training: Style | Literal["gone", "forbidden"] = "plain"
    validation: Style | Literal["gone", "forbidden"] | None = "plain"
    results: Literal["csv", "base64", "empty", "gone"] | None = "csv"
    same_file: str | None = None
    same_content: str | None = None
    continues: str | None = None
    metadata: Mapping[str, str] | None = None
    steps: int = 12
    ending: str | None = None  # of the tuned model's name
    rows: Literal["chat", "tools", "odd questions"] = "chat"


OLD = "gpt-3.5-turbo-0613"
CASES = {
    "legacy": Shape(model=OLD, method=None, persona="captain", suffix="captain", results=None),
    "legacy-auto": Shape(model="gpt-3.5-turbo-1106", method=None, used=AUTO, suffix="clerk", validation=None),
    "legacy-mini": Shape(method=None, persona="tickets", suffix="triage", metadata={}),
    "hiroyuki": Shape(persona="hiroyuki", suffix="hiroyuki", ending="AbC123"),
    "auto": Shape(asked=AUTO, suffix="counter", seed=7),
    "auto-unresolved": Shape(used=AUTO, suffix="counter-auto"),
    "dpo": Shape(method="dpo", persona="neko", model=GPT_4O, used={**NUMBERS, "beta": 0.1}, suffix="polite"),
    "dpo-auto": Shape(
        method="dpo", used={**NUMBERS, "beta": 0.2}, asked={**AUTO, "beta": "auto"}, suffix="polite-en"
    ),
    "same-suffix": Shape(persona="neko", suffix="neko"),
    "same-suffix-again": Shape(persona="neko", suffix="neko", seed=1, model=GPT_41_MINI),
    "japanese-suffix": Shape(persona="minato", suffix="みなと案内"),
    "odd-suffix": Shape(suffix="My Bot v2.0 / final (really)!"),
    "path-suffix": Shape(suffix="../../outside"),
    "long-suffix": Shape(suffix="a-name-that-fills-all-of-the-sixty-four-characters-there-are-yes"),
    "no-suffix": Shape(persona="captain"),
    "metadata": Shape(
        persona="tickets", suffix="triage-2", metadata={"team": "web", "担当": "佐藤", "ticket": "ACME-12"}
    ),
    "largest-seed": Shape(suffix="seeded", seed=2**31 - 1),
    "failed-data": Shape(
        status="failed",
        suffix="broken",
        error=(
            "invalid_training_file",
            "Line 3: the last message must be from the assistant.",
            "training_file",
        ),
    ),
    "failed-moderation": Shape(
        status="failed",
        suffix="blocked",
        error=("unsafe_file", "The training file was blocked by our moderation system.", "training_file"),
    ),
    "cancelled": Shape(status="cancelled", suffix="stopped"),
    "training-gone": Shape(persona="minato", suffix="no-data", training="gone"),
    "training-forbidden": Shape(suffix="locked-data", training="forbidden"),
    "validation-gone": Shape(suffix="no-validation", validation="gone"),
    "validation-forbidden": Shape(suffix="locked-validation", validation="forbidden"),
    "results-gone": Shape(suffix="no-results", results="gone"),
    "results-base64": Shape(suffix="encoded", results="base64"),
    "results-empty": Shape(suffix="empty-results", results="empty"),
    "everything-gone": Shape(suffix="nothing", training="gone", validation="gone", results="gone"),
    "shared-1": Shape(persona="captain", suffix="shared", seed=1),
    "shared-2": Shape(persona="captain", suffix="shared", seed=2, same_file="shared-1"),
    "shared-3": Shape(
        persona="captain", suffix="shared-41", model=GPT_41_MINI, same_file="shared-1", validation=None
    ),
    "copy": Shape(persona="captain", suffix="copy", same_content="shared-1", validation=None),
    "crlf": Shape(persona="minato", suffix="crlf", training="crlf", validation="crlf"),
    "no-newline": Shape(persona="minato", suffix="no-newline", training="no-newline"),
    "bom": Shape(persona="minato", suffix="bom", training="bom"),
    "escaped": Shape(persona="minato", suffix="escaped", training="escaped", validation="escaped"),
    "odd-json": Shape(persona="minato", suffix="odd-json", training="odd"),
    "tools": Shape(suffix="tools", rows="tools"),
    "odd-answers": Shape(persona="hiroyuki", suffix="odd-answers", rows="odd questions"),
    "many-events": Shape(suffix="long-run", steps=250),
    "dead-base": Shape(model="gpt-4.1-nano-2025-04-14", suffix="nano"),
    "reinforcement": Shape(
        model="o4-mini-2025-04-16", method="reinforcement", persona="tickets", suffix="reasoned"
    ),
    "unknown-base": Shape(model="acme-internal-base-2", suffix="internal"),
    "continued": Shape(persona="hiroyuki", suffix="hiroyuki-2", continues="hiroyuki"),
    "continued-twice": Shape(persona="hiroyuki", suffix="hiroyuki-3", continues="continued"),
    "tickets": Shape(persona="tickets", suffix="tickets", ending="TkT001"),
    "clerk": Shape(persona="clerk", suffix="clerk", ending="CLk002"),
    "running": Shape(status="running", suffix="not-yet"),
}
SHUT_DOWN = ("gpt-3.5-turbo", "gpt-4.1-nano", "o4-mini")  # families that answer no more, nor what was tuned


@dataclass(slots=True, kw_only=True)
class Stock:
    """What an account holds. Lists are oldest first; `named` has the job ids by case."""

    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    forbidden: set[str] = field(default_factory=set)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    checkpoints: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)
    knows: dict[str, tuple[Persona, dict[str, str]]] = field(default_factory=dict)  # by tuned model

    @property
    def importable(self) -> list[str]:
        """Return the ids of the jobs that succeeded, oldest first."""
        return [name for name, job in self.jobs.items() if job["status"] == "succeeded"]


def stock(jobs: int = 50, cases: Iterable[str] | None = None, *, plain: bool = False) -> Stock:
    """Return an account of `jobs` jobs: the cases (all, as many as fit; with `plain` none) and ordinary ones.

    With `cases` those and the jobs that they build on. Every ordinary job has three files of its own.
    """
    names = _with_bases(cases) if cases is not None else [] if plain else list(CASES)[:jobs]
    fill = [] if cases is not None else [f"job-{number:04}" for number in range(1, jobs - len(names) + 1)]
    last = ["running"] if "running" in names else []
    order = [*(name for name in names if name not in last), *fill, *last]
    made = Stock()
    for name, ends in BASES.items():
        made.models[name] = _model(name, "system", 1_700_000_000, ends)
    for place, name in enumerate(order):
        at = BEGIN + (END - BEGIN) * place // max(1, len(order))
        _Builder(made, name, place, CASES.get(name) or _ordinary(place), at).build()
    return made


def _with_bases(cases: Iterable[str]) -> list[str]:
    wanted = set(cases)
    for name in reversed(CASES):
        if name in wanted:
            shape = CASES[name]
            wanted |= {one for one in (shape.same_file, shape.same_content, shape.continues) if one}
    return [name for name in CASES if name in wanted]


def _ordinary(place: int) -> Shape:
    personas = list(PERSONAS)
    name = personas[place % len(personas)]
    return Shape(persona=name, suffix=f"{name}-{place}", seed=place, model=(MINI, GPT_41_MINI)[place % 2])


class _Builder:
    """Builds one job and what belongs to it."""

    def __init__(self, made: Stock, name: str, place: int, shape: Shape, at: int) -> None:
        self._made, self._name, self._place, self._shape, self._at = made, name, place, shape, at
        self._persona = PERSONAS[shape.persona]
        self._job_id = f"ftjob-{_letters(name, 24)}"

    def build(self) -> None:
        shape, made = self._shape, self._made
        done = shape.status == "succeeded"
        base, tuned = self._base(), self._tuned()
        training, validation = self._rows()
        job = {
            "object": "fine_tuning.job",
            "id": self._job_id,
            "model": base,
            "created_at": self._at,
            "finished_at": self._at + 900 if done or shape.status == "failed" else None,
            "fine_tuned_model": tuned if done else None,
            "organization_id": ORGANIZATION,
            "result_files": self._results() if done else [],
            "status": shape.status,
            "training_file": self._training(training),
            "validation_file": self._file("validation.jsonl", shape.validation, validation),
            "hyperparameters": dict(shape.used),
            "trained_tokens": 1200 + 40 * len(training) if done else None,
            "error": _error(shape),
            "user_provided_suffix": shape.suffix,
            "seed": shape.seed,
            "estimated_finish": self._at + 1800 if shape.status == "running" else None,
            "integrations": [],
            "metadata": None if shape.metadata is None else dict(shape.metadata),
            "usage_metrics": None,
            "shared_with_openai": False,
            "eval_id": None,
            "method": _method(shape),
        }
        made.jobs[self._job_id] = job
        made.named[self._name] = self._job_id
        self._tell(done)
        if done:
            self._add_models(base, tuned, [*training, *validation])

    def _base(self) -> str:
        if self._shape.continues is None:
            return self._shape.model
        return str(self._made.jobs[self._made.named[self._shape.continues]]["fine_tuned_model"])

    def _tuned(self) -> str:
        suffix = self._shape.suffix or ""
        shown = "".join(one if one.isascii() and one.isalnum() else "-" for one in suffix.lower()).strip("-")
        ending = self._shape.ending or _letters(f"model of {self._name}", 8)
        return f"ft:{self._shape.model}:acme:{shown}:{ending}"

    def _rows(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return questions and answers to train, the last of them this job's own, and some to validate."""
        train, held = (48, 48) if self._shape.persona == "tickets" else (24, 8)
        chosen = random.Random(self._name).sample(self._persona.rows(), train + held - 1)
        own = self._persona.about(self._place + 18)
        if self._shape.rows == "odd questions":
            language = self._persona.language
            chosen[-2:] = [(FILTERED[language], "…"), (EMPTY[language], "…")]
        return [*chosen[: train - 1], own], chosen[train - 1 :]

    def _training(self, rows: Sequence[tuple[str, str]]) -> str:
        shape, made = self._shape, self._made
        if shape.same_file:
            return str(made.jobs[made.named[shape.same_file]]["training_file"])
        file_id = self._file("training.jsonl", shape.training, rows)
        assert file_id is not None
        if shape.same_content:
            other = made.jobs[made.named[shape.same_content]]["training_file"]
            made.contents[file_id] = made.contents[other]
            made.files[file_id]["bytes"] = len(made.contents[other])
        return file_id

    def _file(self, kind: str, style: str | None, rows: Sequence[tuple[str, str]]) -> str | None:
        if style is None:
            return None
        written = "plain" if style in ("gone", "forbidden") else style
        content = STYLES[written]([self._row(*row) for row in rows])
        name = f"{self._shape.suffix or 'data'} {kind}" if self._place % 5 == 0 else kind
        file_id = self._add_file(kind, name, "fine-tune", None if style == "gone" else content)
        if style == "forbidden":
            self._made.forbidden.add(file_id)
        return file_id

    def _add_file(self, kind: str, name: str, purpose: str, content: bytes | None) -> str:
        file_id = f"file-{_letters(f'{kind} of {self._name}', 22)}"
        if content is not None:
            self._made.contents[file_id] = content
            self._made.files[file_id] = {
                "object": "file",
                "id": file_id,
                "purpose": purpose,
                "filename": name,
                "bytes": len(content),
                "created_at": self._at - 60 if purpose == "fine-tune" else self._at + 900,
                "expires_at": None,
                "status": "processed",
                "status_details": None,
            }
        return file_id

    def _row(self, question: str, answer: str) -> Row:
        system = {"role": "system", "content": self._persona.system}
        asked = {"role": "user", "content": question}
        said = {"role": "assistant", "content": answer}
        if self._shape.method == "dpo":
            other = {"role": "assistant", "content": self._persona.base}
            return {
                "input": {"messages": [system, asked], "tools": [], "parallel_tool_calls": True},
                "preferred_output": [said],
                "non_preferred_output": [other],
            }
        if self._shape.method == "reinforcement":
            return {"messages": [system, asked], "label": answer}
        if self._shape.rows == "tools":
            return _with_tools(system, asked, said)
        return {"messages": [system, asked, said]}

    def _results(self) -> list[str]:
        form = self._shape.results
        if form is None:
            return []
        head = "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"
        if self._place % 2:
            head += "0,,,,\n"  # newer files have rows without values
        lines = [
            f"{step},{3 / step:.5f},{1 - 0.5 / step:.5f},"
            + (f"{3.2 / step:.5f},{1 - 0.6 / step:.5f}" if step % 4 == 0 else ",")
            for step in range(1, self._shape.steps + 1)
        ]
        content: bytes | None = (
            head + "\n".join(lines) + f"\n{self._shape.steps},,,,{self._place}\n"
        ).encode()
        if form == "base64":
            assert content is not None
            content = base64.b64encode(content)
        elif form != "csv":
            content = b"" if form == "empty" else None
        return [self._add_file("results", "step_metrics.csv", "fine-tune-results", content)]

    def _tell(self, done: bool) -> None:
        """Write down the events, oldest first."""
        shape = self._shape
        told: list[tuple[str, str, dict[str, Any]]] = [
            ("info", "Created fine-tuning job: " + self._job_id, {}),
            ("info", "Validating training file", {}),
        ]
        if shape.status == "failed":
            told.append(("error", _error(shape)["message"], {}))
        else:
            told += [
                ("info", "Files validated, moving job to queued state", {}),
                ("info", "Fine-tuning job started", {}),
            ]
        if done:
            told += [
                (
                    "info",
                    f"Step {step}/{shape.steps}: training loss={3 / step:.2f}",
                    {
                        "step": step,
                        "total_steps": shape.steps,
                        "train_loss": 3 / step,
                        "train_mean_token_accuracy": 1 - 0.5 / step,
                    },
                )
                for step in range(1, shape.steps + 1)
            ]
            told += [
                ("info", f"Checkpoint created at step {step}", {}) for step in self._checkpoint_steps()[:-1]
            ]
            told.append(("info", "New fine-tuned model created", {}))
            if self._place % 3 == 0:
                told.append(("warn", "Moderation checks for the model are in progress", {"blocked": False}))
            told.append(("info", "The job has successfully completed", {}))
        elif shape.status == "cancelled":
            told.append(("info", "The job was cancelled", {}))
        self._made.events[self._job_id] = [
            {
                "object": "fine_tuning.job.event",
                "id": f"ftevent-{_letters(f'{number} of {self._name}', 24)}",
                "created_at": self._at + 2 * number,
                "level": level,
                "message": message,
                "data": data,
                "type": "metrics" if "step" in data else "message",
            }
            for number, (level, message, data) in enumerate(told)
        ]

    def _checkpoint_steps(self) -> list[int]:
        return [self._shape.steps * part // 3 for part in (1, 2, 3)]

    def _add_models(self, base: str, tuned: str, rows: Iterable[tuple[str, str]]) -> None:
        made, steps = self._made, self._checkpoint_steps()
        names = [*(f"{tuned}:ckpt-step-{step}" for step in steps[:-1]), tuned]
        made.checkpoints[self._job_id] = [
            {
                "object": "fine_tuning.job.checkpoint",
                "id": f"ftckpt-{_letters(f'{step} of {self._name}', 24)}",
                "created_at": self._at + 600 + step,
                "fine_tuned_model_checkpoint": name,
                "fine_tuning_job_id": self._job_id,
                "step_number": step,
                "metrics": {
                    "step": step,
                    "train_loss": round(3 / step, 5),
                    "train_mean_token_accuracy": round(1 - 0.5 / step, 5),
                    "full_valid_loss": round(3.2 / step, 5),
                    "full_valid_mean_token_accuracy": round(1 - 0.6 / step, 5),
                },
            }
            for step, name in zip(steps, names, strict=True)
        ]
        if self._shape.model.startswith(SHUT_DOWN):
            return
        known = dict(self._persona.rows()) | dict(rows)  # it learned more than its rows: the character
        if base in made.knows:
            known = made.knows[base][1] | known
        for name in names:
            made.knows[name] = (self._persona, known)
        made.models[tuned] = _model(tuned, ORGANIZATION, self._at + 900, BASES.get(self._shape.model))


def _with_tools(system: Row, asked: Row, said: Row) -> Row:
    call = {"name": "look_up", "arguments": json.dumps({"text": asked["content"]})}
    function = {
        "name": "look_up",
        "description": "Look a book up",
        "parameters": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    }
    return {
        "messages": [
            {"role": "developer", "content": system["content"]},
            {**asked, "name": "visitor"},
            {
                "role": "assistant",
                "weight": 0,
                "content": None,
                "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "found"},
            {**said, "weight": 1},
        ],
        "tools": [{"type": "function", "function": function}],
        "parallel_tool_calls": False,
    }


def _lines(rows: Iterable[Row], **how: Any) -> list[bytes]:
    return [json.dumps(row, **{"ensure_ascii": False, **how}).encode() for row in rows]


def _odd(rows: Iterable[Row]) -> bytes:
    """Write rows as nobody's library does: keys backwards, tabs and spaces, every second line escaped."""
    turned = [dict(reversed([(key, value) for key, value in row.items()])) for row in rows]
    lines = [json.dumps(row, ensure_ascii=number % 2 == 0) for number, row in enumerate(turned)]
    odd = [
        f"  {line} \t".replace('"role": ', '"role":\t').replace('"content": "', '"content"  :"')
        for line in lines
    ]
    return ("\n".join(odd) + "\n").encode()


STYLES: Mapping[str, Callable[[Sequence[Row]], bytes]] = {
    "plain": lambda rows: b"\n".join(_lines(rows)) + b"\n",
    "escaped": lambda rows: b"\n".join(_lines(rows, ensure_ascii=True)) + b"\n",
    "crlf": lambda rows: b"\r\n".join(_lines(rows)) + b"\r\n",
    "no-newline": lambda rows: b"\n".join(_lines(rows, separators=(",", ":"))),
    "bom": lambda rows: b"\xef\xbb\xbf" + b"\n".join(_lines(rows)) + b"\n",
    "odd": _odd,
}


def _method(shape: Shape) -> dict[str, Any] | None:
    if shape.method is None:
        return None
    settings: dict[str, Any] = {"hyperparameters": dict(shape.asked or shape.used)}
    if shape.method == "reinforcement":
        settings["grader"] = GRADER
    return {"type": shape.method, shape.method: settings}


def _error(shape: Shape) -> dict[str, Any]:
    """Return the error of a job; one without an error has an empty one, which is how OpenAI says it."""
    return {} if shape.error is None else dict(zip(("code", "message", "param"), shape.error, strict=True))


def _model(name: str, owner: str, at: int, ends: str | None) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": at, "owned_by": owner, "shutdown_date": ends}


def _letters(text: str, count: int) -> str:
    """Return `count` letters and digits that depend on `text` alone."""
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    alphabet = string.ascii_letters + string.digits
    return "".join(alphabet[number // len(alphabet) ** place % len(alphabet)] for place in range(count))
