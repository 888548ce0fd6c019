"""A request's body on its way out."""

from __future__ import annotations

Body = bytes | tuple[bytes, ...]
"""Pieces are sent one after the other, and never laid together."""


def headers_of(body: Body | None) -> dict[str, str]:
    """
    >>> headers_of((b"ab", b"c"))
    {'content-type': 'application/json', 'content-length': '3'}
    """
    if body is None:
        return {}
    length = len(body) if isinstance(body, bytes) else sum(map(len, body))
    return {"content-type": "application/json", "content-length": str(length)}
