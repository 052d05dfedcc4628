"""The rehearsal: what its training takes of memory, and a tuned model that is gone."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ftrun.engine import rehearsal
from ftrun.engine.backends import NumberFormat, TrainingJob
from ftrun.engine.questions import Question, Sampling


class Deaf:
    """Takes what a backend reports."""

    def event(self, message: str, *, level: Any = "info") -> None:
        """Take an event."""

    def started(
        self,
        *,
        hyperparameters: Mapping[str, int | float | str],
        total_steps: int,
        dtype: NumberFormat | None = None,
    ) -> None:
        """Take the beginning."""

    def step(self, step: int, metrics: Mapping[str, float], *, seconds_left: float | None = None) -> None:
        """Take a step."""

    def checkpoint(self, step: int, folder: Path, metrics: Mapping[str, float]) -> None:
        """Take a checkpoint."""


def test_a_rehearsal_holds_one_example_at_a_time(tmp_path: Path) -> None:
    """However large the training file is, it is read line by line and not kept."""
    row = {"messages": [{"role": "user", "content": "一番は？"}, {"role": "assistant", "content": "二番"}]}
    path = tmp_path / "train.jsonl"
    path.write_text((json.dumps(row) + "\n") * 5000, encoding="utf-8")
    job = TrainingJob(
        id="ftjob-1",
        model="rehearsal",
        training_file=path,
        validation_file=None,
        hyperparameters={"n_epochs": 1},
        seed=1,
        work=tmp_path,
    )
    tracemalloc.start()
    try:
        result = rehearsal.train(job, Deaf())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.trained_tokens == 5000 * 2
    assert peak < path.stat().st_size / 2


def test_a_tuned_model_that_is_gone_fails_its_question_alone(tmp_path: Path) -> None:
    """It is refused when it comes, not while all are answered."""
    model = rehearsal.open_chat("rehearsal")
    for name, adapter in (("base", None), ("gone", tmp_path)):
        question = Question(id=name, messages=[], adapter=adapter, sampling=Sampling())
        if adapter is None:
            model.submit(question)
        else:
            with pytest.raises(FileNotFoundError):
                model.submit(question)
    told = list[str]()
    while model.busy:
        told += [progress.id for progress in model.step()]
    assert set(told) == {"base"}
