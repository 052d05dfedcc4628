"""Which rows of a source are used (`where`, `sample`, `limit`), how often (`weight`), and which columns.

What is wrong in columns that nothing uses stops nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.readers.cells import Needed
from ftrun.data.readers.sources import TEXT, SourceFile
from ftrun.data.shapes.rows import COLUMNS
from ftrun.errors import ConfigError
from ftrun.experiment.model import Experiment, RowSample, Source
from ftrun.experiment.places import place_of
from ftrun.experiment.templates.plain import named_templates
from ftrun.files import canonical_json
from ftrun.protocol.spec import CHAT_KEYS, COMPLETION_KEYS, LEGACY_KEYS, PREFERENCE_KEYS

if TYPE_CHECKING:
    from ftrun.experiment.templates.conditions import Condition, ConditionError

MESSAGE_COLUMNS = ("role", "content", "name", "weight", "tool_calls", "tool_call_id")
READY = frozenset((*CHAT_KEYS, *COMPLETION_KEYS, *PREFERENCE_KEYS, *LEGACY_KEYS, "conversations", "system"))
PORTION = 100  # rows that are judged together
ALL = 1 << 64  # more than any rank


def row_rank(values: Mapping[str, object], seed: int) -> int:
    """Return the place of a row in the seeded order of a sample: 64 bits, the same wherever it is."""
    return _rank(canonical_json(values), f"sample {seed}")


def copies(weight: float, digest: bytes) -> int:
    """Return how often the training example with this digest is used: its fraction is left to a hash."""
    whole = int(weight)
    fraction = Fraction(str(weight)) - whole
    return whole + (_rank(digest, "weight") < fraction * ALL)


def _rank(content: bytes, key: str) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8, key=key.encode()).digest())


class Choice:
    """Decides row by row, over all files of one source. Not for several threads at once.

    Where rows become conversations, `where` chooses rows, and `sample` and `limit` whole conversations.
    A sample of so many rows needs the `ranks` of all rows.
    """

    def __init__(
        self, experiment: Experiment, source: Source, findings: Findings, ranks: Iterable[int] = ()
    ) -> None:
        self._experiment, self._source, self._findings = experiment, source, findings
        self._condition = _condition(experiment, source)
        self._left = source.limit
        self._bound, self._ties = _sample_bound(source.sample, ranks)
        self.seen = 0  # rows that were offered
        self._met = 0  # of them those that meet the condition
        self._offered = self._taken = 0  # rows or conversations to draw from, and drawn

    @property
    def is_full(self) -> bool:
        """Return whether the source has given as many rows, or conversations, as its `limit` allows."""
        return self._left == 0

    @property
    def chooses(self) -> bool:
        """Return whether not every row of the source is used as it is."""
        source = self._source
        return bool(source.where or source.sample or source.group_by) or source.limit is not None

    @property
    def portion(self) -> int:
        """Return how many rows are best judged together: what follows the last that is used is not read."""
        return PORTION if self._source.limit is None else 1

    def judge(self, rows: Sequence[Mapping[str, object]]) -> Sequence[bool | ConditionError]:
        """Return the condition's verdict on each of some rows."""
        if self._condition is None:
            return (True,) * len(rows)
        try:
            return self._condition.verdicts(rows)
        except ConfigError as error:
            hint = error.problem.hint
            where = place_of(self._experiment, *self._source.key, "where")
            raise ConfigError(str(error), code=error.code, hint=hint, **where) from error

    def meets(self, verdict: bool | ConditionError, place: FilePlace, line: int) -> bool:
        """Return whether a row meets the condition; one that fails is added to the findings."""
        self.seen += 1
        self._met += verdict is True
        if not isinstance(verdict, bool):
            where = place_of(self._experiment, *self._source.key, "where")
            failure = ConfigError(f"where: {verdict}", code="where", hint=verdict.hint, **where)
            self._findings.absorb(failure, row=(place.name, line))
        return verdict is True

    def draws(self, values: Mapping[str, object]) -> bool:
        """Return whether a row that meets the condition, or a conversation of such rows, is used."""
        self._offered += 1
        if self.is_full or not self._is_sampled(values):
            return False
        if self._left is not None:
            self._left -= 1
        self._taken += 1
        return True

    def _is_sampled(self, values: Mapping[str, object]) -> bool:
        sample = self._source.sample
        if sample is None or self._bound == ALL:
            return True
        rank = row_rank(values, sample.seed)
        if rank == self._bound and self._ties:
            self._ties -= 1
            return True
        return rank < self._bound

    def finish(self) -> None:
        """Add the problem if there were rows, and none of them met the condition or fell into the sample."""
        if self._findings.failed:
            return
        if self.seen and not self._met:
            self._add_nothing("where", f"`where` leaves none of {self.seen} rows")
        elif self._offered and not self._taken:
            what = "conversations" if self._source.group_by else "rows"
            self._add_nothing("sample", f"`sample` leaves none of {self._offered} {what}")

    def _add_nothing(self, key: str, message: str) -> None:
        self._findings.add("nothing_chosen", message, **place_of(self._experiment, *self._source.key, key))


def _sample_bound(sample: RowSample | None, ranks: Iterable[int]) -> tuple[int, int]:
    """Return the rank below which rows are taken, and how many are taken that have this very rank."""
    if sample is None:
        return ALL, 0
    if sample.size < 1:
        return int(Fraction(str(sample.size)) * ALL), 0
    lowest = sorted(ranks)[: int(sample.size)]
    return (lowest[-1], lowest.count(lowest[-1])) if lowest else (ALL, 0)


def _condition(experiment: Experiment, source: Source) -> Condition | None:
    if source.where is None:
        return None
    from ftrun.experiment.templates.conditions import Condition  # imports jinja2

    return Condition(source.where, experiment.file.parent)


def needed_columns(experiment: Experiment, file: SourceFile) -> Needed:
    """Return the columns, as the file names them, that can matter; None if all of them can."""
    if file.format in TEXT:  # every value of a text file is usable
        return None
    if experiment.train.method == "reinforcement":
        return None  # graders are shown the whole row
    return used_columns(experiment, file.source)


def used_columns(experiment: Experiment, source: Source) -> Needed:
    """Return the columns of a source, as its files name them, that can matter; None if all of them can."""
    split = experiment.data.split
    names: set[str] = {"messages", *source.group_by, source.order_by or ""}
    if split is not None:
        names |= {split.stratify_by or "", *split.group_by}
    if not (experiment.prompt.user or experiment.prompt.messages):
        names |= READY | {*(MESSAGE_COLUMNS if source.group_by else ())}
    if source.shape is not None:
        names |= READY | COLUMNS
    texts = [template.text for _, template in named_templates(experiment)]
    texts += [f"{{{{ ({source.where}\n) }}}}"] if source.where is not None else []
    for text in texts:
        from ftrun.experiment.templates.syntax import names_in  # imports jinja2

        more = names_in(experiment, text)
        if more is None or (source.group_by and "rows" in more):
            return None
        names |= more
    return frozenset((source.columns or {}).get(name, name) for name in names)
