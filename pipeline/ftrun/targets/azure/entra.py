"""Microsoft Entra ID tokens: from a variable, or from azure-identity (extra `azure`), always fresh."""

from __future__ import annotations

import os
from collections.abc import Callable

from ftrun.errors import FtrunError, UsageError
from ftrun.redaction import keep_secret
from ftrun.targets import consent
from ftrun.targets.keys import key_from
from ftrun.waiting import waiting

# the variable that may hold a token, and what the token is for
INFERENCE = (consent.INFERENCE, "https://cognitiveservices.azure.com/.default")
MANAGEMENT = (consent.MANAGEMENT, "https://management.azure.com/.default")


def token_for(target: str, variable: str, scope: str) -> Callable[[], str]:
    """Return what gives a valid token for `scope` each time; UsageError when there is no way to get one."""
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
            "--output tsv), or install azure-identity: pip install 'ftrun[azure]'",
        ) from None
    provider = get_bearer_token_provider(DefaultAzureCredential(), scope)
    return lambda: _fresh(provider)


def _fresh(provider: Callable[[], str]) -> str:
    """Return a token; FtrunError `wrong_key`, or `unreachable` where only the network is away."""
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
