"""What all page functions share: the library of a request, and the way to an HTML answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse

from harness.errors import UsageError
from harness.report.page import environment
from harness.view.library import Library

_TEMPLATES = Path(__file__).parent / "templates"
MOST_BODY_BYTES = 64 * 1024


def library(request: Request) -> Library:
    found: Library = request.app.state.library
    return found


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """The template as a page; a part of it where the template is named `_….html`."""
    html = (
        environment(_TEMPLATES)
        .get_template(template)
        .render(
            **context,
            form_token=request.state.form_token,
            here=request.url.path,
            results=str(library(request).results),
        )
    )
    return HTMLResponse(html.encode("utf-8", "backslashreplace"), status)


def number(text: str | None, otherwise: int = 0) -> int:
    """A count out of an address or a form; anything else is `otherwise`."""
    return int(text[:18]) if text is not None and text.isdecimal() else otherwise


async def form(request: Request, *, most_bytes: int = MOST_BODY_BYTES) -> dict[str, str]:
    """The fields of a posted form. Raises: UsageError when it is too long."""
    text = (await body(request, most_bytes=most_bytes)).decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True))


async def body(request: Request, *, most_bytes: int) -> bytes:
    """Raises: UsageError when more is sent."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > most_bytes:
            raise UsageError(
                f"more than {most_bytes // 1024:,} KiB were sent", fix="send a smaller file"
            )
    return bytes(received)
