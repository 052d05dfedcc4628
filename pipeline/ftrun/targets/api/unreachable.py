"""Explain why a server could not be reached, at which address, and what to check. Sends nothing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import httpx2
import openai

AGAIN = "Nothing is lost: run the same command again."
LOOPBACK = ("127.", "localhost", "::1", "[::1]")
BAD_CERTIFICATES = (
    ("expired", "Its certificate has expired: its owner must renew it, or this machine's clock is wrong."),
    ("not yet valid", "Its certificate is not valid yet: check this machine's clock."),
    (
        "mismatch",
        "Its certificate is for another name: check the host in base_url. A network that wants a login "
        "also answers like this.",
    ),
    (
        "self-signed",
        "No authority that this machine trusts has signed its certificate: it may belong to a test server, "
        "or to a company's proxy or a network's login page, which could read the traffic. ftrun does not "
        "connect to it.",
    ),
)
UNKNOWN_AUTHORITY = (
    "This machine does not know who signed its certificate. Update the package certifi, or look for a "
    "company's proxy in between: ftrun does not connect to a server that can't prove who it is."
)


def network_trouble(error: openai.APIConnectionError) -> tuple[str, str]:
    """Return what happened, with the address, and what to check."""
    where = origin(error.request.url)
    causes = list(_causes(error))
    names = {type(cause).__name__ for cause in causes}
    cut = next((cause for cause in causes if isinstance(cause, httpx2.DecodingError)), None)
    if cut is not None:
        return f"{where}: {cut}", "Is that the address of the API? Check base_url, and any proxy in between."
    if isinstance(error, openai.APITimeoutError) and not names & {"ConnectTimeout", "PoolTimeout"}:
        return _silent(where, causes)
    if "ProxyError" in names:
        refusal = next(cause for cause in causes if type(cause).__name__ == "ProxyError")
        return (
            f"the proxy of HTTPS_PROXY or ALL_PROXY refused the connection to {where} ({refusal})",
            "Check the proxy's address and password there, or exclude the server with NO_PROXY.",
        )
    where = _through_a_proxy(error.request.url) or where
    return _not_connected(where, error.request.url.host, causes, names)


def _silent(where: str, causes: list[BaseException]) -> tuple[str, str]:
    bound = next((str(one) for one in causes if isinstance(one, httpx2.ReadTimeout)), "")
    within = f"within {bound}" if bound[:1].isdigit() else "in time"  # the SDK's own message is of no use
    return f"{where} did not answer {within}", (
        "The server, or a proxy in front of it, is stuck or overloaded: check its log or status page before "
        "you run the same command again."
    )


def _not_connected(where: str, host: str, causes: list[BaseException], names: set[str]) -> tuple[str, str]:
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"{where} has a certificate that can't be trusted ({cause.verify_message})", _about(cause)
        if isinstance(cause, ssl.SSLError):
            words = "It does not speak TLS there: check the port in base_url, or whether it uses http://."
            return f"no TLS connection to {where} ({cause.reason or type(cause).__name__})", words
        if isinstance(cause, socket.gaierror):
            words = "Check base_url for a typing error, then this machine's network, VPN and DNS."
            return f"the name of {where} can't be resolved ({cause.strerror})", words
        if isinstance(cause, ConnectionRefusedError):
            return f"nothing answers at {where}: the connection was refused", _refused(host)
    if names & {"ConnectTimeout", "PoolTimeout"}:
        return f"no connection to {where} in time", (
            "Check host and port in base_url, then this machine's network, VPN, firewall and HTTPS_PROXY."
        )
    if names & {"ConnectError"}:
        reason = next((str(one.strerror) for one in causes if isinstance(one, OSError) and one.strerror), "")
        words = "Check this machine's network and VPN, and base_url."
        return f"no connection to {where}" + (f" ({reason})" if reason else ""), words
    cause_name = type(causes[0]).__name__ if causes else "no reason given"
    return f"the connection to {where} was cut ({cause_name})", (
        "The server, or a proxy in between, closed it. " + AGAIN
    )


def _about(error: ssl.SSLCertVerificationError) -> str:
    message = error.verify_message.lower()
    return next((words for part, words in BAD_CERTIFICATES if part in message), UNKNOWN_AUTHORITY)


def _refused(host: str) -> str:
    if host.startswith(LOOPBACK):
        return "Is the server running? Start it, or correct the port in base_url."
    return (
        "Is the server running, and are host and port in base_url correct? A firewall or VPN may also refuse."
    )


def origin(url: httpx2.URL) -> str:
    """Return scheme, host and port of an address, without a password in it."""
    return f"{url.scheme}://{url.netloc.decode()}"


def _through_a_proxy(url: httpx2.URL) -> str | None:
    """Return the proxy that a connection goes to first, None if there is none."""
    from ftrun.targets.api.proxies import proxy_for

    proxy = proxy_for(str(url))
    return f"the proxy {origin(proxy.url)} (HTTPS_PROXY or ALL_PROXY)" if proxy is not None else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the causes of an error, the nearest first."""
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
