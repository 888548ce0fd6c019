"""Text of other origin, made safe to show and to store; sizes in words; the nearest names."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff]"
)
"""Control characters (escape sequences), bidi overrides, invisible marks, halves of characters."""


def inert(text: str, limit: int | None = None) -> str:
    r"""Show what was said without letting it act on the terminal; long text ends in "…".

    >>> inert("\x1b]0;owned\x07red\u202e!")
    '\\x1b]0;owned\\x07red\\u202e!'
    >>> inert("one two three", limit=7)
    'one tw…'
    """
    if limit is not None and len(text) > limit:
        text = text[: max(0, limit - 1)] + "…"
    text = text.replace("\r\n", "\n")
    return _UNSAFE.sub(lambda it: it[0].encode("unicode_escape").decode(), text)


def one_line(text: str, limit: int | None = None) -> str:
    r"""`inert`, with white space folded.

    >>> one_line("a\n\n b")
    'a b'
    """
    head = text if limit is None else text[: 8 * limit + 64]
    return inert(" ".join(head.split()), limit)


def valid_unicode(text: str) -> str:
    """Join surrogate pairs; half a pair becomes U+FFFD, as it has no UTF-8 form.

    >>> valid_unicode("\\ud83d\\ude00"), valid_unicode("a\\ud800b"), valid_unicode("as it was")
    ('😀', 'a\ufffdb', 'as it was')
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def as_text(expected: str | tuple[str, ...]) -> str:
    """An expected answer in a line; of a list, its parts."""
    return expected if isinstance(expected, str) else "; ".join(expected)


def size_text(count: int) -> str:
    """
    >>> size_text(15_210_000_000), size_text(518_000_000), size_text(381_664)
    ('15.2 GB', '518 MB', '0.4 MB')
    """
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.{0 if count >= 1e6 else 1}f} MB"


def nearest(name: str, names: Iterable[str], *, most: int = 3) -> list[str]:
    """The names most like `name`, best first; for "did you mean"."""
    return difflib.get_close_matches(name, sorted(set(names)), n=most, cutoff=0.5)
