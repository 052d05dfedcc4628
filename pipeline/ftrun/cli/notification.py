"""Notify the user that a run has ended: bell, desktop message, mail, webhook. Failures are only reported."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ftrun.errors import UsageError
from ftrun.redaction import hide_in, keep_secret
from ftrun.waiting import OverdueError, bounded

if TYPE_CHECKING:
    from ftrun.experiment.model import Experiment

SECONDS = 10  # for the desktop and the webhook, each
LOOPBACK = ("127.0.0.1", "localhost", "::1")
APPLE = (
    "on run argv",
    "display notification (item 2 of argv) with title (item 1 of argv)",
    "end run",
)


def notify_decision(experiment: Experiment, document: dict[str, Any]) -> list[str]:
    """Send a mail that a run where nobody can be asked needs a decision; return what failed."""
    if experiment.notify.email is None or sys.stdin.isatty():
        return []
    document = hide_in(document)
    problem = _mail(experiment.notify.email, _sentence(document), document)
    return [problem] if problem else []


def _mail(recipient: str, text: str, document: dict[str, Any]) -> str | None:
    from ftrun.cli.mail import send_mail  # only where a mail is sent

    return send_mail(recipient, text, document)


def notify(experiment: Experiment, document: dict[str, Any]) -> list[str]:
    """Send the notifications of the experiment and return what failed; `document` is that of `run --json`."""
    how, problems, document = experiment.notify, [], hide_in(document)
    text = _sentence(document)
    if how.bell and sys.stderr.isatty():
        sys.stderr.write("\a")
        sys.stderr.flush()
    if how.desktop:
        problems.append(_desktop(f"ftrun {experiment.name}", text))
    if how.email is not None:
        problems.append(_mail(how.email, text, document))
    if how.webhook_env is not None:
        problems.append(_webhook(how.webhook_env, _payload(document, text)))
    return [problem for problem in problems if problem]


def _sentence(document: dict[str, Any]) -> str:
    where = f"{document['experiment']} on {document['target']}"
    if document["status"] == "done":
        return f"{where} is done: {document['fine_tuned_model']}"
    return f"{where}: {document['status']}. {document.get('error', {}).get('message', '')}".strip()


def _payload(document: dict[str, Any], text: str) -> dict[str, Any]:
    """Return what the webhook gets; `text` is the key that chat services show."""
    names = ("experiment", "target", "status", "job_id", "fine_tuned_model")
    error = document.get("error")
    return {
        "text": text,
        **{name: document[name] for name in names},
        "error": {"code": error["code"], "message": error["message"]} if error else None,
    }


def _desktop(title: str, text: str) -> str | None:
    """Show a desktop message; the texts are passed as arguments, never as part of a script."""
    if sys.platform == "darwin":
        words = ["osascript", *(word for line in APPLE for word in ("-e", line)), title, text]
    else:
        words = ["notify-send", "--", title, text]
    if shutil.which(words[0]) is None:
        return f"no desktop message: {words[0]} is not installed"
    try:
        done = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"no desktop message: {type(error).__name__}"
    return f"no desktop message: {words[0]} ended with {done.returncode}" if done.returncode else None


def _webhook(variable: str, payload: dict[str, Any]) -> str | None:
    """Post the payload without following redirects; the address may be a secret and is never shown."""
    address = os.environ.get(variable, "")
    keep_secret(address)
    if not address:
        return f"no webhook: the environment variable {variable} is not set"
    try:
        parts = urlsplit(address)
        allowed = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    except ValueError:
        allowed = False
    if not allowed:
        return f"no webhook: {variable} is not an https:// address"
    return _post(address, json.dumps(payload, ensure_ascii=False).encode())


def _post(address: str, body: bytes) -> str | None:
    import httpx2  # the SDK's own, loaded by the run already

    from ftrun.targets.api.proxies import direct_client

    try:
        with direct_client(address, httpx2.Timeout(SECONDS)) as client:
            answer = bounded(
                lambda: client.post(address, content=body, headers={"Content-Type": "application/json"}),
                SECONDS,
                cut=client.close,
            )
    except OverdueError:
        return f"no webhook: no answer within {SECONDS} s"
    except UsageError as error:
        return f"no webhook: {error}"
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
        return f"no webhook: {type(error).__name__}"
    return None if answer.is_success else f"no webhook: the server answered {answer.status_code}"
