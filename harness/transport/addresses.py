"""Base URLs: which are usable, which stay on this machine, how they are shown."""

from __future__ import annotations

import ssl
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

import httpx

from harness.errors import TargetError


def checked(base_url: str) -> str:
    """Raises: TargetError for what is no http(s) URL with a host, or goes on after its path."""
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise TargetError(f"{base_url!r} is no usable URL", fix="give one like http://host:8080/v1")
    if parts.query or parts.fragment:
        raise TargetError(
            f"{without_credentials(base_url)} is followed by a query, which no call could keep",
            fix="end the address with its path, like /v1; a key goes into --api-key-env",
        )
    return base_url


@lru_cache(maxsize=64)
def url_of(base_url: str, path: str) -> httpx.URL:
    """Where `path` is: remembered, since httpx would parse and join it anew for every call.

    >>> str(url_of("http://host/v1/", "/models")), str(url_of("http://host/v1", "http://host/props"))
    ('http://host/v1/models', 'http://host/props')
    """
    return httpx.URL(path if "://" in path else f"{base_url.rstrip('/')}/{path.lstrip('/')}")


def tls_context(base_url: str) -> ssl.SSLContext:
    """One for all clients: loading the certificates costs 20 ms and a megabyte each time."""
    if base_url.startswith("https:"):
        return httpx.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def is_loopback(url: str) -> bool:
    """Whether a URL stays on this machine; a proxy is never asked for those."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def without_credentials(url: str) -> str:
    """
    >>> without_credentials("https://user:secret@host:8000/v1?key=abc")
    'https://host:8000/v1'
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
