"""An experiment that was trained at a paid provider and rescued, ready to be ported: made by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MODEL = "ft:m:org::old"
RIGHT, WRONG = "はい", "いいえ"


def chat(question: str, answer: str, **more: Any) -> dict[str, Any]:
    """Return a ready training row."""
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": turns, **more}


ROWS = [chat(f"教えて{number}", f"はい、{number}です") for number in range(14)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OldExperiment:
    """An imported experiment in `configs` of a folder, as `ftrun import` and `ftrun rescue` leave it."""

    folder: Path
    targets: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """Return the experiment file."""
        return self.folder / "configs" / "desk.yaml"

    def write(
        self,
        *,
        rows: Sequence[Mapping[str, Any]] = ROWS,
        validation: Sequence[Mapping[str, Any]] | None = None,
        targets: Mapping[str, Any] | None = None,
        train: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        """Write the experiment and its files."""
        data = self.folder / "configs" / "data"
        data.mkdir(parents=True, exist_ok=True)
        (data / "train.jsonl").write_text(lines(rows), encoding="utf-8")
        document: dict[str, Any] = {
            "version": 1,
            "name": "desk",
            "target": "openai",
            "targets": {
                "openai": {"provider": "openai", "model": "gpt-4o-mini-2024-07-18"},
                "new": {"provider": "local", "model": "rehearsal"},
                **self.targets,
                **(targets or {}),
            },
            "data": {"sources": [{"path": "data/train.jsonl"}], "verbatim": True},
            "train": {
                "hyperparameters": {"n_epochs": 2, "batch_size": 1, "learning_rate_multiplier": 1.8},
                "seed": 42,
                "suffix": "desk",
                **(train or {}),
            },
            "imported": {"job_id": "ftjob-1", "fine_tuned_model": MODEL},
            **more,
        }
        if validation is not None:
            (data / "validation.jsonl").write_text(lines(validation), encoding="utf-8")
            document["data"]["split"] = {"validation": [{"path": "data/validation.jsonl"}]}
        self.config.write_text(
            yaml.safe_dump(document, allow_unicode=True, sort_keys=False), encoding="utf-8"
        )

    def rescue(
        self,
        passed: Sequence[bool],
        *,
        expect: str = RIGHT,
        questions: Sequence[Mapping[str, Any]] | None = None,
        sampling: Mapping[str, Any] | None = None,
        base: Sequence[bool] = (),
    ) -> None:
        """Write recorded answers: to each question the expected one, or a wrong one. The provider of the
        tests always says です, a rehearsal repeats the question.
        """
        folder = self.folder / "configs" / "rescued"
        folder.mkdir(exist_ok=True)
        asked = questions or [
            {
                "id": f"q{number}",
                "user": f"質問{number}ですか？",
                "system": None,
                "expect": {"contains": expect},
            }
            for number in range(len(passed))
        ]
        answers = [
            {
                "prompt_id": one["id"],
                "candidate": "tuned",
                "model": MODEL,
                "answer": expect if right else WRONG,
            }
            for one, right in zip(asked, passed, strict=True)
        ]
        answers += [
            {"prompt_id": one["id"], "candidate": "base", "model": "m", "answer": expect if right else WRONG}
            for one, right in zip(asked, base, strict=False)
        ]
        texts = {"desk-openai.jsonl": lines(answers), "desk-openai.questions.jsonl": lines(asked)}
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        hashes = [hashlib.sha256(text.encode()).hexdigest() for text in texts.values()]
        manifest = {
            "file": "desk-openai.jsonl",
            "sha256": hashes[0],
            "questions_sha256": hashes[1],
            "date": "2026-11-28",
            "experiment": "desk",
            "target": "openai",
            "model": MODEL,
            "sampling": sampling or {"temperature": 0, "max_tokens": 256, "seed": 42},
        }
        (folder / "desk-openai.json").write_text(json.dumps(manifest), encoding="utf-8")

    @property
    def new(self) -> dict[str, Any]:
        """Return what the file of the port to `new` says."""
        found = yaml.safe_load((self.folder / "configs" / "desk-new.yaml").read_text(encoding="utf-8"))
        assert isinstance(found, dict)
        return found


def lines(values: Sequence[Mapping[str, Any]]) -> str:
    """Return JSON lines."""
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in values)
