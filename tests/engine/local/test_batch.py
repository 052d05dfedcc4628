"""ftrun.engine.inference.batch: many answers at once, each as it is alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.local.conftest import Recorder, finish, question
from ftrun.engine.backends import Question, TrainingJob
from ftrun.engine.inference.batch import TorchChat
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.torch_backend import train

pytestmark = pytest.mark.local


def different(count: int, adapters: tuple[Path | None, ...] = (None,)) -> list[Question]:
    """Return questions of different lengths, some greedy and some drawn with a seed, and of several adapters."""
    return [
        question(
            str(n),
            "猫は何と鳴く？" + "にゃあ" * (n % 5),
            adapter=adapters[n % len(adapters)],
            max_tokens=6 + 5 * (n % 4),
            temperature=n % 2,
            seed=n,
        )
        for n in range(count)
    ]


def test_answers_in_a_batch_are_those_alone(tiny: LoadedModel, make_job: Callable[..., TrainingJob]) -> None:
    """Whatever else is in the batch, and with which adapter: the answer is the same."""
    adapter = train(make_job(n_epochs=5), Recorder()).model_folder
    asked = different(40, (None, adapter, None))
    together = finish(TorchChat(tiny), *asked)
    alone = TorchChat(tiny)
    for one in asked:
        told = finish(alone, one)[one.id]
        assert (told.text, told.usage) == (together[one.id].text, together[one.id].usage)
    assert len({told.text for told in together.values()}) > 20
