"""Base URLs: which are usable, which stay on this machine, and what in them must not be shown."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit, urlunsplit

import httpx

from harness.errors import TargetError

_SHORTEST_SECRET = 12
"""Shorter ones are dummies of local servers ("EMPTY"), and may be words of an answer."""
_LOGIN = re.compile(r"(https?://)[^/?#\s]*@", re.IGNORECASE)


def checked(base_url: str) -> httpx.URL:
    """Raises: TargetError for what is not an http(s) URL with a host, or has a query."""
    try:
        url = httpx.URL(base_url)
        usable = url.scheme in ("http", "https") and bool(url.host) and url.port != 0
    except httpx.InvalidURL:
        usable = False
    if not usable:
        raise TargetError(
            f"{base_url!r} is not a usable URL", fix="give one like http://host:8080/v1"
        )
    if url.query or url.fragment:
        raise TargetError(
            f"{without_credentials(base_url)} is followed by a query, which no call could keep",
            fix="end the address with its path, like /v1; a key goes into --api-key-env",
        )
    return url


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
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def api_root(url: str) -> str:
    """The address that all calls share, where the address of one of them was given.

    >>> api_root("http://host/v1/chat/completions/"), api_root("http://host/v1/")
    ('http://host/v1', 'http://host/v1')
    """
    return re.sub(r"(?:/(?:chat/completions|completions|messages|models))?/*$", "", url, count=1)


def masked(text: str) -> str:
    """A text with the logins of its addresses replaced.

    >>> masked("--base-url=http://me:secret@host/v1")
    '--base-url=http://USER:PASSWORD@host/v1'
    """
    return _LOGIN.sub(r"\1USER:PASSWORD@", text)


def secrets_of(url: httpx.URL, key: str | None) -> list[str]:
    """What must never be shown of an endpoint: its key, and the password in its address."""
    basic = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    known = {key or "", url.password, url.userinfo.decode().partition(":")[2], basic}
    return [it for it in known if len(it) >= _SHORTEST_SECRET]
