"""Azure: a tuned model is deployed while questions are open, shown, priced and removed; never twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from paid import KEY, Paid, make_paid
from provider import Provider
from scripted import Answer, Asked, ScriptedServer, refusal

PLACE = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.CognitiveServices/accounts/acc/deployments/"


class Management:
    """The management API in memory: a deployment is there after some looks."""

    def __init__(self) -> None:
        self.up: dict[str, dict[str, Any]] = {}
        self.puts: list[str] = []
        self.deletes: list[str] = []
        self.end, self.busy = "Succeeded", 0

    def __call__(self, asked: Asked) -> Answer:
        """Answer one request."""
        assert asked.path.startswith(PLACE) and asked.query["api-version"]
        assert asked.headers["Authorization"] == f"Bearer {KEY}-management"
        name = asked.path.removeprefix(PLACE)
        if self.busy > 0:
            self.busy -= 1
            return refusal(503, "busy")
        if asked.method == "PUT":
            self.puts.append(name)
            self.up[name] = {"body": asked.body, "looks": 0}
            return Answer({"properties": {"provisioningState": "Accepted"}}, 201)
        if name not in self.up:
            return refusal(404, "no deployment")
        if asked.method == "DELETE":
            self.deletes.append(name)
            del self.up[name]
            return Answer(b"", 202)
        self.up[name]["looks"] += 1
        state = "Creating" if self.up[name]["looks"] < 3 else self.end
        return Answer({"properties": {"provisioningState": state}})


@pytest.fixture
def management() -> Management:
    """Return the management API's script."""
    return Management()


@pytest.fixture
def azure(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    management: Management,
) -> Iterator[Paid]:
    """Yield a project on Azure, where only deployments answer."""
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setenv("AZURE_MANAGEMENT_TOKEN", f"{KEY}-management")
    provider = Provider(models={"m": {"capabilities": {"fine_tune": True}}})

    def hook(asked: Asked) -> Answer | None:
        if asked.path.endswith("/chat/completions") and asked.body["model"] not in management.up:
            return refusal(404, "The API deployment for this resource does not exist", "DeploymentNotFound")
        return None

    provider.hook = hook
    paid = make_paid(tmp_path, capfd, provider)
    server = ScriptedServer(management)
    text = paid.config.read_text(encoding="utf-8")
    text = text.replace("provider: openai,", "provider: azure,").replace(
        "api_key_env: SOME_KEY,",
        f"""api_key_env: SOME_KEY, extra_body: {{trainingType: developerTier}},
    deployment: {{subscription: sub, resource_group: rg, account: acc,
      management_url: '{server.origin}'}},""",
    )
    paid.config.write_text(text, encoding="utf-8")
    yield paid
    server.close()
    paid.server.close()


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
    """Training is done and kept; the way on is said, and a deployment made by hand is used."""
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
    from ftrun.stages import deploy
    from ftrun.stages.deployment import FREE

    old = {"sku": FREE, "since": (datetime.now(UTC) - timedelta(hours=24)).isoformat()}
    assert deploy._over(old)
    assert not deploy._over({**old, "since": datetime.now(UTC).isoformat()})


OTHER = "train: {hyperparameters: {n_epochs: 2}}\n"


def hourly(azure: Paid) -> None:
    """Let the deployment cost by the hour."""
    text = azure.config.read_text(encoding="utf-8")
    text = text.replace("account: acc,", "account: acc, sku: standard, usd_per_hour: 1.5,", 1)
    azure.config.write_text(text, encoding="utf-8")


def refuse_answers(azure: Paid) -> None:
    """Let no model answer any more."""
    azure.provider.hook = lambda asked: (
        refusal(400, "no answer") if asked.path.endswith("/chat/completions") else None
    )


def test_a_deployment_that_is_left_behind_is_told_and_removed_for_the_next(
    azure: Paid, management: Management
) -> None:
    """A run that fails while it asks says what stands and costs; another configuration removes it first."""
    hook = azure.provider.hook
    hourly(azure)
    refuse_answers(azure)
    azure.json("run", azure.config, "--yes", code=1)
    (left,) = management.up
    assert f"deployment {left} stays up" in azure.error and f"ftrun rm {left}" in azure.error
    azure.provider.hook = hook
    azure.add(OTHER)
    azure.json("run", azure.config, "--yes")
    assert management.up == {} and management.deletes[0] == left and len(management.puts) == 2


def test_a_deployment_whose_run_died_is_known_and_removed(
    azure: Paid, management: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written down before it is asked for: also after a death in between it is found and removed."""
    from ftrun.targets.deployments import Deployments

    def die(self: Deployments, name: str) -> str | None:
        raise KeyboardInterrupt

    hourly(azure)
    look = Deployments.state
    monkeypatch.setattr(Deployments, "state", lambda self, name: die(self, name) if management.up else None)
    azure.json("run", azure.config, "--yes", code=130)
    (left,) = management.up
    monkeypatch.setattr(Deployments, "state", look)
    azure.add(OTHER)
    azure.json("run", azure.config, "--yes")
    assert management.up == {} and left in management.deletes


def test_without_questions_what_still_stands_is_removed(azure: Paid, management: Management) -> None:
    """Questions that are taken out of the file leave no deployment behind."""
    hourly(azure)
    refuse_answers(azure)
    azure.json("run", azure.config, "--yes", code=1)
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(text[: text.index("eval:")], encoding="utf-8")
    azure.json("run", azure.config, "--yes")
    assert management.up == {}


def test_the_ledger_has_the_hours_of_a_deployment(azure: Paid, management: Management) -> None:
    """Estimated before it is made, actual when it is gone; the month's budget counts it."""
    hourly(azure)
    azure.json("run", azure.config, "--yes")
    entries = [one for one in azure.json("ledger", azure.config)["entries"] if one["kind"] == "deployment"]
    assert [(one["standing"], one["usd"]) for one in entries] == [("actual", 1.5)]


def test_the_hours_of_a_deployment_that_is_kept_count_against_the_month(
    azure: Paid, management: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten hours later the next run knows of them before it pays for anything else."""
    from ftrun.stages import deployment

    hourly(azure)
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(text.replace("account: acc,", "account: acc, keep: true,"), encoding="utf-8")
    azure.json("run", azure.config, "--yes")
    began = datetime.now(UTC) - timedelta(hours=9.5)
    monkeypatch.setattr(deployment, "datetime", _Later(began))
    azure.add(f"{OTHER}budget: {{usd_per_month: 12}}\n")
    document = azure.json("run", azure.config, "--yes", code=4)
    assert document["error"]["code"] == "over_month", document["error"]
    entries = [one for one in azure.json("ledger", azure.config)["entries"] if one["kind"] == "deployment"]
    assert [(one["standing"], one["usd"]) for one in entries] == [("estimated", 15.0)]


class _Later:
    """A clock that says that what begins now began at `began`."""

    def __init__(self, began: datetime) -> None:
        self._ahead = datetime.now(UTC) - began

    def now(self, zone: Any) -> datetime:
        """Return the time."""
        return datetime.now(zone) + self._ahead

    def fromisoformat(self, text: str) -> datetime:
        """Return a moment."""
        return datetime.fromisoformat(text)


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
