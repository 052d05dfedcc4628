"""A small part of `benchmarks/evaluating.py`: intervals and tests are as often right as they say."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from conftest import ROOT

SIMULATIONS = 150


@pytest.fixture(scope="module")
def evaluating() -> ModuleType:
    """Return the benchmark as a module."""
    spec = importlib.util.spec_from_file_location("evaluating", ROOT / "benchmarks/evaluating.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def random() -> np.random.Generator:
    """Return seeded random numbers."""
    return np.random.default_rng(12)


def test_intervals_of_pass_rates_hold_the_truth(evaluating: ModuleType, random: np.random.Generator) -> None:
    """From 20 questions on, 93 to 97 % of them, averaged over rates from 0.1 to 0.9."""
    found = list(evaluating.proportions(SIMULATIONS, random))
    assert [one.what for one in found if not 0.92 <= one.share <= 0.98] == []


def test_intervals_of_means_hold_the_truth(evaluating: ModuleType, random: np.random.Generator) -> None:
    """Three standard errors of so few simulations are seven points."""
    found = list(evaluating.means(SIMULATIONS, random))
    assert [one.what for one in found if one.share < 0.88] == []


def test_equal_models_are_rarely_called_different(
    evaluating: ModuleType, random: np.random.Generator
) -> None:
    """In single questions, in groups, and where one of three others would do."""
    draws: list[Callable[[], Any]] = [
        partial(evaluating.passes_of_two, random, 40, (0.15, 0.15)),
        partial(evaluating.grouped_passes, random),
        partial(evaluating.sparse_numbers, random, 50),
    ]
    for draw in draws:
        assert sum(evaluating.is_different(draw()) for _ in range(SIMULATIONS)) <= 0.08 * SIMULATIONS
    assert evaluating.four_equals(SIMULATIONS, random).share <= 0.08


def test_twice_the_detectable_difference_is_found(
    evaluating: ModuleType, random: np.random.Generator
) -> None:
    """In nine of ten simulations and more."""
    size = 2 * (evaluating.detectable(0.3, 60) or 0)
    rates = (max(0.3, size) + size) / 2, (max(0.3, size) - size) / 2
    found = [evaluating.is_different(evaluating.passes_of_two(random, 60, rates)) for _ in range(SIMULATIONS)]
    assert sum(found) > 0.9 * SIMULATIONS
