"""Model output and other people's words, made harmless before they are shown."""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff]"
)
"""Control characters (escape sequences begin with one), bidi overrides, invisible marks, halves
of characters."""


def inert(text: str, limit: int | None = None) -> str:
    r"""Show what was said without letting it act on the terminal; long text ends in "…".

    >>> inert("\x1b]0;owned\x07red\u202e!")
    '\\x1b]0;owned\\x07red\\u202e!'
    >>> inert("one two three", limit=7)
    'one tw…'
    """
    if limit is not None and len(text) > limit:
        text = text[: max(0, limit - 1)] + "…"
    return _UNSAFE.sub(_escaped, text.replace("\r\n", "\n"))


def one_line(text: str, limit: int | None = None) -> str:
    r"""`inert`, with white space folded.

    >>> one_line("a\n\n b")
    'a b'
    """
    head = text if limit is None else text[: 8 * limit + 64]
    return inert(" ".join(head.split()), limit)


def _escaped(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode()
