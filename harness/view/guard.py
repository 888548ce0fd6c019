"""Who may ask for what: host, cookie, form token, and the headers that keep pages harmless.

A web page elsewhere must not be able to read runs or write corrections through the browser of
the person who has `evalrun view` open.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from urllib.parse import urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORM_HEADER = "x-evalrun-token"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE_METHODS = ("GET", "HEAD")


class Guard:
    """Lets a request through to `app` only when it comes from whom the address was given to."""

    def __init__(self, app: ASGIApp, *, host: str, port: int, token: str | None = None) -> None:
        """`host`: what the server listens on; a loopback address answers to no other name."""
        self._app = app
        self.token = token or secrets.token_urlsafe(32)
        self.form_token = hmac.new(self.token.encode(), b"form", "sha256").hexdigest()
        self._cookie = f"evalrun-{port}"
        self._any_address = host not in _LOOPBACK
        names = {*_LOOPBACK, host, *([socket.gethostname()] if self._any_address else [])}
        self._hosts = {f"{_bracketed(it)}:{port}" for it in names}
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        scope["state"] = {**scope.get("state", {}), "form_token": self.form_token}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(request) or self._entrance(request) or self._app
        await answer(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        if not self.is_our_name(request.headers.get("host", "")):
            return PlainTextResponse("This server does not go by that name.", 421)
        if request.method in _SAFE_METHODS:
            return None
        origin = request.headers.get("origin")
        given = request.headers.get(FORM_HEADER, "")
        ours = origin is None or origin == f"{request.url.scheme}://{request.headers['host']}"
        if request.method != "POST" or not ours or not _same(given, self.form_token):
            return PlainTextResponse("Reload the page, then try again.", 403)
        return None

    def _entrance(self, request: Request) -> Response | None:
        """The token of the printed address becomes a cookie; without either, nothing is shown."""
        if _same(request.query_params.get("token", ""), self.token):
            rest = [it for it in request.query_params.multi_items() if it[0] != "token"]
            query = f"?{urlencode(rest)}" if rest else ""
            response = RedirectResponse(request.url.path + query, 303)
            response.set_cookie(self._cookie, self.token, httponly=True, samesite="strict")
            return response
        if _same(request.cookies.get(self._cookie, ""), self.token):
            return None
        words = "Open the whole address that `evalrun view` printed, with its token."
        return PlainTextResponse(words, 403)

    def is_our_name(self, host: str) -> bool:
        """Any other name was pointed at this address by somebody else (DNS rebinding)."""
        if host.lower() in self._hosts:
            return True
        name, _, port = host.rpartition(":")
        if not self._any_address or port != str(self._port):
            return False
        try:
            ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
