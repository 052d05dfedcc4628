"""What of an example is compared with others: its last answer, the question before it, and the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.protocol.texts import dialogue

ENDINGS = " ?？。.!！"
LONG = 400  # characters from which only case and outer space are evened


class Turn(NamedTuple):
    """The last answer of an example, the user's text before it, and all that was said before these two."""

    question: str
    answer: str
    before: tuple[tuple[str, str], ...] = ()

    @property
    def prompt(self) -> str:
        """Return everything that the model is given before the answer."""
        return "\n".join((*(text for _, text in self.before), self.question))

    @property
    def system(self) -> str | None:
        """Return the system prompt, None if there is none."""
        return next((text for role, text in self.before if role in SYSTEM_ROLES), None)


def last_turn(example: Mapping[str, Any]) -> Turn | None:
    """Return what an example teaches last, None if it has no answer in words to a question in words."""
    said = dialogue(example)
    if not said or said[-1][0] != "assistant" or not said[-1][1].strip():
        return None
    for index in range(len(said) - 2, -1, -1):
        if said[index][0] == "user":
            return Turn(said[index][1], said[-1][1], (*said[:index], *said[index + 1 : -1]))
    return None


def normal(text: str) -> str:
    """Return `text` without differences that make no other question: case, space, the sign at its end."""
    evened = text.strip()
    if len(evened) <= LONG and ("  " in evened or "\n" in evened):
        evened = " ".join(evened.split())
    return evened.casefold().rstrip(ENDINGS)
