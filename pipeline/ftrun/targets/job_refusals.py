"""Explain why a server refuses to create a job: which key of the experiment file to change, and to what.

Reads the answer's body or, of an earlier run, its message. Makes no call and knows nothing of the SDK.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of, shown_path
from ftrun.targets.refusals import UNSUPPORTED, refused

LEFT_OUT = ("suffix", "seed", "metadata", "validation_file")  # keys that are optional in a request
PROTOCOL = ("n_epochs", "batch_size", "learning_rate_multiplier", "beta")
FIELDS = (*LEFT_OUT, "method", "hyperparameters", *PROTOCOL)
TRAINING_TYPES = "standard, globalStandard or developerTier"
AZURE_HOSTS = ("azure.com", "azure.us", "azure.cn", "microsoft.com")
SHORTEST_LIMIT = 18  # characters: the smallest limit of a suffix that services have
NOT_TUNABLE = re.compile(
    r"(?:model|deployment)\b.{0,80}(?:(?:does|do) ?n[o']t support|(?:is|are) ?n[o']t (?:supported|available|"
    r"eligible|enabled)|can ?(?:no|')t be|not allowed).{0,40}(?:fine[- ]?tun|train)"
    r"|(?:fine[- ]?tun\w*|training) (?:is |are )?(?:not |un)(?:supported|available|enabled|allowed)"
    r".{0,60}\bmodel|not (?:a )?fine[- ]?tun(?:e?able|ing model)|unsupported (?:base )?model"
    r"|model_not_fine_?tun",
    re.IGNORECASE | re.DOTALL,
)
NO_MODEL = re.compile(
    r"model_not_found|(?:no|unknown|invalid) (?:such )?(?:base )?model"
    r"|model\b.{0,80}(?:does ?n[o']t exist|not found|(?:was|has been) (?:shut down|retired|removed"
    r"|deprecated)"
    r"|(?:is )?no longer available|deprecated|not a valid)",
    re.IGNORECASE | re.DOTALL,
)
NO_FILE = re.compile(
    r"no such file|file\b.{0,60}(?:does ?n[o']t exist|not found|(?:has|was|is) (?:been )?(?:expired"
    r"|deleted))",
    re.IGNORECASE | re.DOTALL,
)
FILE_BUSY = re.compile(
    r"\bfiles?\b.{0,80}(?:not (?:yet )?(?:been )?(?:ready|processed|available)|still (?:being )?(?:process|"
    r"validat|upload)|being processed|pending|not finished processing|n[o']t been processed)"
    r"|\bfiles?\b.{0,60}\b(?:status|state)\b.{0,20}(?:uploaded|processing|pending|queued|running)"
    r"|file_not_ready|wait (?:until|for) .{0,40}\bfile",
    re.IGNORECASE | re.DOTALL,
)
TOO_LONG = re.compile(
    r"too long|too_long|max_?length|\blength\b|at most|exceed|longer than|maximum|up to|limit|above_max"
    r"|\bor (?:fewer|less)\b|between \d+ and \d+",
    re.IGNORECASE,
)
LIMIT = re.compile(
    r"(?:at most|max(?:imum|[ _]?length)?\D{0,30}?|exceeds?\D{0,30}?|longer than|up to|limit\D{0,20}?"
    r"|less than|fewer than|between \d+ and|\{\d+,)\D{0,3}(\d{1,3})\b"
    r"|\b(\d{1,3})(?:[- ]char|(?: \w+)? or (?:fewer|less)\b)",
    re.IGNORECASE,
)
CHARACTERS = re.compile(
    r"pattern|characters?\b|alphanumeric|regex|regular expression|ascii|must match|invalid suffix",
    re.IGNORECASE,
)
VALIDATION = re.compile(r"validation[ _-](?:files?|data)", re.IGNORECASE)
# words of refusals that name no parameter as such
UNKNOWN_FIELD = re.compile(
    r"extra (?:inputs?|fields?|_forbidden)|extra_forbidden|additional ?(?:property|properties)"
    r"|unrecogni[sz]ed|not (?:an? )?(?:supported|valid|known|recogni[sz]ed)|unknown|unexpected"
    r"|cannot find field|no field|not permitted|not allowed"
    r"|不支持|未知|不明|サポートされ(?:て)?い?ま?せん|対応していません",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What helps against a refusal, and the key of the experiment file that it is about, if any."""

    hint: str
    key: tuple[str | int, ...] = ()

    def where(self, experiment: Experiment) -> dict[str, Any]:
        """Return the key's place in the file; nothing for a refusal that is about no key."""
        return place_of(experiment, *self.key) if self.key else {}


def elsewhere(experiment: Experiment) -> str:
    """Return how to train the same data on this machine, with a target of the file or one to add."""
    here = next(
        (one for one in experiment.targets if one.provider == "local" and one.model != "rehearsal"), None
    )
    if here is not None:
        return f"`--target {here.name}` trains on this machine, without an account."
    return (
        "To train on this machine, without an account: add `local: {provider: local, model: "
        "smollm2-135m-instruct}` to `targets`, then use `--target local`."
    )


def is_file_busy(told: Any) -> bool:
    """Return whether a server refuses only because it has not processed a file yet."""
    return bool(FILE_BUSY.search(_text(told)))


def advice(experiment: Experiment, told: Any) -> Advice | None:
    """Return what to change so that the server takes the job; None where its answer names nothing known.

    `told` is the answer's body (JSON values) or the text of a message.
    """
    told, text = _read(told)
    return (
        _about_model(experiment, text)
        or _about_suffix(experiment, text)
        or _about_parameter(experiment, told, text)
        or _about_file(text)
    )


def _read(told: Any) -> tuple[Any, str]:
    """Return the body, from JSON inside of a message where it is one, and all its text."""
    if isinstance(told, str):
        start = min((at for sign in "[{" if (at := told.find(sign)) >= 0), default=-1)
        if start >= 0:
            try:
                inner, _ = json.JSONDecoder().raw_decode(told[start:])
            except (ValueError, RecursionError):
                return told, told
            return {"detail": inner, "message": told[:start]}, told
    return told, _text(told)


def _text(told: Any) -> str:
    return " ".join(_texts(told))


def _texts(told: Any) -> Iterator[str]:
    if isinstance(told, str):
        yield told
    elif isinstance(told, Mapping):
        for name, value in told.items():
            if name not in ("url", "input"):
                yield from _texts(value)
    elif isinstance(told, list):
        for one in told:
            yield from _texts(one)
    elif isinstance(told, int) and not isinstance(told, bool):
        yield str(told)


def _about_model(experiment: Experiment, text: str) -> Advice | None:
    target = experiment.target
    key = ("targets", target.name, "model")
    if NOT_TUNABLE.search(text):
        if is_azure(experiment) and "trainingType" not in target.extra_body:
            return Advice(
                hint="Azure also says this where the request names no training type. Set "
                f"`targets.{target.name}.extra_body: {{trainingType: globalStandard}}` (or standard, or "
                "developerTier), then run the same command again.",
                key=("targets", target.name),
            )
        if is_azure(experiment):
            return Advice(
                hint=f"Set another `trainingType` in `targets.{target.name}.extra_body` "
                f"({TRAINING_TYPES}), or "
                f"another model in `targets.{target.name}.model`: not every region trains every model in "
                "every way.",
                key=("targets", target.name, "extra_body", "trainingType"),
            )
        return Advice(
            hint=f"This server does not fine-tune {target.model}. `{models_command(experiment)}` lists its "
            f"models: set another in `targets.{target.name}.model`.",
            key=key,
        )
    if NO_MODEL.search(text):
        return Advice(
            hint=f"The server has no model {target.model} for this key, or has shut it down. "
            f"`{models_command(experiment)}` lists what it has: set another in "
            f"`targets.{target.name}.model`.",
            key=key,
        )
    return None


def is_azure(experiment: Experiment) -> bool:
    """Return whether the target is Azure's service, by its provider or its address."""
    target = experiment.target
    host = urlsplit(target.base_url or "").hostname or ""
    return target.provider == "azure" or any(host == end or host.endswith(f".{end}") for end in AZURE_HOSTS)


def _about_suffix(experiment: Experiment, text: str) -> Advice | None:
    suffix, target = experiment.train.suffix, experiment.target.name
    if suffix is None or not re.search(r"suffix", text, re.IGNORECASE):
        return None
    key, leave = ("train", "suffix"), f"or `targets.{target}.capabilities: {{suffix: left_out}}`"
    if TOO_LONG.search(text):
        limits = [int(number) for found in LIMIT.findall(text) for number in found if number]
        most = min((limit for limit in limits if 0 < limit < len(suffix)), default=None)
        short = _shortened(suffix, SHORTEST_LIMIT if most is None else most)
        return Advice(hint=f"Set `train.suffix: {short}` ({len(short)} characters), {leave}.", key=key)
    if CHARACTERS.search(text) and not UNKNOWN_FIELD.search(text):
        plain = _shortened(re.sub(r"[^a-z0-9]+", "-", suffix.lower()).strip("-") or "tuned", SHORTEST_LIMIT)
        return Advice(hint=f"Set `train.suffix: {plain}`, {leave}.", key=key)
    return None


def _shortened(suffix: str, most: int) -> str:
    return suffix[: min(most, max(1, len(suffix) - 1))].rstrip("-_. ") or "tuned"


def _about_parameter(experiment: Experiment, told: Any, text: str) -> Advice | None:
    target, train = experiment.target, experiment.train
    unset = [key for key in ("seed", "suffix") if getattr(train, key) is None]
    own = (*target.extra_body, *target.hyperparameters)
    name, unsupported = refused(told, [key for key in (*FIELDS, *own) if key not in unset])
    if name in ("method", "hyperparameters"):  # what is named inside of them is meant
        inside = [one for one in (*PROTOCOL, *own) if re.search(rf"\b{one}\b", text)]
        name = inside[0] if inside else name
    unsupported = unsupported or bool(UNKNOWN_FIELD.search(text) or UNSUPPORTED.search(text))
    if name is None and unsupported and VALIDATION.search(text):
        name = "validation_file"
    if name is None:
        return None
    if name in target.extra_body:
        return _own(experiment, "extra_body", name, unsupported)
    if name in target.hyperparameters:
        return _own(experiment, "hyperparameters", name, unsupported)
    if name in LEFT_OUT and unsupported and target.capabilities.get(name) != "left_out":
        return _capability(experiment, name, "left_out")
    if name == "method" and unsupported:
        return _about_method(experiment)
    if name == "hyperparameters" and unsupported and target.capabilities.get("method") == "left_out":
        return _capability(experiment, "method", "sent")
    if name in PROTOCOL:
        return _about_hyperparameter(experiment, name, text, unsupported)
    if name in ("seed", "suffix"):
        value = train.seed if name == "seed" else train.suffix
        hint = (
            f"The server does not take {name} {value}: set `train.{name}` to another value, or leave it out."
        )
        return Advice(hint=hint, key=("train", name))
    return None


def _capability(experiment: Experiment, name: str, value: str) -> Advice:
    target = experiment.target.name
    return Advice(
        hint=f"This server does not take `{name}` as it was sent. Set `targets.{target}.capabilities: "
        f"{{{name}: {value}}}`, then run the same command again.",
        key=("targets", target),
    )


def _about_method(experiment: Experiment) -> Advice:
    target, method = experiment.target.name, experiment.train.method
    if method == "supervised" and experiment.target.capabilities.get("method") != "left_out":
        return Advice(
            hint=f"This server does not know `method`, which newer servers expect. Set `targets.{target}."
            "capabilities: {method: left_out}`: hyperparameters are then sent at the top level. Run the same "
            "command again.",
            key=("targets", target),
        )
    return Advice(
        hint=f"This server does not train by {method}: set `train.method: supervised`, or use another "
        "target.",
        key=("train", "method"),
    )


def _about_hyperparameter(experiment: Experiment, name: str, text: str, unsupported: bool) -> Advice | None:
    target, given = experiment.target, experiment.train.hyperparameters
    sent = given.get(name, "auto")
    if sent == "auto" and target.capabilities.get("auto") == "left_out":
        return None  # it was not sent
    if sent == "auto":
        return Advice(
            hint=f"This server does not take the value `auto`. Set `targets.{target.name}.capabilities: "
            f"{{auto: left_out}}`, or a number in `train.hyperparameters.{name}`.",
            key=("targets", target.name),
        )
    if name == "learning_rate_multiplier" and unsupported:
        return Advice(
            hint=f"This server takes no multiplier. Set `train.hyperparameters.{name}: auto`, `targets."
            f"{target.name}.capabilities: {{auto: left_out, learning_rate: absolute}}` and, for a rate of "
            "your "
            f"own, `targets.{target.name}.hyperparameters: {{learning_rate: 0.00001}}`.",
            key=("train", "hyperparameters", name),
        )
    if unsupported and "auto" not in text:
        return Advice(
            hint=f"This server does not take `{name}`. Set `train.hyperparameters.{name}: auto` and "
            f"`targets.{target.name}.capabilities: {{auto: left_out}}`: the server then chooses.",
            key=("train", "hyperparameters", name),
        )
    return Advice(
        hint=f"The server does not take {sent} here: set `train.hyperparameters.{name}` to another value.",
        key=("train", "hyperparameters", name),
    )


def _own(experiment: Experiment, section: str, name: str, unsupported: bool) -> Advice:
    target = experiment.target.name
    key = f"targets.{target}.{section}.{name}"
    what = "Remove" if unsupported else "Correct"
    hint = f"{what} `{key}`: only this server's own documentation says what it takes there."
    return Advice(hint=hint, key=("targets", target, section, name))


def _about_file(text: str) -> Advice | None:
    if NO_FILE.search(text):
        return Advice(
            hint="Run the same command again: a file that the server no longer has is uploaded again."
        )
    return None


def models_command(experiment: Experiment) -> str:
    """Return the command that lists the models of the experiment's target."""
    words = ("ftrun", "ls", "models", shown_path(experiment.file), "--target", experiment.target.name)
    return shlex.join(words)
