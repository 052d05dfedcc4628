"""The deployment of a tuned model: written down before it is requested, as it costs money by the hour, and
until it is gone. The stages `deploy` and `undeploy` use it, and so does `ftrun rm`.
"""

from __future__ import annotations

import math
import shlex
import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ftrun.errors import DecisionError
from ftrun.experiment.places import shown_path
from ftrun.experiment.target import Deployment
from ftrun.state import StageRecord
from ftrun.state.model import DEPLOY
from ftrun.workflow.context import Context
from ftrun.workflow.decision import fingerprint, shortened

if TYPE_CHECKING:  # a run with nothing to do reads no ledger and manages no deployment
    from ftrun.state.ledger import Standing
    from ftrun.targets.azure import Deployments

STAGE = DEPLOY
FREE = "developertier"  # no hourly fee; ends after a day by itself
PLACE = ("subscription", "resource_group", "account", "management_url")


def price(sku: str | None, usd_per_hour: float | None) -> str:
    """Return in words what a deployment costs."""
    if sku == FREE:
        return "no hourly fee, ends after a day"
    usd = f"about US${usd_per_hour:.2f}" if usd_per_hour is not None else "billed"
    return f"{usd} an hour until it is removed"


def management_of(context: Context, where: Deployment) -> Deployments:
    """Return the management of deployments at a resource of the target; the caller closes it."""
    from ftrun.targets.azure import Deployments

    target = context.experiment.target
    return Deployments(where, target.name, pause=min(target.poll[0] * 10, 10.0))


def called(context: Context, model: str) -> str:
    """Return the name under which the target answers for `model`: its deployment's, if it has one."""
    deployed = context.result(STAGE)
    return str(deployed["deployment"]) if model and deployed.get("model") == model else model


def is_needed(context: Context) -> bool:
    """Return whether the target needs a deployment, and there are questions or one is up."""
    experiment = context.experiment
    asked = (experiment.trains and experiment.evaluation.asks) or running(context) is not None
    return asked and context.experiment.target.capabilities.get("deployment") == "needed"


def running(context: Context) -> dict[str, Any] | None:
    """Return the facts of the deployment that ftrun created, or was about to, and that nobody removed."""
    return context.state.deployment


def begin(context: Context, inputs: Mapping[str, Any], name: str, model: str) -> dict[str, Any]:
    """Write down, in state and ledger, the deployment that is about to be created; return its facts.

    If a killed run began it, that is the same one. DecisionError if the month's budget is spent.
    """
    from ftrun.paid.spending import announce

    where, known = context.experiment.target.deployment, context.state.stages.get(STAGE)
    assert where is not None
    same = known is not None and known.fingerprint == fingerprint(inputs) and known.status != "done"
    if same and known is not None and running(context) is not None:
        return known.result
    effect = str(uuid.uuid4())
    announce(context, "deployment", effect, 0.0 if where.sku == FREE else where.usd_per_hour)
    result: dict[str, Any] = {
        "deployment": name,
        "model": model,
        "sku": where.sku,
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "effect": effect,
    }
    result["resource"] = {part: value for part, value in asdict(where).items() if part in PLACE}
    result["usd_per_hour"] = where.usd_per_hour
    context.state.stages[STAGE] = StageRecord(
        status="running", fingerprint=fingerprint(inputs), inputs=shortened(inputs), result=result
    )
    context.save(no_way_back=True)
    return result


def count_hours(context: Context) -> None:
    """Write into the ledger what the running deployment has cost so far: a month's budget counts it."""
    facts = running(context)
    if facts is None or not facts.get("effect"):
        return
    price_of_one = _hourly(facts)
    if price_of_one is None:
        return
    usd = price_of_one * len(_hours(facts))
    if usd > facts.get("counted", price_of_one):
        _note_hours(context, facts, "estimated")
        facts["counted"] = usd
        context.save()


def take_down(context: Context) -> str | None:
    """Remove the running deployment and note it; return its name, None if there is none."""
    facts = running(context)
    if facts is None:
        return None
    name = str(facts["deployment"])
    service = management_of(context, _where(context, facts))
    try:
        service.down(name)
    finally:
        service.close()
    removed(context, facts)
    context.emit("note", text=f"deployment {name} removed")
    return name


def take_down_earlier(context: Context, inputs: Mapping[str, Any]) -> None:
    """Remove a deployment of an earlier configuration, which nobody will ask; warn of one to be kept."""
    facts, record = running(context), context.state.stages.get(STAGE)
    if facts is None or record is None or record.fingerprint == fingerprint(inputs):
        return
    where = context.experiment.target.deployment
    if where is not None and where.keep:
        context.emit("warning", message=_stays(context, facts))
    else:
        take_down(context)


def removed(context: Context, facts: dict[str, Any]) -> None:
    """Note, in ledger and state, that the deployment is gone and what it cost."""
    if facts.get("effect"):
        _note_hours(context, facts, "actual")
    facts["removed"] = True
    context.save()


def warn_of_running(context: Context) -> None:
    """Warn of a deployment that a run leaves up because it did not finish."""
    facts, where = running(context), context.experiment.target.deployment
    if facts is not None and not (where is not None and where.keep):
        context.emit("warning", message=_stays(context, facts))


def _stays(context: Context, facts: Mapping[str, Any]) -> str:
    name, experiment = str(facts["deployment"]), context.experiment
    way = shlex.join(["ftrun", "rm", name, shown_path(experiment.file), "--target", experiment.target.name])
    return (
        f"deployment {name} stays up ({price(facts['sku'], facts.get('usd_per_hour'))}). To remove it: {way}"
    )


def _where(context: Context, facts: Mapping[str, Any]) -> Deployment:
    """Return the resource where it was created: the experiment may name another one by now."""
    if "resource" in facts:
        return Deployment(**facts["resource"])
    where = context.experiment.target.deployment
    if where is None:
        raise DecisionError(
            f"deployment {facts['deployment']} is still up, and the target does not say where",
            code="not_deployed",
            hint="Put `deployment: {subscription: …, resource_group: …, account: …}` back.",
        )
    return where


def _note_hours(context: Context, facts: Mapping[str, Any], how: Standing) -> None:
    """Write into the ledger what the hours cost, each in the month (UTC) in which it began."""
    from ftrun.paid.spending import settle
    from ftrun.state.ledger import Charge

    price_of_one, effect, what = _hourly(facts), facts["effect"], facts["deployment"]
    for number, (month, of_month) in enumerate(groupby(_hours(facts), key=lambda hour: f"{hour:%Y-%m}")):
        begun = list(of_month)
        usd = None if price_of_one is None else price_of_one * len(begun)
        if number == 0:
            charge = Charge("deployment", effect, how, usd=usd, what=what)
        else:
            charge = Charge("deployment", f"{effect}:{month}", how, usd=usd, what=what, at=begun[0])
        settle(context, charge)


def _hourly(facts: Mapping[str, Any]) -> float | None:
    """Return US$ for an hour; None where the price is unknown."""
    price_of_one: float | None = 0.0 if facts["sku"] == FREE else facts.get("usd_per_hour")
    return price_of_one


def _hours(facts: Mapping[str, Any]) -> list[datetime]:
    """Return when each hour that is billed began: the first at once."""
    since = datetime.fromisoformat(facts["since"])
    begun = math.ceil((datetime.now(UTC) - since) / timedelta(hours=1))
    return [since + timedelta(hours=number) for number in range(max(1, begun))]
