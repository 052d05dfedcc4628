"""Rules of targets that a JSON Schema can't express: keys of each service, safe addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from ftrun.errors import Problem
from ftrun.experiment import providers
from ftrun.experiment.document import Document
from ftrun.experiment.nodes import KeyPath, get_in
from ftrun.experiment.places import shown_value
from ftrun.experiment.rules.sources import is_variable_name
from ftrun.experiment.target import seconds

REMOTE_ONLY = (
    *("base_url", "api_key_env", "organization", "project", "price", "extra_body", "hyperparameters"),
    *("headers", "capabilities", "deployment"),
)
OF_ONE = {"endpoint": "azure", "auth": "azure", "region": "bedrock"}
REQUEST_FIELDS = (
    *("model", "training_file", "validation_file", "method", "hyperparameters", "seed", "suffix"),
    *("metadata", "stream"),
)
OUR_HEADERS = ("authorization", "idempotency-key", "content-type", "content-length", "host", "connection")
WHO_PAYS = {"openai-organization": "organization", "openai-project": "project"}
FROM_ENVIRONMENT = "env:"


def _targets(document: Document) -> list[tuple[KeyPath, Mapping[str, Any]]]:
    targets = get_in(document.data, "targets")
    if not isinstance(targets, Mapping):
        return []
    return [(("targets", name), one) for name, one in targets.items() if isinstance(one, Mapping)]


def check_services(document: Document) -> Iterator[Problem]:
    """Yield keys that a target's service does not know, and those that are missing."""
    for path, target in _targets(document):
        provider = target.get("provider")
        if provider == "local":
            for key in REMOTE_ONLY:
                if key in target:
                    message = "this key is only for services, not for `provider: local`"
                    yield _wrong(document, (*path, key), message)
        elif provider in providers.table()["services"]:
            yield from _service_problems(document, path, target, str(provider))


def _wrong(document: Document, path: KeyPath, message: str, hint: str | None = None) -> Problem:
    return document.problem(path, message, code="wrong_key", at_key=True, hint=hint)


def _service_problems(
    document: Document, path: KeyPath, target: Mapping[str, Any], provider: str
) -> Iterator[Problem]:
    if "accept_license" in target:
        message = "only models of `provider: local` have a licence to accept"
        yield _wrong(document, (*path, "accept_license"), message)
    for key, owner in OF_ONE.items():
        if key in target and provider != owner:
            yield _wrong(document, (*path, key), f"this key is for `provider: {owner}`")
    for key in providers.service(provider).get("needs", ()):
        if key not in target and "base_url" not in target:
            yield document.problem(path, f"`provider: {provider}` needs `{key}`", code="missing_key")
    yield from _request_problems(document, path, target)
    yield from _header_problems(document, path, target)
    yield from _deployment_problems(document, path, target)


def _request_problems(document: Document, path: KeyPath, target: Mapping[str, Any]) -> Iterator[Problem]:
    for key in get_in(target, "extra_body") or ():
        if key in REQUEST_FIELDS:
            message = "this field has its own key in the experiment file"
            yield _wrong(document, (*path, "extra_body", key), message)
    for key in get_in(target, "hyperparameters") or ():
        if key in ("n_epochs", "batch_size", "learning_rate_multiplier"):
            message = "this is a hyperparameter of the protocol"
            hint = f"Set `train.hyperparameters.{key}` instead."
            yield _wrong(document, (*path, "hyperparameters", key), message, hint)


def _header_problems(document: Document, path: KeyPath, target: Mapping[str, Any]) -> Iterator[Problem]:
    headers = get_in(target, "headers")
    for name, value in headers.items() if isinstance(headers, Mapping) else ():
        place = (*path, "headers", name)
        if str(name).lower() in OUR_HEADERS:
            yield _wrong(document, place, "ftrun sets this header itself")
        elif str(name).lower() in WHO_PAYS:
            key = WHO_PAYS[str(name).lower()]
            yield _wrong(
                document, place, f"set `targets.{path[-1]}.{key}` instead, so that the state records who pays"
            )
        elif not isinstance(value, str):
            continue
        elif value.startswith(FROM_ENVIRONMENT):
            if not is_variable_name(value.removeprefix(FROM_ENVIRONMENT)):
                message = "`env:` must be followed by the name of an environment variable"
                yield document.problem(place, message, code="api_key_env", show=False)
        elif not value.isascii() or not value.isprintable():
            yield document.problem(place, "a header's value is plain ASCII text", code="wrong_value")


def _deployment_problems(document: Document, path: KeyPath, target: Mapping[str, Any]) -> Iterator[Problem]:
    given, place = get_in(target, "deployment"), (*path, "deployment")
    if not isinstance(given, Mapping):
        return
    needed = ("subscription", "resource_group", "account")
    for key in given if target.get("provider") != "azure" else ():
        if key != "name":
            message = (
                "ftrun creates deployments on Azure only; elsewhere set `name` to a deployment of your own"
            )
            yield _wrong(document, (*place, key), message)
            return
    missing = [key for key in needed if key not in given]
    if missing and (len(missing) < len(needed) or "name" not in given):
        message = f"`{'`, `'.join(missing)}` missing: Azure needs them to deploy a model"
        hint = "Or set only `name`, to a deployment that you created yourself."
        yield document.problem(place, message, code="missing_key", hint=hint)
    url = given.get("management_url")
    if isinstance(url, str):
        yield from _refused(document, (*place, "management_url"), url)


def address_problems(document: Document, secrets: set[KeyPath]) -> Iterator[Problem]:
    """Yield the problems of addresses and key variables; `secrets` are never repeated."""
    for path, target in _targets(document):
        endpoint = target.get("endpoint")
        if isinstance(endpoint, str) and (*path, "endpoint") not in secrets:
            yield from _refused(document, (*path, "endpoint"), endpoint)
        address, variable = target.get("base_url"), target.get("api_key_env")
        if isinstance(variable, str) and (*path, "api_key_env") not in secrets:
            yield from _variable_problems(document, (*path, "api_key_env"), variable)
        if not isinstance(address, str) or (*path, "base_url") in secrets:
            continue
        yield from _refused(document, (*path, "base_url"), address)
        if "api_key_env" not in target:
            yield document.problem(
                (*path, "base_url"),
                "another server needs its own key, never the provider's",
                code="api_key_env_missing",
                hint="Name the variable that holds its key: `api_key_env: OTHER_API_KEY`.",
            )


def _refused(document: Document, path: KeyPath, address: str) -> Iterator[Problem]:
    reason = _refused_address(address)
    if reason:
        yield document.problem(path, f"{shown_value(address)}: {reason}", code="base_url")


def _variable_problems(document: Document, path: KeyPath, variable: str) -> Iterator[Problem]:
    if not is_variable_name(variable):
        # not repeated: it may be the key itself
        message = "this is not the name of an environment variable"
        hint = "Write its name, such as OPENAI_API_KEY; never put the secret itself into the file."
        yield document.problem(path, message, code="api_key_env", hint=hint, show=False)


def webhook_problems(document: Document, secrets: set[KeyPath]) -> Iterator[Problem]:
    """Yield the problems of the variable for the webhook."""
    variable, path = get_in(document.data, "notify", "webhook_env"), ("notify", "webhook_env")
    if isinstance(variable, str) and path not in secrets:
        yield from _variable_problems(document, path, variable)


def _refused_address(address: str) -> str | None:
    try:
        url = urlsplit(address)
        host = url.hostname or ""
        _ = url.port
    except ValueError as error:
        return f"this is not an address: {error}"
    if url.scheme not in ("http", "https") or not host or not address.isascii() or not address.isprintable():
        return "an address begins with https:// and a host name"
    if url.query or url.fragment or " " in address:
        return "an address ends with its path, such as /v1"
    if url.scheme == "http" and not _is_loopback(host):
        return "plain http would show the key to the network; use https (http is for this machine only)"
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_poll(document: Document) -> Iterator[Problem]:
    """Yield the problems of `poll`."""
    for path, target in _targets(document):
        poll = target.get("poll")
        try:
            shortest = seconds(get_in(poll, "min"), 1.0)
            longest = seconds(get_in(poll, "max"), max(30.0, shortest))
        except (ValueError, TypeError):
            continue  # the schema reports it
        if not 0 < shortest <= longest:
            message = f"the pauses are {shortest:g} s to {longest:g} s; min must be above 0 and at most max"
            yield document.problem((*path, "poll"), message, code="poll")
