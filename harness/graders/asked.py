"""The options that a question itself lists."""

from __future__ import annotations

import re

from harness.graders.lazily import lazy
from harness.graders.reading import about
from harness.graders.terms import folded

_NUMBER = lazy(r"[-+]?[\d.,' ]*\d[\d.,' ]*")
_MOST_WORDS = 4
_OPTION_LINK = lazy(r"\s*(?:,\s*or\s+|,\s*and\s+|\bor\b|,|/|;|\|)\s*", re.IGNORECASE)
_QUOTED = lazy(r"[\"']([^\"'\n]{1,60})[\"']")
_LED_IN = lazy(r"^\s*(?:(?:to|on|in|at|from) )(?:(?:the|a|an) )?", re.IGNORECASE)


def choices_in(question: str, expected: str) -> list[str]:
    """The options that a question lists, when the answer is one of them.

    >>> choices_in("Which colour is it? Red, orange, green, or blue.", "green")
    ['Red', 'orange', 'green', 'blue']
    >>> choices_in("Is it 'right side up' or 'upside down'?", "upside down")
    ['right side up', 'upside down']
    >>> choices_in("Does the box contain screws or bolts or nuts?", "bolts")
    ['screws', 'bolts', 'nuts']
    """
    if _NUMBER.fullmatch(expected):
        return []
    question = about(question).text
    quoted = list(dict.fromkeys(part.strip() for part in _QUOTED.findall(question)))
    if len(quoted) > 1 and folded(expected) in map(folded, quoted):
        return quoted
    for sentence in re.split(r"[.?!:()\n]+(?:\s|$)|:\s|[()]", question):
        if re.search(r"\bor\b|/", sentence, re.IGNORECASE):
            found = _trimmed(
                [part for part in _OPTION_LINK.split(sentence) if part and part.strip()], expected
            )
            if found:
                return found
    return []


def _trimmed(parts: list[str], expected: str) -> list[str]:
    """The options without the words of the sentence around them."""
    if len(parts) < 2:
        return []
    count = len(expected.split())
    sizes = {len(part.split()) for part in parts[1:-1]}
    count = max([count, *sizes]) if len(sizes) == 1 else count
    first, last = parts[0].split(), _LED_IN.sub("", parts[-1]).split()
    options = [
        " ".join(first[-count:]),
        *(part.strip() for part in parts[1:-1]),
        " ".join(last[:count]),
    ]
    options = [option.strip(" \"'.,") for option in options]
    options = list(dict.fromkeys(option for option in options if option))
    plain = [folded(option) for option in options]
    short = all(len(option.split()) <= _MOST_WORDS for option in options)
    return options if len(options) > 1 and short and folded(expected) in plain else []
