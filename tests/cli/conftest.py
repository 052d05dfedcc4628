"""A project with a scripted provider, for commands that are run in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.azure_management import Management
from support.paid_project import Paid, make_paid, on_plain_provider, plain_provider
from support.provider import KEY
from support.scripted_server import Answer, Asked, ScriptedServer, refusal


@pytest.fixture
def paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project whose target `paid` is a provider in memory."""
    with on_plain_provider(tmp_path, monkeypatch, capfd) as made:
        yield made


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
    provider = plain_provider(fine_tune=True)

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
