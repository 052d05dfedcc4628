"""Azure: a tuned model is deployed while questions are open, shown, priced and removed; never twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from support.azure_management import Management
from support.paid_project import Paid


def actions(document: dict[str, Any]) -> dict[str, str]:
    """Return the plan's action of each stage."""
    return {step["stage"]: step["action"] for step in document["steps"]}


def test_a_model_is_deployed_asked_and_removed(azure: Paid, management: Management) -> None:
    """The plan shows both steps; afterwards nothing is up, and a second run does nothing."""
    planned = azure.json("plan", azure.config)
    assert (actions(planned)["deploy"], actions(planned)["undeploy"]) == ("run", "run")
    document = azure.json("run", azure.config, "--yes")
    assert document["status"] == "done"
    assert azure.provider.created[0]["trainingType"] == "developerTier"
    (name,) = management.puts
    assert name.startswith("toy-") and management.deletes == [name]
    again = azure.json("run", azure.config, "--yes")
    assert {stage["action"] for stage in again["stages"].values()} == {"skip"}
    assert len(management.puts) == 1


def test_a_new_question_deploys_again_and_trains_nothing(azure: Paid, management: Management) -> None:
    """Only what is open is paid: the deployment, and the answers."""
    azure.json("run", azure.config, "--yes")
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(
        text.replace("一番は？}", "一番は？}, {id: two, user: 二番は？}"), encoding="utf-8"
    )
    found = actions(azure.json("plan", azure.config))
    assert (found["train"], found["deploy"], found["evaluate"]) == ("skip", "run", "run")
    azure.json("run", azure.config, "--yes")
    assert len(azure.provider.created) == 1
    assert len(management.puts) == len(management.deletes) == 2


def test_a_kept_deployment_stays_until_rm(azure: Paid, management: Management) -> None:
    """`keep` leaves it, chat uses it, `ftrun rm` asks and removes it."""
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(text.replace("account: acc,", "account: acc, keep: true,"), encoding="utf-8")
    azure.json("run", azure.config, "--yes")
    (name,) = management.up
    assert azure.json("chat", azure.config, "-m", "やあ")["answers"][0]["model"] == name
    assert azure.json("rm", name, azure.config, code=4)["error"]["code"] == "not_confirmed"
    assert azure.json("rm", name, azure.config, "--yes")["kind"] == "deployment"
    assert management.up == {}


def test_chat_after_the_removal_says_what_to_do(azure: Paid) -> None:
    """A model whose deployment was removed does not answer, and chat says how to have it back."""
    azure.json("run", azure.config, "--yes")
    error = azure.json("chat", azure.config, "-m", "やあ", code=2)["error"]
    assert error["code"] == "not_deployed" and "keep: true" in error["hint"]


def test_the_hour_is_priced_and_held_to_the_budget(azure: Paid) -> None:
    """A deployment by the hour is in the estimate; with its price unknown a budget refuses."""
    text = azure.config.read_text(encoding="utf-8")
    hourly = text.replace("account: acc,", "account: acc, sku: standard, usd_per_hour: 1.5,")
    azure.config.write_text(hourly, encoding="utf-8")
    plan = azure.json("plan", azure.config)
    assert plan["estimate"]["deploy_usd"] == 1.5
    assert 1.5 < plan["estimate"]["usd"] < 1.6
    assert any("US$1.50 an hour" in reason for step in plan["steps"] for reason in step["reasons"])
    assert (
        azure.json("run", azure.config, "--set", "budget={usd: 1}", code=4)["error"]["code"] == "over_budget"
    )
    azure.config.write_text(hourly.replace(" usd_per_hour: 1.5,", ""), encoding="utf-8")
    error = azure.json("run", azure.config, "--set", "budget={usd: 9}", code=4)["error"]
    assert error["code"] == "unknown_price"
    assert azure.provider.created == []


def test_without_a_deployment_block_a_person_must(azure: Paid, management: Management) -> None:
    """Training is done and kept; the hint says how to continue, and a deployment made by hand is used."""
    text = azure.config.read_text(encoding="utf-8")
    start = text.index("    deployment:")
    bare = text[:start] + text[text.index("'},\n", start) + 4 :]
    azure.config.write_text(bare, encoding="utf-8")
    error = azure.json("run", azure.config, "--yes", code=4)["error"]
    assert error["code"] == "not_deployed" and "deployment:" in error["hint"]
    management.up["mine"] = {}
    azure.config.write_text(text[:start] + "    deployment: {name: mine},\n" + bare[start:], encoding="utf-8")
    assert azure.json("run", azure.config, "--yes")["status"] == "done"
    assert len(azure.provider.created) == 1 and management.puts == [] and "mine" in management.up


def test_a_deployment_that_fails_says_so_and_can_be_tried_again(azure: Paid, management: Management) -> None:
    """The job is not lost: the next run deploys again; what fails for a moment is tried again at once."""
    management.end = "Failed"
    assert azure.json("run", azure.config, "--yes", code=1)["error"]["code"] == "deployment_failed"
    management.end, management.busy = "Succeeded", 2
    assert azure.json("run", azure.config, "--yes")["status"] == "done"
    assert len(azure.provider.created) == 1


def test_without_a_token_nothing_is_deployed(azure: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a token nor azure-identity: exit 2 with both ways to one."""
    monkeypatch.delenv("AZURE_MANAGEMENT_TOKEN")
    monkeypatch.setitem(__import__("sys").modules, "azure.identity", None)
    error = azure.json("run", azure.config, "--yes", code=2)["error"]
    assert "AZURE_MANAGEMENT_TOKEN" in error["hint"] and "ftrun[azure]" in error["hint"]


def test_a_stage_that_a_target_does_not_have_is_refused(paid: Paid) -> None:
    """`--until deploy` elsewhere would never stop."""
    assert "no such stage" in paid.json("run", paid.config, "--until", "deploy", code=2)["error"]["message"]


def test_a_developer_deployment_of_yesterday_is_gone(
    azure: Paid, management: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The developer tier ends after a day: then it is not believed to be up."""
    from ftrun.paid.deployments import FREE
    from ftrun.stages import deploy

    old = {"sku": FREE, "since": (datetime.now(UTC) - timedelta(hours=24)).isoformat()}
    assert deploy._is_over(old)
    assert not deploy._is_over({**old, "since": datetime.now(UTC).isoformat()})


def test_rm_of_a_deployment_is_remembered(azure: Paid, management: Management) -> None:
    """After `ftrun rm` the next question deploys again instead of asking nobody."""
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(text.replace("account: acc,", "account: acc, keep: true,"), encoding="utf-8")
    azure.json("run", azure.config, "--yes")
    (name,) = management.up
    azure.json("rm", name, azure.config, "--yes")
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(
        text.replace("一番は？}", "一番は？}, {id: two, user: 二番は？}"), encoding="utf-8"
    )
    azure.json("run", azure.config, "--yes")
    assert management.puts == [name, name]


def test_who_is_not_asked_is_not_deployed(azure: Paid, management: Management) -> None:
    """Questions to others alone need no deployment of the tuned model."""
    management.up["m"] = {}
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(text.replace("models: [tuned]", "models: [base]"), encoding="utf-8")
    assert actions(azure.json("plan", azure.config))["deploy"] == "skip"
    assert azure.json("run", azure.config, "--yes")["status"] == "done"
    assert management.puts == []
