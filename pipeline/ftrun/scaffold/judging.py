"""How a drafted experiment judges answers: candidates, scorers, the metric of the verdict, the test split.

Only what the rows show for certain: labels, JSON objects, calls, answers that can be given word for word.
Everything else is compared with its reference by chrF.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.protocol.spec import FEWEST_EXAMPLES, Method
from ftrun.scaffold.shapes import Pair, Shape

TEST, TEST_OF_LABELS = 0.1, 0.2  # shares; class metrics need more rows than others
MOST_TESTED = 200  # rows: asking more takes long, and such a test shows small differences already
RAREST = 10  # rows of a label, so that a tenth of them is one
FEWEST_TESTED = 2  # rows of a label in the test split, as divided by its share
EXACT = "the share of answers that are the reference"
SIMILAR = "how much of the reference's characters an answer has, 0 to 100"
LONGEST_SHOWN = 1_000  # characters of question and answer on average that a prompt can take as an example


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What goes under `eval` beside the questions, and into the split.

    `test` is a share, a count, or None for no test split. `stratify_by` is the column of the labels as
    templates name it. `scorers` are names with their options; `why` says in words what the metric is (None:
    the default one of what is asked).
    `general`: ask the general questions too; not where answers may be a few tokens long.
    """

    models: tuple[str, ...]
    metric: str | None
    why: str
    scorers: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    test: float | int | None = None
    stratify_by: str | None = None
    general: bool = True


def judging_of(
    shape: Shape,
    method: Method,
    rows: Sequence[Mapping[str, Any]],
    *,
    distinct: int,
    exact: bool | None,
    own_test: bool,
) -> Judging:
    """Return how to judge; `rows` as they are read, `distinct` how many different examples they make.

    `exact`: a grader's references are short enough for equality; None: there is no grader. `own_test`: the
    test split is a file of its own.
    """
    test = _test(distinct, TEST_OF_LABELS if shape.labels else TEST)
    if method != "supervised":
        metric, why = ("exact_match", EXACT) if exact else ("chrf", SIMILAR)
        return Judging(models=("tuned", "base"), metric=metric, why=why, test=test)
    models = ("tuned", "base", "few-shot") if _can_be_shown(shape.pairs) else ("tuned", "base")
    if _is_classified(shape):
        spread = not own_test and _is_in_every_split(shape, test, distinct)
        return Judging(
            models=models,
            metric="f1_macro",
            why="the mean F1 of the labels: rare ones count as much as frequent ones",
            # a declared label that no question has would be refused
            scorers=(("classification", {"labels": list(shape.labels)} if spread else {}),),
            test=test,
            stratify_by=_column(shape, "assistant") if spread else None,
            general=False,
        )
    if _call(rows):
        # the test split may have only calls, or none: what judges them is left to the defaults
        return Judging(models=("tuned", "base"), metric=None, why="", test=test)
    answers = _answers(shape, rows)
    if answers and all(map(_is_json_object, answers)):
        return Judging(
            models=models,
            metric="field_f1",
            why="the fields of the JSON objects that are right",
            scorers=(("extraction", {}), ("json", {})),
            test=test,
        )
    return Judging(models=models, metric="chrf", why=SIMILAR, test=test)


def _test(rows: int, share: float) -> float | int | None:
    """Return what the test split takes; nothing where training would come near its minimum."""
    if rows < 2 * FEWEST_EXAMPLES:
        return None
    return MOST_TESTED if share * rows > MOST_TESTED else share


def _can_be_shown(pairs: Sequence[Pair]) -> bool:
    """Return whether examples are short enough to put several of them into a prompt."""
    return bool(pairs) and sum(len(a) + len(b) for a, b in pairs) / len(pairs) <= LONGEST_SHOWN


def _is_classified(shape: Shape) -> bool:
    """Return whether the labels stay different in the form in which answers are compared with them."""
    plain = {unicodedata.normalize("NFKC", one).casefold().strip() for one in shape.labels}
    return bool(shape.labels) and len(plain) == len(shape.labels)


def _is_in_every_split(shape: Shape, test: float | int | None, rows: int) -> bool:
    """Return whether every label is frequent enough for both held-out splits to get it."""
    if test is None:
        return False
    rarest = min(Counter(answer for _, answer in shape.pairs).values())
    share = test if isinstance(test, float) else test / rows
    return rarest >= RAREST and rarest * share >= FEWEST_TESTED


def _column(shape: Shape, what: str) -> str | None:
    """Return the name, in rows, of a column that the shape names."""
    column = (shape.columns or {}).get(what)
    return next((new for new, old in shape.renamed.items() if old == column), column)


def _call(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether most chats end with calls of functions."""
    last = [messages[-1] for row in rows if isinstance(messages := row.get("messages"), list) and messages]
    calling = sum(isinstance(one, dict) and bool(one.get("tool_calls")) for one in last)
    return bool(last) and 2 * calling > len(rows)


def _answers(shape: Shape, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the rows answer, as far as these are texts."""
    if shape.columns is not None:
        return [answer for _, answer in shape.pairs]
    last = [messages[-1] for row in rows if isinstance(messages := row.get("messages"), list) and messages]
    return [str(one.get("content")) for one in last if isinstance(one, dict)]


def _is_json_object(text: str) -> bool:
    if not text.lstrip().startswith("{"):
        return False
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
