"""Finding words of a known set in a text: options, colours, places, yes and no."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping

from harness.graders.reading import Finder, Mention, stem

_HEDGE = re.compile(
    r"\b(maybe|perhaps|possibly|might(?: well)? be|could be|could also be|may be|either|not sure|unsure|guess|potentially"
    r"|not certain|uncertain|either way|depending)\b[\w ,'\"]{0,24}$",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(
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

    >>> [(m.value, m.start) for m in set_finder({"right": 1, "right side up": 2})("Right side up, not right")]
    [(2, 0), (1, 19)]
    """
    pattern = re.compile(rf"(?<![\w])(?:{'|'.join(_alternatives(terms))})(?![\w])", re.IGNORECASE)
    values = {_key(term): value for term, value in terms.items()}

    def find(text: str) -> list[Mention]:
        found = [
            Mention(match.start(), match.end(), values[_key(match[0])], hedge(text, match.start()))
            for match in pattern.finditer(text)
        ]
        return alternatives(text, found) if len(found) > 1 else found

    return find


def hedge(text: str, at: int) -> str | None:
    if at == 0:
        return None
    found = _HEDGE.search(text[max(0, at - 50) : at])
    return found[1] if found else None


def alternatives(text: str, found: list[Mention]) -> list[Mention]:
    """ "Red or blue" is no answer, whatever else the statement says."""
    for left, right in zip(found, found[1:], strict=False):
        if left.value != right.value and _ALTERNATIVE.fullmatch(text[left.end : right.start]):
            said = text[left.start : right.end]
            found = [
                m._replace(hedge=said) if m.value in (left.value, right.value) else m for m in found
            ]
    return found


def _alternatives(terms: Iterable[str]) -> list[str]:
    patterns = []
    for term in sorted(terms, key=len, reverse=True):
        parts = [re.escape(part) for part in re.split(r"[\s-]+", term.strip())]
        last = parts[-1]
        if last[-1:].isalpha() and len(last) > 2:
            last = re.escape(_singular(term.split()[-1].split("-")[-1])) + r"(?:s|es|ies|y)?"
        patterns.append(r"[\s-]{1,3}".join([*parts[:-1], last]))
    return patterns


def _singular(word: str) -> str:
    lowered = word.lower()
    if len(word) > 4 and lowered.endswith("ies"):
        return word[:-3]
    if len(word) > 3 and lowered.endswith("y"):
        return word[:-1]
    if len(word) > 3 and lowered.endswith("s") and not lowered.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _key(term: str) -> str:
    parts = re.split(r"[\s-]+", term.strip().lower())
    return " ".join([*parts[:-1], _last_key(parts[-1])])


def _last_key(word: str) -> str:
    """One key for "berry", "berries", "box" and "boxes"."""
    word = stem(word) if not word.endswith(("ed", "ing")) else word
    word = word[:-1] if word.endswith(("y", "e")) and len(word) > 3 else word
    return word
