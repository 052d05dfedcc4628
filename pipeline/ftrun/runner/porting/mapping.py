"""What becomes of each thing when an experiment moves to another target: kept, changed, dropped or refused,
each with its reason. Pure: it reads no file and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ftrun.cost.price_table import at_openai
from ftrun.experiment import providers
from ftrun.experiment.model import Experiment
from ftrun.experiment.target import Target
from ftrun.protocol.spec import METHOD_HYPERPARAMETERS
from ftrun.targets import server_of
from ftrun.targets.known_models import known_model
from ftrun.targets.training_rules import LOCAL, method_faults, rules_of

Status = Literal["kept", "changed", "dropped", "asked", "refused"]
HYPERPARAMETERS = "train.hyperparameters"
RATE = "learning_rate_multiplier"
BY_SET = "set with --set"
JUDGES = ("score_model", "label_model", "python")  # graders that need a model or a sandbox of the provider
AN_EXAMPLE_RATE = "0.00001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """One thing of the experiment: what it was, what it becomes, and why. `hint`: what to do where it is
    refused or asked.
    """

    key: str
    old: Any = None
    new: Any = None
    reason: str
    status: Status = "kept"
    hint: str | None = None

    @classmethod
    def kept(cls, key: str, value: Any, reason: str) -> Mapped:
        """Return that it stays as it is."""
        return cls(key=key, old=value, new=value, reason=reason)

    @classmethod
    def changed(cls, key: str, old: Any, new: Any, reason: str) -> Mapped:
        """Return that it becomes something else."""
        return cls(key=key, old=old, new=new, reason=reason, status="changed")

    @classmethod
    def chosen(cls, key: str, old: Any, new: Any) -> Mapped:
        """Return that a person changed it with --set."""
        return cls.changed(key, old, new, BY_SET)

    @classmethod
    def dropped(cls, key: str, old: Any, reason: str) -> Mapped:
        """Return that the new target has no use for it."""
        return cls(key=key, old=old, reason=reason, status="dropped")

    @classmethod
    def refused(cls, key: str, old: Any, reason: str, *, hint: str) -> Mapped:
        """Return that it has no counterpart on the new target."""
        return cls(key=key, old=old, reason=reason, status="refused", hint=hint)

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `port --json`."""
        shown = {"key": self.key, "from": self.old, "to": self.new, "reason": self.reason}
        return {**shown, "status": self.status, **({} if self.hint is None else {"hint": self.hint})}


def service_name(target: Target) -> str:
    """Return what people call the service of a target."""
    known = rules_of(target).provider
    if known != "this server":
        return known
    own = target.provider == "openai" or target.base_url != _own_address(target)
    return f"the server of target {target.name}" if own else str(providers.service(target.provider)["title"])


def _own_address(target: Target) -> str | None:
    pattern = providers.service(target.provider).get("base_url")
    return None if pattern is None else str(pattern).format(region=target.region)


def rate_family(target: Target) -> str:
    """Return what a learning rate multiplier of this target is relative to: the same text, the same rates."""
    if target.provider == "local":
        return "local"
    if target.provider == "azure" or at_openai(target):
        return "OpenAI"
    return server_of(target.base_url or "")


def model_mapping(old: Target, new: Target, whence: str) -> Mapped:
    """Return what becomes of the base model; `whence` says where its name is from."""
    before, after = known_model(old), known_model(new)
    now, then = after.in_words(), before.in_words()
    reason = f"{whence}; new: {now}; old: {then}"
    return Mapped.changed("model", old.model, new.model, reason)


def train_mapping(old: Experiment, new: Target, given: Mapping[str, Any]) -> Iterator[Mapped]:
    """Yield what becomes of everything under `train`, but `continue_from`, and of the old target's own keys.

    `given` is `train` as --set has it: what a person chose is not mapped.
    """
    yield _method(old, new, given)
    yield from _grader(old, new)
    yield from _hyperparameters(old, new, given.get("hyperparameters") or {})
    yield from _of_the_job(old, new, given)
    yield from _of_the_target(old.target, new)


def _method(old: Experiment, new: Target, given: Mapping[str, Any]) -> Mapped:
    method = str(given.get("method", old.train.method))
    faults = list(method_faults(rules_of(new), method))
    if faults:
        provider = service_name(new)
        return Mapped.refused(
            "train.method",
            old.train.method,
            f"{provider} doesn't support {method}",
            hint="Choose a target that does with --to.",
        )
    reason = f"{service_name(new)} supports it too"
    if method != old.train.method:
        return Mapped.chosen("train.method", old.train.method, method)
    return Mapped.kept("train.method", method, reason)


def _grader(old: Experiment, new: Target) -> Iterator[Mapped]:
    grader = old.train.grader
    if grader is None:
        return
    foreign = sorted(set(_kinds(grader)) & set(JUDGES))
    if foreign and rules_of(new) is LOCAL:
        kinds, service = ", ".join(foreign), service_name(new)
        yield Mapped.refused(
            "train.grader",
            grader.get("type"),
            f"{service} doesn't support graders of type {kinds}",
            hint="Choose a target that has them with --to, or write a grader of another type.",
        )
    elif new.provider == "bedrock":
        reason = "sent as it is; Amazon Bedrock documents only graders of type lambda, and may refuse it"
        yield Mapped.kept("train.grader", grader.get("type"), reason)
    else:
        yield Mapped.kept("train.grader", grader.get("type"), "sent as it is")


def _kinds(grader: Mapping[str, Any]) -> Iterator[str]:
    yield str(grader.get("type"))
    inner = grader.get("graders")
    for one in inner.values() if isinstance(inner, Mapping) else ():
        if isinstance(one, Mapping):
            yield from _kinds(one)


def _hyperparameters(old: Experiment, new: Target, given: Mapping[str, Any]) -> Iterator[Mapped]:
    values = old.train.hyperparameters
    for name, decide in (("n_epochs", _epochs), ("batch_size", _batch)):
        key, before = f"{HYPERPARAMETERS}.{name}", values.get(name, "auto")
        if name in given:
            yield Mapped.chosen(key, before, given[name])
        else:
            yield Mapped.kept(key, before, decide(before, new))
    yield _rate(old.target, new, values.get(RATE, "auto"), given.get(RATE))
    own = METHOD_HYPERPARAMETERS.get(old.train.method, ())
    for name in (one for one in own if one in values or one in given):
        yield _of_the_method(name, values.get(name), given.get(name), new)


def _epochs(before: Any, new: Target) -> str:
    service = service_name(new)
    if before != "auto":
        return "as used: the same number of passes over the same rows"
    if new.capabilities.get("auto") == "left_out":
        return f"{service} does not know `auto`: it is not sent, and the service chooses"
    return f"{service} chooses by its own rule"


def _batch(before: Any, new: Target) -> str:
    service = service_name(new)
    if before == "auto":
        return _epochs(before, new)
    if new.provider == "local":
        return "as used: the engine trains with batches of this size"
    if rate_family(new) == "OpenAI":
        return f"as used: {service} takes any size from 1 to 256"
    return f"as used: a size that {service} doesn't offer is refused before a job exists"


def _rate(old: Target, new: Target, before: Any, given: Any) -> Mapped:
    """Return what becomes of the multiplier: relative to a service's rate, it is never taken for one."""
    key, service = f"{HYPERPARAMETERS}.{RATE}", service_name(new)
    wanted = before if given is None else given
    if new.capabilities.get("learning_rate") == "absolute" and wanted != "auto":
        return _absolute(key, new, before, given)
    if given is not None:
        return Mapped.chosen(key, before, given)
    if before == "auto":
        reason = f"the usual rate of {service}"
        return Mapped.kept(key, before, reason)
    if rate_family(old) == rate_family(new):
        return Mapped.kept(key, before, "relative to the same rates as before")
    was = service_name(old)
    reason = (
        f"{before:g} times the usual rate of {was} says nothing about the rates of {service}: its usual rate "
        "is used"
    )
    return Mapped.changed(key, before, "auto", reason)


def _absolute(key: str, new: Target, before: Any, given: Any) -> Mapped:
    service, rate = service_name(new), new.hyperparameters.get("learning_rate")
    wanted = before if given is None else given
    place = f"targets.{new.name}.hyperparameters"
    if given is None and rate is not None:
        reason = f"{service} takes an absolute learning rate: {rate:g}, from {place}"
        return Mapped.changed(key, before, "auto", reason)
    return Mapped.refused(
        key,
        before,
        f"{service} takes an absolute learning rate, and would use {wanted} as one",
        hint=f"Choose a rate: --set {place}.learning_rate={AN_EXAMPLE_RATE}",
    )


def _of_the_method(name: str, before: Any, given: Any, new: Target) -> Mapped:
    key, service = f"{HYPERPARAMETERS}.{name}", service_name(new)
    if given is not None:
        return Mapped.chosen(key, before, given)
    if name == "top_layers" and new.provider != "local":
        return Mapped.refused(
            key,
            before,
            f"{service} can't train only the top layers",
            hint=f"Delete `{name}` from a copy of the experiment, and port that.",
        )
    return Mapped.kept(key, before, "as used: it belongs to the method")


def _left_out(capability: str, service: str) -> str:
    """Return what it means that a service doesn't take something."""
    return {
        "seed": f"{service} takes no seed: it is not sent, and two trainings may differ",
        "suffix": f"{service} takes no suffix: the model's name will not have it",
        "metadata": f"{service} takes no metadata: they are not sent",
        "validation_file": f"{service} takes no validation file: there will be no validation loss",
    }[capability]


def _of_the_job(old: Experiment, new: Target, given: Mapping[str, Any]) -> Iterator[Mapped]:
    train, service = old.train, service_name(new)
    reasons = {
        "seed": "the same seed; other machines and models give other weights with it",
        "suffix": "part of the new model's name too",
        "metadata": "sent with the new job too",
    }
    values = {"seed": train.seed, "suffix": train.suffix, "metadata": dict(train.metadata) or None}
    for name, before in values.items():
        key = f"train.{name}"
        if name in given:
            yield Mapped.chosen(key, before, given[name])
        elif before is not None:
            yield sent_or_not(key, name, before, new, reasons[name])
    stop = train.stop_when
    if stop != type(stop)():
        if new.capabilities.get("guards") == "theirs":
            reason = f"{service} stops bad training itself: it is not used"
            yield Mapped.dropped("train.stop_when", "set", reason)
        else:
            yield Mapped.kept("train.stop_when", "set", "ftrun watches it itself")


def sent_or_not(key: str, capability: str, before: Any, new: Target, reason: str) -> Mapped:
    """Return what becomes of something that a service may not take."""
    if new.capabilities.get(capability) == "left_out":
        why = _left_out(capability, service_name(new))
        return Mapped.dropped(key, before, why)
    return Mapped.kept(key, before, reason)


def shared_mapping(old: Experiment) -> Iterator[Mapped]:
    """Yield what the new experiment inherits beside data, training and evaluation."""
    budget = {"usd": old.budget.usd, "usd_per_month": old.budget.usd_per_month}
    for name, value in budget.items():
        if value is not None:
            reason = "it applies to the new experiment too"
            yield Mapped.kept(f"budget.{name}", value, reason)
    if old.state is not None:
        reason = "the new experiment keeps its state there too, under its own name"
        yield Mapped.kept("state", old.state, reason)


def _of_the_target(old: Target, new: Target) -> Iterator[Mapped]:
    """Yield the keys that only the old service knows."""
    service = service_name(old)
    for name in ("extra_body", "hyperparameters"):
        before, after = dict(getattr(old, name)), dict(getattr(new, name))
        if before:
            yield Mapped(
                key=f"targets.{old.name}.{name}",
                old=before,
                new=after or None,
                reason=f"only {service} knows it; what the new target needs is in targets.{new.name}.{name}",
                status="dropped",
            )
