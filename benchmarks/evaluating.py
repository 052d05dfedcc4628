"""How often evaluation's 95 % intervals hold the truth, and how often its tests are right.

Usage: python benchmarks/evaluating.py [SIMULATIONS [PART...]]. Draws answers of known quality again and
again (2,000 times), lets `ftrun.evaluation` estimate and compare them, and counts. Seeded; takes a
quarter of an hour.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ftrun.evaluation.statistics import resampling
from ftrun.evaluation.statistics.comparisons import Pair, holm
from ftrun.evaluation.statistics.estimates import estimated
from ftrun.evaluation.statistics.observed import Observed
from ftrun.evaluation.statistics.proportions import detectable
from ftrun.evaluation.statistics.resampling import Resampling
from ftrun.scoring.classification import ClassMetric, Kind
from ftrun.scoring.metrics import CountedF1, Mean, share
from ftrun.scoring.types import Metric

SIMULATIONS, SEED = 2_000, 7
Numbers = NDArray[np.float64]
PASSES, NUMBERS, F1 = share("pass_rate"), Mean(name="mean", scale="number"), CountedF1(name="field_f1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A line of the table: what was simulated, which share of the simulations did it, and the goal."""

    what: str
    share: float
    goal: str
    met: bool

    @classmethod
    def between(cls, what: str, held: Sequence[bool], low: float, high: float) -> Finding:
        """Return a share that must be in a range."""
        found = fmean(held)
        return cls(what=what, share=found, goal=f"{low:.0%} to {high:.0%}", met=low <= found <= high)

    @classmethod
    def above(cls, what: str, held: Sequence[bool], least: float | None) -> Finding:
        """Return a share that must be so large (None: any)."""
        found = fmean(held)
        goal = "" if least is None else f"at least {least:.0%}"
        return cls(what=what, share=found, goal=goal, met=least is None or found >= least)

    @classmethod
    def error(cls, what: str, held: Sequence[bool]) -> Finding:
        """Return how often equals were called different: 5 % by design, and what chance adds."""
        found, noise = fmean(held), 2 * (0.05 * 0.95 / len(held)) ** 0.5
        return cls(what=what, share=found, goal="below 5%", met=found < 0.05 + noise)


def of_values(values: Iterable[float], metric: Metric, candidate: str = "a", size: int = 1) -> Observed:
    """Return what a scorer would have found: a value per question; `size` questions form a group."""
    totals = {f"q{number}": (float(value), 1.0) for number, value in enumerate(values)}
    group = {f"q{number}": f"g{number // size}" for number in range(len(totals))}
    return Observed(candidate=candidate, metric=metric, totals=totals, group=group)


def of_statistics(rows: Numbers, metric: Metric, candidate: str = "a") -> Observed:
    """Return what a scorer would have found: statistics per question."""
    names = [f"q{number}" for number in range(len(rows))]
    statistics = {
        name: {int(place): float(row[place]) for place in np.flatnonzero(row)}
        for name, row in zip(names, rows, strict=True)
    }
    return Observed(
        candidate=candidate,
        metric=metric,
        totals=dict.fromkeys(names, (0.0, 1.0)),
        group={name: name for name in names},
        statistics=statistics,
        width=rows.shape[1],
    )


def covers(observed: Observed, truth: float) -> bool:
    """Return whether the 95 % interval holds the truth."""
    found = estimated(observed, Resampling({observed.key: observed}))
    assert found.low is not None
    assert found.high is not None
    return found.low - 1e-12 <= truth <= found.high + 1e-12


def pair(left: Observed, right: Observed) -> Pair:
    """Return the comparison of two."""
    return Pair(left, right, Resampling({left.key: left, right.key: right}))


def is_different(found: Pair) -> bool:
    """Return whether two are called different."""
    interval = found.interval()
    return (found.p or 0) < 0.05 and interval is not None and not interval[0] <= 0 <= interval[1]


# intervals


def proportions(simulations: int, random: np.random.Generator) -> Iterator[Finding]:
    """Yield the coverage of pass rates, averaged over rates from 0.1 to 0.9; and in groups."""
    for n in (20, 50, 100, 500):
        hits = [
            covers(of_values([1.0] * passed + [0.0] * (n - passed), PASSES), rate)
            for rate in np.arange(0.1, 0.95, 0.1)
            for passed in random.binomial(n, rate, simulations)
        ]
        yield Finding.between(f"pass rate, {n} questions", hits, 0.93, 0.97)
    hits = [
        covers(of_values(in_groups(random, 30, 4, rate), PASSES, size=4), rate)
        for rate in (0.3, 0.5, 0.7)
        for _ in range(simulations // 3)
    ]
    yield Finding.between("pass rate, 30 groups of 4 questions", hits, 0.93, 0.98)


def in_groups(random: np.random.Generator, groups: int, size: int, rate: float) -> list[float]:
    """Return passes of questions that are alike within a group."""
    rates = random.beta(2 * rate, 2 * (1 - rate), groups)
    return [float(one) for one in (random.random((groups, size)) < rates[:, None]).ravel()]


DISTRIBUTIONS: dict[str, tuple[Callable[[np.random.Generator, int], Numbers], float]] = {
    "normal": (lambda random, n: random.normal(3, 1, n), 3),
    "between 0 and 1, most near the ends": (lambda random, n: random.beta(0.5, 0.5, n), 0.5),
    "half zero, else between 0 and 1": (lambda random, n: random.random(n) * (random.random(n) < 0.5), 0.25),
    "skewed (exponential)": (lambda random, n: random.exponential(1, n), 1),
}


def means(simulations: int, random: np.random.Generator) -> Iterator[Finding]:
    """Yield the coverage of means."""
    for name, (draw, truth) in DISTRIBUTIONS.items():
        for n in (20, 50, 200):
            hits = [covers(of_values(draw(random, n), NUMBERS), truth) for _ in range(simulations)]
            yield Finding.above(f"mean, {name}, {n} questions", hits, 0.92 if n >= 50 else None)


# shares of true labels (rows) and labels said (columns, the last for none of them)
CONFUSION = np.array(
    [
        [0.30, 0.05, 0.03, 0.01, 0.01],
        [0.04, 0.20, 0.03, 0.02, 0.01],
        [0.02, 0.03, 0.12, 0.02, 0.01],
        [0.01, 0.02, 0.01, 0.05, 0.01],
    ]
)


def classes(simulations: int, random: np.random.Generator) -> Iterator[Finding]:
    """Yield the coverage of class metrics."""
    kinds: tuple[Kind, ...] = ("precision_macro", "recall_macro", "f1_macro", "f1_micro")
    metrics = [ClassMetric(name=kind, kind=kind, labels=len(CONFUSION)) for kind in kinds]
    flat = CONFUSION.ravel() / CONFUSION.sum()
    truths = {one.name: float(one.combine(flat[None, :])[0]) for one in metrics}
    for n in (200, 500):
        hits: dict[str, list[bool]] = {one.name: [] for one in metrics}
        for _ in range(simulations):
            first = of_statistics(np.eye(flat.size)[random.choice(flat.size, n, p=flat)], metrics[0])
            known = {("a", one.name): replace(first, metric=one) for one in metrics}
            drawn = Resampling(known)
            for (_, name), one in known.items():
                found = estimated(one, drawn)
                hits[name].append((found.low or 0) <= truths[name] <= (found.high or 0))
        for name, held in hits.items():
            yield Finding.between(f"{name}, {n} answers", held, 0.93, 0.97)


# comparisons


def passes_of_two(random: np.random.Generator, n: int, rates: tuple[float, float]) -> Pair:
    """Return a comparison in which only a passes with the first probability, only b with the second."""
    kinds = random.choice(3, n, p=(*rates, 1 - sum(rates)))
    both = random.random(n) < 0.5
    left = np.where(kinds == 0, True, np.where(kinds == 1, False, both))
    right = np.where(kinds == 0, False, np.where(kinds == 1, True, both))
    return pair(of_values(left, PASSES), of_values(right, PASSES, "b"))


def numbers_of_two(random: np.random.Generator, n: int, better: float) -> Pair:
    """Return a comparison of numbers of which a's are higher by so much."""
    common = random.normal(0, 1, n)
    left, right = common + random.normal(better, 0.7, n), common + random.normal(0, 0.7, n)
    return pair(of_values(left, NUMBERS), of_values(right, NUMBERS, "b"))


def f1_of_two(random: np.random.Generator, n: int, better: float) -> Pair:
    """Return a comparison of F1 from counts, of which a's is higher by so much."""
    fields = random.integers(2, 7, n)
    right = [random.binomial(fields, rate) for rate in (0.6 + better, 0.6)]
    found = [
        of_statistics(np.column_stack((one, fields, fields)).astype(float), F1, name)
        for one, name in zip(right, "ab", strict=True)
    ]
    return pair(*found)


def equals(simulations: int, random: np.random.Generator) -> Iterator[Finding]:
    """Yield how often two equal models are called different."""

    draws: dict[str, Callable[[], Pair]] = {
        **{
            f"pass rate, {n} questions": partial(passes_of_two, random, n, (0.15, 0.15))
            for n in (20, 60, 200)
        },
        "pass rate, 30 groups of 4": partial(grouped_passes, random),
        **{f"mean, {n} questions": partial(numbers_of_two, random, n, 0) for n in (10, 50, 200)},
        "mean, few of 50 questions differ": partial(sparse_numbers, random, 50),
        **{f"F1, {n} questions": partial(f1_of_two, random, n, 0) for n in (20, 50, 200)},
    }
    shares = []
    for what, draw in draws.items():
        one = Finding.error(f"equal models: {what}", [is_different(draw()) for _ in range(simulations)])
        shares.append(one.share)
        yield one
    one = four_equals(simulations, random)
    yield one
    average = fmean([*shares, one.share])
    yield Finding(what="equal models: average", share=average, goal="below 5%", met=average < 0.05)


def grouped_passes(random: np.random.Generator) -> Pair:
    """Return a comparison of equals whose questions come in groups: a group has a model that it suits."""
    suits = np.repeat(random.normal(0, 1, 30), 4)
    left, right = (random.random(120) < 1 / (1 + np.exp(-side * suits)) for side in (1, -1))
    return pair(of_values(left, PASSES, size=4), of_values(right, PASSES, "b", size=4))


def sparse_numbers(random: np.random.Generator, n: int) -> Pair:
    """Return a comparison of equals that give the same answer to nine in ten questions."""
    common = random.random(n)
    left, right = (np.where(random.random(n) < 0.05, random.random(n), common) for _ in range(2))
    return pair(of_values(left, NUMBERS), of_values(right, NUMBERS, "b"))


def four_equals(simulations: int, random: np.random.Generator) -> Finding:
    """Return how often one of three candidates is called different from the first, all being equal."""
    called = []
    for _ in range(simulations):
        subject, *others = random.random((4, 100)) < 0.6
        pairs = [pair(of_values(subject, PASSES), of_values(one, PASSES, "b")) for one in others]
        called.append(min(holm([one.p or 0 for one in pairs])) < 0.05)
    return Finding.error("equal models: pass rate, one of 3 others (Holm), 100 questions", called)


def differences(simulations: int, random: np.random.Generator) -> Iterator[Finding]:
    """Yield how often the smallest detectable difference, and twice as much, is found."""
    for times in (1, 2):
        goal = 0.9 if times == 2 else None
        for n in (60, 200):
            least = detectable(0.3, n) or 0
            size = times * least
            differing = max(0.3, size)
            rates = (differing + size) / 2, (differing - size) / 2
            found = [is_different(passes_of_two(random, n, rates)) for _ in range(simulations)]
            yield Finding.above(f"{times} x detectable: pass rate, {n} questions", found, goal)
        drawn: tuple[tuple[str, int, Callable[[np.random.Generator, int, float], Pair]], ...] = (
            ("mean", 50, numbers_of_two),
            ("F1", 100, f1_of_two),
        )
        for what, n, draw in drawn:
            size = times * fmean(draw(random, n, 0).detectable or 0 for _ in range(50))
            found = [is_different(draw(random, n, size)) for _ in range(simulations)]
            yield Finding.above(f"{times} x detectable: {what}, {n} questions", found, goal)


PARTS: dict[str, Callable[[int, np.random.Generator], Iterator[Finding]]] = {
    "proportions": proportions,
    "means": means,
    "classes": classes,
    "equals": equals,
    "differences": differences,
}


def main(arguments: list[str]) -> int:
    """Print the table; return 1 if a goal was missed."""
    simulations, names = int(arguments[0]) if arguments else SIMULATIONS, arguments[1:] or list(PARTS)
    missed = False
    print("| | share | goal |\n|---|---|---|")
    for name in names:
        for one in PARTS[name](simulations, np.random.default_rng(SEED)):
            missed |= not one.met
            print(f"| {one.what} | {one.share:.1%} | {one.goal}{'' if one.met else ' MISSED'} |", flush=True)
    return int(missed)


if __name__ == "__main__":
    # draws are the same for any data: made once for each number of groups
    draw_weights = resampling._weights
    vars(resampling)["_weights"] = cache(lambda groups: list(draw_weights(groups)))
    sys.exit(main(sys.argv[1:]))
