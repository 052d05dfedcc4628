"""What a server says when it takes a chat request not as it is: which parameter it refuses, what can be sent
instead, and which key of the experiment file changes it. Makes no call and knows nothing of the SDK.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.targets.errors import ServiceError
from ftrun.targets.service import Changes, Reply

UNSUPPORTED = re.compile(
    r"un(?:supported|known|recogni[sz]ed|expected)"
    r"|not (?:be )?(?:supported|permitted|allowed|accepted|enabled|implemented|available|recogni[sz]ed)"
    r"|(?:does ?n[o']t|do not|can ?not) (?:support|accept|use|allow|recogni[sz]e)"
    r"|only .{0,40}\b(?:supported|allowed|accepted)"
    r"|only be|deprecated|forbidden|no longer",
    re.IGNORECASE,
)
SYSTEM_ROLE = re.compile(
    r"system[ _](?:role|message|prompt|instruction)|developer instruction"
    r"|role.{0,60}['\"`]?system\b|roles must alternate",
    re.IGNORECASE | re.DOTALL,
)
RENAMED = {"max_tokens": "max_completion_tokens"}  # for a model that thinks before it answers
OPTIONAL = ("temperature", "top_p", "seed", "stream")  # what a server has a default of its own for
NO_SYSTEM = {
    "eval": "Give the `eval.prompts` a `system: null` (it asks without the experiment's system prompt), or "
    "take the model off `eval.models`; `ftrun chat` always sends the system prompt.",
    "data.augment": "Ask another one: `data.augment.model`, or --with.",
}
WHAT = {
    "eval": "Change `eval.prompts` or `eval.sampling`, or take the model off `eval.models`.",
    "data.augment": "Change `data.augment`: its `sampling`, `prompt` or `model`.",
}


def refused(told: Any, sent: Collection[str]) -> tuple[str | None, bool]:
    """Return which parameter of those that were `sent` a refusal names, and whether it is not supported at
    all (rather than having a value out of range). `told` is the answer's body: JSON values or a text.

    Where a field says which one it is (`param`, or FastAPI's `loc`) that counts, else the first in the words.
    """
    found = list(_told(told))
    for name, words in found:
        if name in sent:
            return name, bool(UNSUPPORTED.search(words))
    text = " ".join(words for _, words in found)
    places = {name: re.search(rf"\b{re.escape(name)}\b", text) for name in sent}
    named = sorted((place.start(), name) for name, place in places.items() if place)
    return (named[0][1], bool(UNSUPPORTED.search(text))) if named else (None, False)


def _told(told: Any) -> Iterator[tuple[str, str]]:
    """Yield what is said in words, with the name of the parameter where a field has it."""
    if isinstance(told, str):
        yield "", "" if told.lstrip().startswith("<") else told  # a page names anything
    elif isinstance(told, list):
        for one in told:
            yield from _told(one)
    elif isinstance(told, dict):
        words = [told[name] for name in ("code", "type", "message", "msg") if isinstance(told.get(name), str)]
        place = told.get("loc")
        names = [told.get("param"), *(place if isinstance(place, list) else ())]
        name = next((one for one in reversed(names) if isinstance(one, str)), "")
        yield name.rpartition(".")[2], " ".join(words)
        for inner in ("error", "detail", "message"):
            if not (inner == "message" and isinstance(told.get(inner), str)):
                yield from _told(told.get(inner))


def adapt(changes: Changes, sent_as: str) -> bool:
    """Note that the server refuses `sent_as`; return whether there is another way to ask. A limit of the
    answer's length is renamed, never left out: without it an answer may cost anything.
    """
    if sent_as in RENAMED and sent_as not in changes:
        changes[sent_as] = RENAMED[sent_as]
        return True
    if sent_as in OPTIONAL and sent_as not in changes:
        changes[sent_as] = None
        return True
    return False


def changed(asked: Mapping[str, Any], changes: Changes) -> dict[str, Any]:
    """Return the parameters as they are sent."""
    kept = {changes.get(name, name): value for name, value in asked.items()}
    return {name: value for name, value in kept.items() if name is not None}


def asked_as(sent_as: str, changes: Changes) -> str:
    """Return what the experiment file calls a parameter that was sent."""
    return next((name for name, other in changes.items() if other == sent_as), sent_as)


def change_notes(model: str, changes: Mapping[str, str | None]) -> list[str]:
    """Return, a line each, what the model is asked otherwise than the experiment file says."""
    return [
        f"{model} does not take `{name}`: sent as `{other}`"
        if other
        else f"{model} does not take the `{name}` asked for: left out, so the server's own default holds"
        for name, other in changes.items()
        if name != "stream"
    ]


def remarks(
    model: str, reply: Reply, changes: Mapping[str, str | None], section: str, sampling: Mapping[str, Any]
) -> list[str]:
    """Return what a person should know of how `model` was asked, and of an answer that is empty."""
    notes = change_notes(model, changes)
    if reply.cut and not reply.text.strip():
        longest = sampling.get("max_tokens", "its")
        notes.append(
            f"{model} gave an empty answer: all {longest} tokens were spent before it said anything, as by a "
            f"model that thinks first. Raise `{section}.sampling.max_tokens`"
        )
    return notes


@contextmanager
def explained(experiment: Experiment, section: str) -> Iterator[None]:
    """Let the error of a refused request name the key below `section` (eval, data.augment) to set."""
    try:
        yield
    except ServiceError as error:
        if error.code == "refused":
            _point(error, experiment, section)
        raise


def _point(error: ServiceError, experiment: Experiment, section: str) -> None:
    problem, name = error.problem, error.parameter
    if name and name != "stream":
        own_seed = (section, name) == ("data.augment", "seed")  # it chooses rows, too
        key = (*section.split("."), *(() if own_seed else ("sampling",)), name)
        file, line, column = experiment.places.get(key) or (experiment.file, None, None)
        problem.file, problem.line, problem.column = shown_path(file), line, column
        null = "" if own_seed else ", or to null to leave it to the server"
        problem.hint = f"Set `{'.'.join(key)}` to a value that this model takes{null}."
    elif SYSTEM_ROLE.search(problem.message):
        problem.hint = f"This model takes no system message. {NO_SYSTEM[section]}"
    else:
        problem.hint = f"The same request would be refused again. {WHAT[section]}"
    problem.hint += " What was answered is kept."
