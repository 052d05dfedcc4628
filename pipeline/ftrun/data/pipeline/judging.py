"""What is wrong with the data as a whole: groups and values that a split can't divide well, and what the
target's provider does not take (the method, the size of files, the number of images); columns without a use.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

from ftrun.cost.tool_tokens import IMAGES
from ftrun.data.diagnostics.findings import FilePlace, Findings, UnusableFileError
from ftrun.data.pipeline.gathered import Gathered
from ftrun.data.readers.rows import numbered
from ftrun.data.readers.selection import used_columns
from ftrun.data.readers.sources import EXPORTS, SourceFile
from ftrun.data.split.division import TRAIN
from ftrun.data.types import MARK
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of, shown_path
from ftrun.protocol.spec import SPLITS
from ftrun.targets.training_rules import DEFAULT_CODE, MEGA, is_default, method_faults, rules_of

LOOKED_AT = 50  # rows of a file, for the columns that it has
LARGEST_JSON = 16_000_000  # bytes: a larger one, which is read whole, isn't read once more
MOST_NAMED = 12  # columns
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
        _judge_strata(experiment, gathered, roles, asked, findings, split.stratify_by)


def _judge_groups(
    experiment: Experiment,
    gathered: Gathered,
    roles: bytearray,
    asked: Mapping[str, int],
    findings: Findings,
) -> None:
    """Report splits without a group, and those far from their size, as a few large groups make them."""
    where = place_of(experiment, "data", "split", "group_by")
    empty = [part for part in ("train", *asked) if SPLITS.index(part) not in roles]
    if empty:
        mine = {rank for rank, role in zip(gathered.rank_of, gathered.roles, strict=True) if role == TRAIN}
        groups = f"{len(mine)} group{'' if len(mine) == 1 else 's'}"
        message = f"the rows form only {groups}: none is left for {' and '.join(empty)}"
        findings.add("split_groups", message, **where)
        return
    got = Counter(part for part, role in zip(roles, gathered.roles, strict=True) if role == TRAIN)
    for part, wanted in asked.items():
        number = got[SPLITS.index(part)]
        if abs(number - wanted) > max(FAR * wanted, FAR_ROWS):
            message = f"{part} has {number} rows where {wanted} were asked for: groups are never divided"
            findings.add("split_share", message, once=True, **where)


def _judge_own_files(
    experiment: Experiment, gathered: Gathered, roles: bytearray, findings: Findings
) -> None:
    """Report groups that are in a held-out file of their own and in the training data."""
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
        f"{len(trained)} group{' is' if len(trained) == 1 else 's are'} in a held-out file and in the "
        "training data; the first is here"
    )
    findings.add("group_leak", message, file=file, line=line)


def _judge_strata(
    experiment: Experiment,
    gathered: Gathered,
    roles: bytearray,
    asked: Mapping[str, int],
    findings: Findings,
    column: str,
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
            message = f"{part} lacks {missing} of the {len(values)} values of {column!r}"
            where = place_of(experiment, "data", "split", "stratify_by")
            findings.add("split_strata", message, once=True, **where)


def judge_method(experiment: Experiment, findings: Findings) -> None:
    """Add that the provider can't train by the experiment's method."""
    for fault in method_faults(rules_of(experiment.target), experiment.train.method):
        where = place_of(experiment, "train", "method")
        code = DEFAULT_CODE if is_default(experiment) else fault.code
        findings.add(code, fault.message, hint=fault.hint, **where)


def judge_files(experiment: Experiment, gathered: Gathered, parts: bytearray, findings: Findings) -> None:
    """Add files that the provider would refuse for their size or their number of images."""
    rules, where = rules_of(experiment.target), place_of(experiment, "data", "sources")
    if rules.most_image_examples is not None:
        pairs = zip(gathered.flags, parts, strict=True)
        images = sum(1 for flags, part in pairs if flags & IMAGES and part == TRAIN)
        if images > rules.most_image_examples:
            words = f"{images:,} training examples have images; {rules.provider} takes "
            findings.add("provider_limit", f"{words}{rules.most_image_examples:,} in a file", **where)
    # which file a line goes to matters only where all of them together are too large
    if rules.file_bytes is None or gathered.spool.size <= rules.file_bytes:
        return
    sizes = [0] * len(SPLITS)
    for part, line in zip(parts, gathered.spool.lines(), strict=True):
        sizes[part] += len(line)
    for role, size in zip(SPLITS, sizes, strict=True):
        if size > rules.file_bytes:
            words = f"the {role} file has {size / MEGA:,.0f} MB; {rules.provider} takes "
            findings.add("file_size", f"{words}{rules.file_bytes / MEGA:,.0f} MB", **where)


def note_unused_columns(experiment: Experiment, files: Sequence[SourceFile], findings: Findings) -> None:
    """Add a note for each source with such columns, at the first file that has them.

    Ready chats have none: what is wrong with their keys is another finding.
    """
    if experiment.train.method == "reinforcement":
        return
    seen: set[tuple[str | int, ...]] = set()
    templates = experiment.prompt.user is not None or experiment.prompt.messages is not None
    for file in files:
        source = file.source
        if source.key in seen or file.format in ("sql", *EXPORTS) or source.shape is not None:
            continue
        if not templates and not source.group_by:
            continue
        used = used_columns(experiment, source)
        unused = [] if used is None else [name for name in _columns_of(file) if name not in used]
        if unused:
            seen.add(source.key)
            shown = ", ".join(map(repr, unused[:MOST_NAMED])) + (", …" if len(unused) > MOST_NAMED else "")
            message = f"columns that are not used: {shown}"
            findings.add("unused_column", message, file=shown_path(file.path), line=1)


def _columns_of(file: SourceFile) -> list[str]:
    """Return the columns of a file's first rows; none of ready rows, or if it can't be read."""
    if file.format == "json" and file.path.stat().st_size > LARGEST_JSON:
        return []
    found: dict[str, None] = {}
    with contextlib.suppress(UnusableFileError, OSError):
        rows = numbered(file, FilePlace(file.path.name, Findings()), needed=frozenset())
        for _, values in itertools.islice(rows, LOOKED_AT):
            if "messages" in values or ("input" in values and isinstance(values["input"], dict)):
                return []
            found |= dict.fromkeys(map(str, values))
    return [name for name in found if name and name != MARK]
