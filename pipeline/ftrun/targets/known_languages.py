"""Models that know the language of the data, where the local one that was chosen doesn't."""

from __future__ import annotations

from ftrun.engine.models.acceptance import is_accepted
from ftrun.engine.models.catalogue import CATALOGUE, find_model
from ftrun.experiment.model import Experiment
from ftrun.langid.tables import LANGUAGE_NAMES


def language_note(experiment: Experiment, language: str | None, *, leaving: str | None = None) -> list[str]:
    """Return a note if the experiment's local model was not made for the `language` of its data (ISO 639-1,
    None: unknown), with what to use instead. `leaving` is the target that a port takes the experiment from.
    """
    found = _advice(experiment, language, leaving)
    return [f"{found[0]}. {found[1]}"] if found is not None else []


def _advice(experiment: Experiment, language: str | None, leaving: str | None) -> tuple[str, str] | None:
    """Return what the local model lacks of `language` and what to use instead, None if it lacks nothing."""
    option = "--target" if leaving is None else "--to"
    if experiment.target.provider != "local" or language is None:
        return None
    model = find_model(experiment.target.model)
    if model is None or model.speaks(language):
        return None
    spoken = LANGUAGE_NAMES.get(language, language)
    message = f"{model.title} knows almost no {spoken}: it learns phrases from the data, not the language"
    better = [one for one in _better(experiment, language) if one != leaving]
    if better:
        targets = " or ".join(f"`{option} {target}`" for target in better)
        advice = f"Use {targets} for that."
        return message, advice + _terms(experiment, better)
    other, target = knowing_model(language), _free_name(experiment, language)
    if other is None:
        return message, (
            "No built-in model knows it better: use a target with another provider, or a model of the "
            "Hugging Face hub (`model: owner/name`)."
        )
    if leaving is not None:
        return message, (
            f"A model that knows it is {other}: add `{target}: {{provider: local, model: {other}}}` to "
            f"`targets`, read and accept its terms with `ftrun models --accept {other}`, then use "
            f"`--to {target}`."
        )
    return message, (
        f"A model that knows it is {other}: add `{target}: {{provider: local, model: {other}}}` to "
        f"`targets`, read and accept its terms with `ftrun models --accept {other}`, then use "
        f"`--target {target}`."
    )


def _better(experiment: Experiment, language: str) -> list[str]:
    """Return the file's targets whose model knows the language; a rehearsal knows none."""
    return [
        target.name
        for target in experiment.targets
        if target.provider != "local"
        or ((found := find_model(target.model)) and found.languages and found.speaks(language))
    ]


def _terms(experiment: Experiment, names: list[str]) -> str:
    """Return the sentence about terms that must be accepted first, if any of the targets has such a model."""
    for target in experiment.targets:
        model = find_model(target.model) if target.provider == "local" else None
        if target.name in names and model is not None and not is_accepted(model):
            return f" First read and accept the terms: `ftrun models --accept {model.name}`."
    return ""


def target_name(language: str) -> str:
    """Return the name of a target whose model knows a language that the usual one doesn't."""
    return "local-ja" if language == "ja" else "local-multilingual"


def _free_name(experiment: Experiment, language: str) -> str:
    """Return a name for such a target that the file doesn't use yet."""
    name, taken = target_name(language), {target.name for target in experiment.targets}
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 99))) if one not in taken)


def knowing_model(language: str) -> str | None:
    """Return the built-in model that was made for the language, if there is one."""
    return next((one.name for one in CATALOGUE if one.languages and one.speaks(language)), None)
