"""Finding words of a known set in a text: options, colours, places, yes and no."""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Iterator, Mapping

from harness.graders.lazily import lazy
from harness.graders.reading import Finder, Mention, lowered

_HEDGE = lazy(
    r"\b(maybe|perhaps|possibly|might(?: well)? be|could be|could also be|may be|either|not sure"
    r"|unsure|guess|potentially"
    r"|not certain|uncertain|either way|depending)\b[\w ,'\"]{0,24}$",
    re.IGNORECASE,
)
_SPACE = lazy(r"\\ ")
_GAP = r"[\\s-]{1,3}"
_ALTERNATIVE = lazy(
    r"[\"']{0,2}(?:,? ?\bor\b|,? or (?:possibly|perhaps|maybe)|\s?/)\s?[\"']{0,2}(?:an? |the )?",
    re.I,
)


def folded(text: str) -> str:
    """Lower case, single spaces, no outer punctuation.

    >>> folded(' "The  Fiji" bottle. ')
    'the fiji" bottle'
    """
    return " ".join(text.casefold().split()).strip(" \"'.,;:!?*()[]")


def set_finder(terms: Mapping[str, Hashable]) -> Finder:
    """Finds whole words or phrases, in singular or plural; of two that overlap the longer.

    >>> find = set_finder({"right": 1, "right side up": 2})
    >>> [(m.value, m.start) for m in find("Right side up, not right")]
    [(2, 0), (1, 19)]
    """
    values = {spelled: value for term, value in terms.items() for spelled in _numbered(term)}
    values |= {_normal(term): value for term, value in terms.items()}
    words = sorted(values, key=len, reverse=True)
    pattern = re.compile(
        rf"(?<!\w)(?:{'|'.join(_SPACE.sub(_GAP, re.escape(w)) for w in words)})(?!\w)"
    )

    def find(text: str) -> list[Mention]:
        found = [
            Mention(*match.span(), values[_normal(match[0])], hedge(text, match.start()))
            for match in pattern.finditer(lowered(text))
        ]
        return alternatives(text, found) if len(found) > 1 else found

    return find


def _normal(term: str) -> str:
    return " ".join(re.split(r"[\s-]+", lowered(term).strip()))


def _numbered(term: str) -> Iterator[str]:
    """A term in singular and plural.

    >>> list(_numbered("red box")), list(_numbered("Berries"))
    (['red box', 'red boxes', 'red boxs'], ['berry', 'berries', 'berrys'])
    """
    first, _, last = _normal(term).rpartition(" ")
    one = last
    if len(last) > 4 and last.endswith("ies"):
        one = last[:-3] + "y"
    elif len(last) > 4 and last.endswith(("xes", "ches", "shes", "sses")):
        one = last[:-2]
    elif len(last) > 3 and last.endswith("s") and not last.endswith(("ss", "us", "is")):
        one = last[:-1]
    plural = one[:-1] + "ies" if one.endswith("y") and len(one) > 2 else one + "es"
    for form in (one, plural, one + "s") if last.isalpha() and len(one) > 1 else (last,):
        yield f"{first} {form}".strip()


def hedge(text: str, at: int) -> str | None:
    if at == 0:
        return None
    found = _HEDGE.search(text[max(0, at - 50) : at])
    return found[1] if found else None


def alternatives(text: str, found: list[Mention]) -> list[Mention]:
    """ "Red or blue" is no answer, whatever else the statement says."""
    for left, right in itertools.pairwise(found):
        if left.value != right.value and _ALTERNATIVE.fullmatch(text[left.end : right.start]):
            said = text[left.start : right.end]
            found = [
                m._replace(hedge=said) if m.value in (left.value, right.value) else m for m in found
            ]
    return found
