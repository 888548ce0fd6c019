"""What must never be shown: the key, and the password in an address."""

from __future__ import annotations

import base64
from urllib.parse import unquote, urlsplit, urlunsplit

from harness.errors import HIDDEN, EvalrunError

_SHORTEST = 12
"""Shorter ones are dummies of local servers ("EMPTY"), and may be words of an answer."""


class Secrets:
    """The secrets of one endpoint, and the address without them."""

    def __init__(self, base_url: str, key: str | None) -> None:
        parts = urlsplit(base_url)
        login, _, host = parts.netloc.rpartition("@")
        self.bare_url = urlunsplit(parts._replace(netloc=host))
        user, _, password = login.partition(":")
        self.login = (unquote(user), unquote(password)) if login else None
        """User and password, as the address gave them."""
        basic = base64.b64encode(":".join(self.login).encode()).decode() if self.login else ""
        known = {key or "", password, unquote(password), basic}
        self._hidden = [it for it in known if len(it) >= _SHORTEST]

    def without(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, HIDDEN)
        return text

    def hide_in(self, error: EvalrunError) -> None:
        for secret in self._hidden:
            error.hide(secret)
