"""What is known of a target's model without asking anybody: licence, size, languages, tools, context."""

from __future__ import annotations

from dataclasses import dataclass

from ftrun.cost.models import LOCAL_LIMITS, base_model, limit_of
from ftrun.engine.models.catalogue import find_model
from ftrun.engine.models.recommended import RECOMMENDED
from ftrun.experiment.target import Target
from ftrun.langid.tables import LANGUAGE_NAMES

PROPRIETARY = ("gpt-", "chatgpt-", "o1", "o3", "o4")
MOST_NAMED = 3  # languages


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """A model as far as it is known: None, or an empty tuple, where it isn't. `context` is in tokens."""

    name: str
    license: str | None = None
    billions: float | None = None
    languages: tuple[str, ...] = ()
    context: int | None = None

    def in_words(self) -> str:
        """Return what is known, such as `135 million parameters, licence: Apache-2.0, made for English`."""
        spoken = [LANGUAGE_NAMES.get(one, one) for one in self.languages]
        made_for = spoken[0] if len(spoken) == 1 else f"{len(spoken)} languages"
        parts = [
            _size(self.billions),
            f"licence: {self.license}" if self.license is not None else "",
            f"made for {made_for}" if spoken else "",
            f"examples of up to {self.context} tokens" if self.context is not None else "",
        ]
        return ", ".join(filter(None, parts)) or "nothing else is known about it"


def _size(billions: float | None) -> str:
    if billions is None:
        return ""
    return f"{billions:g} billion parameters" if billions >= 1 else f"{1000 * billions:g} million parameters"


def known_model(target: Target) -> KnownModel:
    """Return what is known of the target's model."""
    name = target.model
    if target.provider != "local":
        own = base_model(name).startswith(PROPRIETARY)
        return KnownModel(
            name=name,
            license="the provider's own" if own else None,
            context=limit_of(target) if own else None,
        )
    built_in = find_model(name)
    if built_in is not None:
        size = next((one for part, one in SIZES.items() if part in name), None)
        return KnownModel(
            name=name,
            license=built_in.license,
            billions=size,
            languages=built_in.languages,
            context=built_in.context,
        )
    hub = next((one for one in RECOMMENDED if one.id == name), None)
    if hub is None:
        return KnownModel(name=name)
    return KnownModel(name=name, license=hub.license, billions=hub.billions, languages=hub.languages)


SIZES = {"135m": 0.135, "270m": 0.27}  # billions of parameters of the built-in models, by their names


def has_known_limit(target: Target) -> bool:
    """Return whether the model's longest example is known, so that longer ones can be counted."""
    return target.provider != "local" or target.model in LOCAL_LIMITS
