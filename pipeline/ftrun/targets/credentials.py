"""Read keys from the environment, and decide which variable may be sent to which server.

The experiment file names both, and it may be someone else's file. A service's own key goes to that service
and, if the user agrees, to a server on this machine. Any other variable is sent only where the user agrees,
once for each variable and server: by answering yes or with --yes, and for a server on this machine also by a
run that a budget allows to spend, and by `adopt`. Consent is kept in the user's state folder, never in a
repository. The value of a key goes to the SDK's client only: no message contains it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ftrun.errors import DecisionError, FtrunError, UsageError, UserError
from ftrun.experiment import providers
from ftrun.experiment.model import Experiment
from ftrun.experiment.nodes import KeyPath
from ftrun.experiment.places import shown_path
from ftrun.experiment.target import Target
from ftrun.files import append_durably
from ftrun.redaction import keep_secret
from ftrun.targets.addresses import PORTS, is_loopback, server_of
from ftrun.targets.dotenv import loading_hint
from ftrun.user_dirs import state_folder

NAME = "consent.jsonl"
INFERENCE_VARIABLE = "AZURE_OPENAI_AD_TOKEN"  # also stands for a token of azure-identity
MANAGEMENT_VARIABLE = "AZURE_MANAGEMENT_TOKEN"
PLACEHOLDER = re.compile(
    r"your|api[-_ ]?key|replace|changeme|example|<.*>|\.\.\.|…|x{4,}|\*{3,}|^sk-?$", re.IGNORECASE
)
HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")

_agreed_here: set[tuple[str, str]] = set()  # by this process: its user may have no folder to record it in


def agree(
    experiment: Experiment, *, yes: bool, ask: Callable[[str], bool] | None, here: bool = False
) -> None:
    """Return if everything that would be sent to the target may be sent; DecisionError if the user doesn't
    agree.

    `ask` asks a person (None: nobody is there). `here`: the user's command counts as a yes for servers on
    this machine; for others a budget is not a yes, since it is in the same file. UsageError, with the place
    in the file, for a service's own key that would go elsewhere.
    """
    for variable, url, path in _sent(experiment.target):
        try:
            permit(variable, url)
        except DecisionError:
            question = f"Send the variable {variable} to {shown_server(url)}, now and from now on?"
            if not (yes or (here and is_loopback(url)) or (ask and ask(question))):
                raise
            remember(variable, url)
        except UsageError as error:
            place = experiment.places.get(path) or experiment.places.get(path[:2])
            if place is not None:
                problem = error.problem
                problem.file, problem.line, problem.column = shown_path(place[0]), place[1], place[2]
            raise


def permit(variable: str, url: str) -> None:
    """Return if the variable may be sent to the server at `url`; UsageError if it never may be,
    DecisionError if the user has not agreed to it.
    """
    shown, host = shown_server(url), urlsplit(url).hostname or ""
    own = providers.own_hosts(variable)
    if own is not None and any(_fits(host, pattern) for pattern in own):
        return
    if own is not None and not is_loopback(url):
        raise UsageError(
            f"{variable} is the key of another service and is not sent to {shown}; nothing was sent",
            code="foreign_key",
            hint="Put that server's key into its own variable, such as OTHER_API_KEY, and name that one.",
        )
    if (variable, server_of(shown)) not in _agreed_here | set(_kept()):
        raise DecisionError(
            f"the file sends the variable {variable} to {shown}, which you have not agreed to; "
            "nothing was sent",
            code="not_confirmed",
            hint="If you trust both, run `ftrun plan CONFIG --yes` once; it spends nothing.",
        )


def shown_server(url: str) -> str:
    """Return scheme, host and port of an address; UsageError if a key could be read on the way to it, or if
    parsers might not agree on the host.
    """
    with contextlib.suppress(ValueError):
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(url))
        if safe and "@" not in parts.netloc and url.isprintable() and HOST.fullmatch(host):
            shown = f"[{host}]" if ":" in host else host
            return f"{parts.scheme}://{shown}" + ("" if port in (None, PORTS[parts.scheme]) else f":{port}")
    raise UsageError(
        "the target's address is not https:// followed by a host name; nothing was sent",
        code="base_url",
        hint="Write it like https://models.example.com/v1; plain http is for this machine only.",
    )


def _sent(target: Target) -> Iterator[tuple[str, str, KeyPath]]:
    """Yield what would be sent to the target, if it is set: variable, address, and the key that says so."""
    if target.provider == "local":
        return
    place: KeyPath = ("targets", target.name)
    url = target.base_url or providers.service("openai")["base_url"]
    if target.auth == "entra":
        yield INFERENCE_VARIABLE, url, (*place, "auth")
    named = {"api_key_env": target.api_key_env or "OPENAI_API_KEY"} if target.auth == "key" else {}
    for key, variable in named.items():
        if os.environ.get(variable):
            yield variable, url, (*place, key)
    for header, value in target.headers.items():
        variable = value.removeprefix("env:")
        if variable != value and os.environ.get(variable):
            yield variable, url, (*place, "headers", header)
    if target.deployment is not None and target.deployment.subscription is not None:
        yield MANAGEMENT_VARIABLE, target.deployment.management_url, (*place, "deployment", "management_url")


def hide_keys(targets: Iterable[Target]) -> None:
    """Hide the keys of these targets in whatever is written from now on, also if nothing is sent there: a
    recorded answer may hold one.
    """
    for target in targets:
        for variable, *_ in _sent(target):
            keep_secret(os.environ.get(variable, ""))


def _fits(host: str, pattern: str) -> bool:
    """Return whether `host` matches the pattern, in which `*` is one label of a host name."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", "[a-z0-9-]+"), host) is not None


def _file() -> Path:
    return state_folder() / NAME


def _kept() -> Iterator[tuple[str, str]]:
    """Yield the pairs that the user agreed to; a damaged line, or a pipe as the file, counts as none."""
    try:
        file = _file()
        lines = file.read_bytes().splitlines() if file.is_file() else []  # reading a pipe would wait
    except (OSError, UserError):
        return
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
            found = json.loads(line)
            pair = found["variable"], found["server"]
            if all(isinstance(one, str) for one in pair):
                yield pair


def remember(variable: str, url: str) -> None:
    """Record that the user agreed; if it can't be recorded, it holds for this process."""
    server = server_of(shown_server(url))
    line = json.dumps({"variable": variable, "server": server}).encode() + b"\n"
    try:
        append_durably(_file(), line, mode=0o600)
    except (OSError, FtrunError):
        _agreed_here.add((variable, server))


def key_from(variable: str, target: str, project: Path | None = None) -> str:
    """Return the key that the environment variable holds; UsageError if that can't be a key.

    Where it is not set, but a .env file here or in the `project` has it, the hint says how to load that.
    """
    value = os.environ.get(variable)
    hint = f"export {variable}=…  (or train without a key, on a target with `provider: local`)"
    if not value:
        hint = loading_hint(variable, project) or hint
        raise UsageError(
            f"target {target!r} needs a key, and the environment variable {variable} is not set",
            code="no_key",
            hint=hint,
        )
    fault = _fault(value)
    if fault:
        raise UsageError(
            f"the environment variable {variable} {fault}; nothing was sent", code="bad_key", hint=hint
        )
    keep_secret(value)
    return value


def key_for(url: str, variable: str, target: str, project: Path | None = None) -> str:
    """Return the key as `key_from` does, if it may be sent to the server at `url`; raise as `permit`."""
    key = key_from(variable, target, project)
    permit(variable, url)
    return key


def _fault(value: str) -> str | None:
    """Return what is wrong with a key, without quoting it."""
    if not value.isascii():
        return "has characters that no key has (full-width letters or quotes?)"
    if value != value.strip():
        return "begins or ends with a space or a line break"
    if any(character.isspace() or not character.isprintable() for character in value):
        return "has a space or a control character inside"
    if value[0] in "\"'" or value[-1] in "\"'":
        return "has quotation marks around the key"
    if PLACEHOLDER.search(value) and not re.fullmatch(r"[A-Za-z0-9_-]{40,}", value):
        return "has a placeholder instead of a key"
    if len(value) < 8:
        return "is too short to be a key"
    return None
