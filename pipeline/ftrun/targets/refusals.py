"""Explain why a server refuses a chat request: which parameter it refuses, what can be sent instead, and
which key of the experiment file to change. Makes no call and knows nothing of the SDK.
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
FILTERED = "content_filter"  # a finish_reason, and who then refused to answer
REFUSED_BY = {"model": "refused", FILTERED: "withheld by the server's content filter"}
RENAMED = {"max_tokens": "max_completion_tokens"}  # for a model that thinks before it answers
OPTIONAL = ("temperature", "top_p", "seed", "stream")  # the server has its own default for these
NO_SYSTEM = {
    "eval": "Set `system: null` on the `eval.prompts` (to ask without the experiment's system prompt), or "
    "remove the model from `eval.models`; `ftrun chat` always sends the system prompt.",
    "data.augment": "Choose another model: `data.augment.model`, or --with.",
}
WHAT = {
    "eval": "Change `eval.prompts` or `eval.sampling`, or remove the model from `eval.models`.",
    "data.augment": "Change `data.augment`: its `sampling`, `prompt` or `model`.",
}


def refused(told: Any, sent: Collection[str]) -> tuple[str | None, bool]:
    """Return which of the parameters that were `sent` a refusal names, and whether the server does not
    support it at all (rather than its value). `told` is the answer's body: JSON values or text.

    A field that names the parameter (`param`, or FastAPI's `loc`) counts; else the first one in the text.
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
    """Yield the name of the parameter, if a field has it, and the text."""
    if isinstance(told, str):
        yield "", "" if told.lstrip().startswith("<") else told  # a web page may contain any word
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
    """Note that the server refuses `sent_as`; return whether there is another way to ask. The limit on the
    answer's length is renamed, never left out: without it an answer has no limit on its cost.
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
    """Return the name in the experiment file of a parameter that was sent."""
    return next((name for name, other in changes.items() if other == sent_as), sent_as)


def change_notes(model: str, changes: Mapping[str, str | None]) -> list[str]:
    """Return, one line each, how requests to the model differ from the experiment file."""
    return [
        f"{model} does not take `{name}`: sent as `{other}`"
        if other
        else f"{model} does not take the given `{name}`: left out, so the server uses its default"
        for name, other in changes.items()
        if name != "stream"
    ]


def as_shown(answer: str, refusal: str | None) -> str:
    """Return an answer as people see it: a refusal is marked as one."""
    return answer if refusal is None else f"({REFUSED_BY.get(refusal, refusal)}) {answer}".rstrip()


def remarks(
    model: str, reply: Reply, changes: Mapping[str, str | None], section: str, sampling: Mapping[str, Any]
) -> list[str]:
    """Return what a person should know about how `model` was asked, and about an empty answer."""
    notes = change_notes(model, changes)
    if reply.refusal == FILTERED:
        notes.append(f"the server's content filter withheld an answer of {model}: it is shown as a refusal")
    elif reply.refusal is not None:
        notes.append(f"{model} refused to answer a question: it is shown as a refusal, not as an answer")
    if reply.cut and not reply.text.strip():
        longest = sampling.get("max_tokens", "its")
        notes.append(
            f"{model} gave an empty answer: it used all {longest} tokens before it said anything, as a "
            f"reasoning model may. Raise `{section}.sampling.max_tokens`"
        )
    return notes


@contextmanager
def explained(experiment: Experiment, section: str) -> Iterator[None]:
    """Let the error of a refused request name the key in `section` (eval, data.augment) to change."""
    try:
        yield
    except ServiceError as error:
        if error.code == "refused":
            _point(error, experiment, section)
        raise


def _point(error: ServiceError, experiment: Experiment, section: str) -> None:
    problem, name = error.problem, error.parameter
    if name == "tools":
        problem.hint = (
            "This model doesn't support tools: remove the question, or the model from `eval.models`."
        )
    elif name and name != "stream":
        own_seed = (section, name) == ("data.augment", "seed")  # it also chooses rows
        key = (*section.split("."), *(() if own_seed else ("sampling",)), name)
        file, line, column = experiment.places.get(key) or (experiment.file, None, None)
        problem.file, problem.line, problem.column = shown_path(file), line, column
        null = "" if own_seed else ", or to null for the server's default"
        problem.hint = f"Set `{'.'.join(key)}` to a value that this model takes{null}."
    elif SYSTEM_ROLE.search(problem.message):
        problem.hint = f"This model takes no system message. {NO_SYSTEM[section]}"
    else:
        problem.hint = f"The same request would be refused again. {WHAT[section]}"
    problem.hint += " Earlier answers are kept."
