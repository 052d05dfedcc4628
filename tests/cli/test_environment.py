"""Nothing of the environment but what is documented changes who is asked, who pays or what is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ftrun.experiment.target import Deployment
from ftrun.targets.azure import Deployments
from ftrun.targets.credentials import remember
from support.azure_management import Management
from support.paid_project import Paid
from support.provider import KEY
from support.scripted_server import Answer, ScriptedServer

CANARY = "canary-0123456789abcdef"
HEADERS = {
    "Authorization": f"Bearer {CANARY}",
    "OpenAI-Organization": f"org-{CANARY}",
    "OpenAI-Project": f"proj-{CANARY}",
    "X-Gateway-Secret": CANARY,
    "User-Agent": CANARY,
}
NAMED_BY_NOBODY = (
    *("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET", "OPENAI_API_TYPE", "OPENAI_API_VERSION"),
    *("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_ENDPOINT", "AWS_BEARER_TOKEN_BEDROCK"),
    *("AWS_SECRET_ACCESS_KEY", "HF_TOKEN", "GOOGLE_CLOUD_PROJECT"),
)
CHANGING = ("host", "content-length", "idempotency-key", "content-type")  # the last has a random boundary


@pytest.fixture
def elsewhere() -> Any:
    """Yield a server that nobody should ask: as base URL, or as a proxy."""
    server = ScriptedServer(lambda asked: Answer({}))
    yield server
    server.close()


def _run(paid: Paid, more: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "ftrun", "run", str(paid.config), "--yes", "--json"]
    words += ["--runs-dir", str(paid.folder / f"runs-{bool(more)}")]
    environment = {**os.environ, **more, "FTRUN_LOCKS": str(paid.folder / f"locks-{bool(more)}")}
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def _seen(paid: Paid) -> dict[str, list[tuple[str, str]]]:
    """Return the headers of each kind of request; how often a job is looked at is a matter of time."""
    return {
        f"{asked.method} {asked.path.partition('/ft-')[0]}": sorted(
            one for one in asked.headers.items() if one[0].lower() not in CHANGING
        )
        for asked in paid.server.asked
    }


def test_the_environment_adds_nothing_to_a_request(paid: Paid, elsewhere: ScriptedServer) -> None:
    """With every variable that the SDK and its HTTP client read, each request is the same as without,
    and a log that the SDK is told to write has no key.
    """
    plain = _run(paid, {})
    assert plain.returncode == 0, plain.stderr
    before = _seen(paid)
    paid.server.asked.clear()
    paid.provider.jobs.clear()
    paid.provider.files.clear()
    paid.provider.files_made = 0
    netrc = paid.folder / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {CANARY}\n", encoding="utf-8")
    netrc.chmod(0o600)
    more = {
        **dict.fromkeys(NAMED_BY_NOBODY, CANARY),
        "OPENAI_CUSTOM_HEADERS": "\n".join(f"{name}: {value}" for name, value in HEADERS.items()),
        "OPENAI_BASE_URL": elsewhere.base_url,
        "OPENAI_LOG": "debug",
        "NETRC": str(netrc),
        **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"), elsewhere.origin),
    }
    loaded = _run(paid, more)
    assert loaded.returncode == 0, loaded.stderr
    assert _seen(paid) == before
    assert CANARY not in "".join(map(repr, paid.server.asked))
    assert elsewhere.asked == []
    assert KEY not in loaded.stdout + loaded.stderr


def test_what_is_ignored_is_said(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that would have changed the requests is named once, with the key to write instead."""
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"X-Gateway-Secret: {CANARY}")
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    paid.run("run", paid.config, "--yes")
    assert paid.error.count("OPENAI_CUSTOM_HEADERS is ignored") == 1
    assert paid.error.count("OPENAI_BASE_URL is ignored") == 1
    assert "targets.T.headers" in paid.error and CANARY not in paid.error


def test_a_management_token_goes_through_no_plain_proxy(
    tmp_path: Path, management: Management, elsewhere: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HTTP_PROXY carries nothing: what is spoken without TLS stays on this machine."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, elsewhere.origin)
    monkeypatch.setenv("AZURE_MANAGEMENT_TOKEN", f"{KEY}-management")
    server = ScriptedServer(management)
    where = Deployment(subscription="sub", resource_group="rg", account="acc", management_url=server.origin)
    remember("AZURE_MANAGEMENT_TOKEN", server.origin)
    deployments = Deployments(where, "paid")
    assert deployments.state("name") is None
    deployments.close()
    server.close()
    assert elsewhere.asked == []


def test_a_webhook_on_this_machine_goes_through_no_proxy(
    paid: Paid, elsewhere: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address, which is a secret, is told to the one who is named and to no proxy."""
    hook = ScriptedServer(lambda asked: Answer({}))
    monkeypatch.setenv("HOOK", f"{hook.origin}/secret-0123456789")
    monkeypatch.setenv("HTTP_PROXY", elsewhere.origin)
    monkeypatch.setenv("http_proxy", elsewhere.origin)
    paid.add("notify: {webhook_env: HOOK}\n")
    paid.run("run", paid.config, "--yes")
    hook.close()
    assert len(hook.asked) == 1 and elsewhere.asked == []
