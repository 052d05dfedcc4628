"""What only Azure needs: tokens of Microsoft Entra ID, and the management calls for deployments.

ftrun chooses the names of deployments, so each of these calls may be repeated without harm.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import httpx2

from ftrun.errors import FtrunError, UsageError
from ftrun.experiment.target import Deployment
from ftrun.installation import install_extra
from ftrun.redaction import hide, keep_secret
from ftrun.targets.api.proxies import direct_client
from ftrun.targets.credentials import INFERENCE_VARIABLE, MANAGEMENT_VARIABLE, key_from, permit
from ftrun.targets.errors import ServiceError, is_api_error
from ftrun.waiting import OverdueError, bounded, waiting

# the variable that may hold a token, and the scope of the token
INFERENCE = (INFERENCE_VARIABLE, "https://cognitiveservices.azure.com/.default")
MANAGEMENT = (MANAGEMENT_VARIABLE, "https://management.azure.com/.default")
VERSION = "2024-10-21"
TIMEOUT = httpx2.Timeout(60.0, connect=10.0)  # seconds
LONGEST_ANSWER = 60.0  # seconds for one request as a whole
LONGEST = 1800.0  # seconds until a deployment must have succeeded
PAUSE = 10.0  # seconds between two requests
TRIES = 4
ENDED = ("succeeded", "failed", "canceled")


class Deployments:
    """The deployments of one Azure resource."""

    def __init__(self, where: Deployment, target: str, *, pause: float = PAUSE) -> None:
        """Use the management token of the environment; UsageError if there is no way to get one. Raises as
        `permit`, too.
        """
        self._where, self._pause = where, pause
        permit(MANAGEMENT[0], where.management_url)
        self._token: Callable[[], str] = token_for(target, *MANAGEMENT)
        self._client = direct_client(where.management_url, TIMEOUT)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def up(self, name: str, model: str) -> None:
        """Deploy `model` as `name` and wait until that has succeeded; repeating it changes nothing."""
        body = {
            "sku": {"name": self._where.sku, "capacity": self._where.capacity},
            "properties": {"model": {"format": "OpenAI", "name": model, "version": "1"}},
        }
        if self.state(name) in (None, *ENDED):  # otherwise a run that was killed has requested it
            self._call("PUT", name, body)
        deadline = time.monotonic() + LONGEST
        with waiting(f"deployment {name} at {self._where.management_url}"):
            while (state := self.state(name)) not in (None, *ENDED):
                if time.monotonic() > deadline:
                    raise FtrunError(f"deployment {name} is still {state}", code="deployment_not_ready")
                time.sleep(self._pause)
        if state != "succeeded":
            raise FtrunError(
                f"deployment {name} of {model} {state or 'no longer exists'}",
                code="deployment_failed",
                hint="The Azure portal says why; often the resource has no quota left for the sku.",
            )

    def state(self, name: str) -> str | None:
        """Return the provisioning state in lower case, None if there is no such deployment."""
        answer = self._call("GET", name)
        if answer is None:
            return None
        properties = answer.get("properties")
        state = properties.get("provisioningState") if isinstance(properties, Mapping) else None
        return str(state or "unknown").lower()

    def down(self, name: str) -> None:
        """Delete the deployment, if it exists."""
        self._call("DELETE", name)

    def _call(self, method: str, name: str, body: Any = None) -> dict[str, Any] | None:
        """Return the answer, None for a 404; a request that fails temporarily is retried."""
        where = self._where
        path = (
            f"/subscriptions/{where.subscription}/resourceGroups/{where.resource_group}/providers/"
            f"Microsoft.CognitiveServices/accounts/{where.account}/deployments/{name}"
        )
        url, problem = where.management_url.rstrip("/") + path, ""
        for attempt in range(TRIES):
            if attempt:
                time.sleep(min(self._pause, 2.0**attempt))
            headers = {"Authorization": f"Bearer {self._token()}", "Accept-Encoding": "identity"}
            try:
                with waiting(f"{where.management_url} to answer {method}"):
                    answer = bounded(
                        partial(self._send, method, url, body, headers), LONGEST_ANSWER, cut=_leave
                    )
            except OverdueError:
                problem = f"{where.management_url} did not answer within {LONGEST_ANSWER:.0f} s"
                continue
            except httpx2.HTTPError as error:
                problem = f"the connection to {where.management_url} failed ({type(error).__name__})"
                continue
            if answer.status_code == 429 or answer.status_code >= 500:
                problem = _api_message(answer)
                continue
            return _read(method, name, answer)
        raise ServiceError(f"{method} deployment {name}: {problem}", code="unreachable")

    def _send(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> httpx2.Response:
        return self._client.request(
            method, url, params={"api-version": VERSION}, json=body, headers=dict(headers)
        )


def _leave() -> None:
    """Do nothing about a request that was given up: it may be repeated without harm."""


def _read(method: str, name: str, answer: httpx2.Response) -> dict[str, Any] | None:
    if answer.status_code == 404 and _is_azures(answer):
        return None
    if not answer.is_success:
        # a proxy's 404 does not prove that a deployment, which is billed by the hour, no longer exists
        code = "wrong_key" if answer.status_code in (401, 403) else "refused"
        raise ServiceError(
            f"{method} deployment {name}: {_api_message(answer)}",
            code=code,
            hint="Deploying needs its own token, with the role Cognitive Services Contributor.",
        )
    try:
        document = answer.json() if answer.content else {}
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise ServiceError(f"{method} deployment {name}: the answer is not JSON", code="unreadable_answer")
    return document


def _is_azures(answer: httpx2.Response) -> bool:
    """Return whether the answer is an error in the form of Azure's API."""
    try:
        return is_api_error(answer.json())
    except (ValueError, RecursionError):
        return False


def _api_message(answer: httpx2.Response) -> str:
    try:
        message = answer.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = "no message in the answer"
    return f"HTTP {answer.status_code}: {hide(str(message))[:500]}"


def token_for(target: str, variable: str, scope: str) -> Callable[[], str]:
    """Return a function that returns a valid token for `scope`; UsageError if there is no way to get one."""
    if os.environ.get(variable):
        token = key_from(variable, target)
        return lambda: token
    try:
        from azure.identity import DefaultAzureCredential, get_bearer_token_provider
    except ImportError:
        raise UsageError(
            f"target {target!r} needs a token of Microsoft Entra ID, and {variable} is not set",
            code="no_key",
            hint=f"export {variable}=$(az account get-access-token --scope {scope} --query accessToken "
            f"--output tsv), or install azure-identity (the extra ftrun[azure]): {install_extra('azure')}",
        ) from None
    provider = get_bearer_token_provider(DefaultAzureCredential(), scope)
    return lambda: _fresh(provider)


def _fresh(provider: Callable[[], str]) -> str:
    """Return a token; FtrunError `wrong_key`, or `unreachable` if only the network fails."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    try:
        with waiting("a token from Microsoft Entra ID"):
            token = provider()
    except AzureError as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        code = "wrong_key" if isinstance(error, ClientAuthenticationError) else "unreachable"
        raise FtrunError(f"no token from Microsoft Entra ID: {first}", code=code) from error
    keep_secret(token)
    return token
