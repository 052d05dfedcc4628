"""Read from the environment which proxy to use (HTTPS_PROXY, ALL_PROXY, NO_PROXY) and which certificate
authorities to trust (SSL_CERT_FILE, SSL_CERT_DIR).
"""

from __future__ import annotations

import functools
import importlib.util
import ssl
import urllib.request
from urllib.parse import urlsplit

import httpx2

from ftrun.errors import UsageError
from ftrun.installation import install_packages
from ftrun.redaction import keep_secret


def proxy_for(base_url: str) -> httpx2.Proxy | None:
    """Return the proxy for a server, None if there is none; UsageError for an invalid address.

    Plain http is used on this machine only, and without a proxy.
    """
    url, named = urlsplit(base_url), urllib.request.getproxies_environment()
    found = named.get("https") or named.get("all")
    if url.scheme != "https" or not found:
        return None
    if urllib.request.proxy_bypass(url.hostname or ""):
        return None
    return _proxy(found if "://" in found else f"http://{found}")


def direct_client(url: str, timeout: httpx2.Timeout) -> httpx2.Client:
    """Return a client for the server at `url`: it follows no redirect, and takes only the proxy from the
    environment. UsageError as `proxy_for`.
    """
    transport = httpx2.HTTPTransport(verify=certificates(not url.startswith("http:")), proxy=proxy_for(url))
    return httpx2.Client(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)


@functools.cache
def certificates(secure: bool) -> ssl.SSLContext:
    """Return the certificate authorities to trust; UsageError if the file can't be read.

    Reading them takes 40 ms, so it is done once, and only for TLS; without `secure` none is trusted.
    """
    if not secure:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return httpx2.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(
            f"the certificates that SSL_CERT_FILE or SSL_CERT_DIR names can't be read ({error})",
            code="certificates",
            hint="Set it to a file of certificates in PEM form, or unset it to use the default ones.",
        ) from None


def _proxy(address: str) -> httpx2.Proxy:
    try:
        keep_secret(urlsplit(address).password or "")
        proxy = httpx2.Proxy(address)
    except (ValueError, httpx2.InvalidURL):
        raise _error("is not a valid address", "Write it as http://HOST:PORT.") from None
    if proxy.url.scheme.startswith("socks") and importlib.util.find_spec("socksio") is None:
        raise _error("uses SOCKS, which needs another package", install_packages(["socksio"]))
    return proxy


def _error(what: str, hint: str) -> UsageError:
    return UsageError(f"the proxy in HTTPS_PROXY or ALL_PROXY {what}", code="proxy", hint=hint)
