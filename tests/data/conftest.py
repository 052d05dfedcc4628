"""A small project on disk, and an experiment over it, for the tests of the data."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from ftrun.experiment.model import (
    Budget,
    Data,
    Evaluation,
    Experiment,
    Notify,
    Prompt,
    Source,
    Split,
    Template,
    Train,
)
from ftrun.experiment.target import Target

MakeExperiment = Callable[..., Experiment]


@pytest.fixture
def make(tmp_path: Path) -> MakeExperiment:
    """Return a function that writes files into a project and gives the experiment over them."""

    def build(
        files: Mapping[str, str | bytes],
        *,
        paths: Iterable[str] | None = None,
        source: Mapping[str, Any] | None = None,
        split: Split | None = None,
        dedupe: Any = "exact",
        prompt: Prompt | None = None,
        target: Target | None = None,
        train: Train | None = None,
        evaluation: Evaluation | None = None,
    ) -> Experiment:
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        config = tmp_path / "experiment.yaml"
        names = list(files) if paths is None else list(paths)
        sources = tuple(
            Source(**{"path": name, "base": tmp_path, "key": ("data", "sources", index), **(source or {})})
            for index, name in enumerate(names)
        )
        places: dict[tuple[str | int, ...], tuple[Path, int, int]] = {
            ("data", "sources", index, "path"): (config, 10 + index, 13) for index in range(len(names))
        }
        chosen = target or Target(name="local", provider="local", model="smollm2-135m-instruct")
        return Experiment(
            name="toy",
            description=None,
            file=config,
            project=tmp_path,
            files=(config,),
            target=chosen,
            targets=(chosen,),
            data=Data(sources=sources, split=split, dedupe=dedupe),
            prompt=prompt or Prompt(),
            train=train or Train(),
            budget=Budget(),
            state=None,
            notify=Notify(),
            evaluation=evaluation or Evaluation(),
            places={**places, ("data", "split"): (config, 20, 3), ("prompt",): (config, 30, 3)},
        )

    return build


@pytest.fixture
def columns() -> Prompt:
    """Return the prompt for rows with the columns q and a."""
    return Prompt(user=Template(text="{{ q }}"), assistant=Template(text="{{ a }}"))


def chat(question: str, answer: str) -> str:
    """Return one line of a chat file."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return json.dumps({"messages": messages}, ensure_ascii=False) + "\n"


@pytest.fixture
def chats() -> Callable[[Iterable[int]], str]:
    """Return a function that gives a chat file with one short example a number."""

    def lines(numbers: Iterable[int]) -> str:
        return "".join(chat(f"質問{number}", f"答え{number}") for number in numbers)

    return lines


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that saves a workbook with the given sheets, lists of rows by name."""

    def save(**sheets: list[list[Any]]) -> Path:
        made = openpyxl.Workbook()
        made.remove(made.worksheets[0])
        for name, rows in sheets.items():
            sheet = made.create_sheet(name)
            for row in rows:
                sheet.append(row)
        made.save(tmp_path / "a.xlsx")
        return tmp_path / "a.xlsx"

    return save
