"""The judgement of a division that groups or stratifies: parts without a group, missing values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.pipeline.gathering import Gathered
from ftrun.data.split.division import TRAIN
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.protocol.spec import SPLITS

FAR, FAR_ROWS = 0.5, 2  # from the size that was asked for: a share of it, and rows


def judge_parts(
    experiment: Experiment,
    gathered: Gathered,
    roles: bytearray,
    asked: Mapping[str, int],
    findings: Findings,
) -> None:
    """Add what is wrong with the division; `asked` has the number of rows of each part that was divided."""
    split = experiment.data.split
    assert split is not None
    if split.group_by:
        _judge_groups(experiment, gathered, roles, asked, findings)
        _judge_own_files(experiment, gathered, roles, findings)
    if split.stratify_by:
        _judge_strata(experiment, gathered, roles, asked, findings)


def _judge_groups(
    experiment: Experiment,
    gathered: Gathered,
    roles: bytearray,
    asked: Mapping[str, int],
    findings: Findings,
) -> None:
    empty = [part for part in ("train", *asked) if SPLITS.index(part) not in roles]
    if not empty:
        _judge_sizes(experiment, gathered, roles, asked, findings)
        return
    mine = {rank for rank, role in zip(gathered.rank_of, gathered.roles, strict=True) if role == TRAIN}
    message = f"the rows form only {len(mine)} group{'' if len(mine) == 1 else 's'}: none is left for " + (
        " and ".join(empty)
    )
    findings.add("split_groups", message, **place_of(experiment, "data", "split", "group_by"))


def _judge_sizes(
    experiment: Experiment,
    gathered: Gathered,
    roles: bytearray,
    asked: Mapping[str, int],
    findings: Findings,
) -> None:
    """Tell of parts that are far from their size, as few large groups make them."""
    got = Counter(part for part, role in zip(roles, gathered.roles, strict=True) if role == TRAIN)
    for part, wanted in asked.items():
        number = got[SPLITS.index(part)]
        if abs(number - wanted) > max(FAR * wanted, FAR_ROWS):
            message = f"{part} has {number} rows where {wanted} were asked for: groups are never divided"
            where = place_of(experiment, "data", "split", "group_by")
            findings.add("split_share", message, once=True, **where)


def _judge_own_files(
    experiment: Experiment, gathered: Gathered, roles: bytearray, findings: Findings
) -> None:
    """Tell of groups that stand in a held-out file of its own and in the training data."""
    own: dict[int, int] = {}  # group -> its first example
    for index, (rank, role) in enumerate(zip(gathered.rank_of, gathered.roles, strict=True)):
        if role != TRAIN:
            own.setdefault(rank, index)
    ranked = zip(gathered.rank_of, roles, strict=True)
    trained = {rank for rank, role in ranked if role == TRAIN and rank in own}
    if not trained:
        return
    first = min(own[rank] for rank in trained)
    file, line = gathered.place(first)
    message = (
        f"{len(trained)} group{' stands' if len(trained) == 1 else 's stand'} in a held-out file and in the "
        "training data; the first is here"
    )
    findings.add("group_leak", message, file=file, line=line)


def _judge_strata(
    experiment: Experiment,
    gathered: Gathered,
    roles: bytearray,
    asked: Mapping[str, int],
    findings: Findings,
) -> None:
    pairs = Counter(
        (own, part)
        for own, part, role in zip(gathered.stratum_of, roles, gathered.roles, strict=True)
        if role == TRAIN
    )
    values = {value for value, _ in pairs}
    for part in asked:
        missing = sum((value, SPLITS.index(part)) not in pairs for value in values)
        if missing:
            column = experiment.data.split.stratify_by if experiment.data.split else None
            message = f"{part} lacks {missing} of the {len(values)} values of {column!r}"
            where = place_of(experiment, "data", "split", "stratify_by")
            findings.add("split_strata", message, once=True, **where)
