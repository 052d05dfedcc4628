"""Server addresses: as they are shown, and in the one form in which they are compared."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

OPENAI = "https://api.openai.com/v1"
PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """Return scheme, host and path of a base URL, without credentials or query."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path.rstrip('/')}"


def server_of(url: str) -> str:
    """Return the canonical address of a server, whatever the letter case, default port, trailing dot, slashes
    or name of this machine that it was written with.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:  # an address in an older state
        return url
    path = "/".join(part for part in unquote(parts.path).split("/") if part not in ("", "."))
    return f"{parts.scheme}://{_host(parts.hostname or '')}:{port}/{path}"


def _host(name: str) -> str:
    import ipaddress  # a run with nothing to do contacts no server

    name = name.rstrip(".")
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name
    address = getattr(address, "ipv4_mapped", None) or address
    return "localhost" if address.is_loopback else address.compressed


def is_loopback(url: str) -> bool:
    """Return whether an address belongs to this machine."""
    return _host(urlsplit(url).hostname or "") == "localhost"
