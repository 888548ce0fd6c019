"""Spellings that make no other answer: case, spacing, accents, plural, British and American."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from harness.graders.lazily import lazy


def pattern(texts: Sequence[str]) -> re.Pattern[str]:
    """A text in any case and spacing, with or without accents, in singular or plural.

    >>> [bool(pattern([it]).fullmatch("tool box")) for it in ("Tool-Box", "tool boxes", "tools")]
    [True, False, False]
    """
    return re.compile(rf"(?<![\w])(?:{'|'.join(map(_spelled, texts))})(?![\w])", re.IGNORECASE)


def _spelled(text: str) -> str:
    if _FIGURES.fullmatch(text.strip()):
        return _figures(text.strip())
    if url := _URL.fullmatch(text.strip().rstrip("/")):
        return rf"(?:https?://)?(?:www\.)?{re.escape(url[1])}/?"
    parts = [part for part in re.split(r"[\s_-]+", unaccented(text).strip(" \"'.,;:!?")) if part]
    if not parts:
        return re.escape(text)
    spelled = [_letters(part) for part in parts]
    last = parts[-1]
    if last.isalpha() and len(last) > 3:
        if last.endswith("s") and not last.endswith("ss"):
            spelled[-1] = _letters(last[:-1]) + "(?:s)?"
        else:
            spelled[-1] = _letters(last) + "(?:'?e?s)?"
    spelled = [
        s + (r"\.?" if p.lower() in _SHORTENED else "") for s, p in zip(spelled, parts, strict=True)
    ]
    return r"[\s_-]{0,2}".join(spelled)


_SHORTENED = ("dr", "mr", "mrs", "ms", "st", "mt")
_FIGURES = lazy(r"\d+(?:[.,]\d+)?(?: ?[-:/] ?\d+(?:[.,]\d+)?)+")


def _figures(text: str) -> str:
    """A score, a range or a fraction: "3-1" is "3:1" and "3 to 1", but not "31"."""
    figures = [re.escape(figure) for figure in re.split(r" ?[-:/] ?", text)]
    if "/" in text:
        figure = r"(?<![\d/]\.)" + r" ?/ ?".join(figures) + r"(?![./-]?\d)"
        return "|".join([figure, *_fraction(*text.split("/"))])
    apart = r" ?(?:-|:|to|and) ?"
    return r"(?<!\d[-:])" + apart.join(figures) + r"(?! ?[-:]\d)"


_PARTS = {2: "hal(?:f|ves)", 3: "thirds?", 4: "(?:quarter|fourth)s?", 5: "fifths?", 8: "eighths?"}
_COUNTS = ("", "(?:a|one)", "two", "three", "four", "five", "six", "seven")


def _fraction(above: str, below: str = "", *more: str) -> list[str]:
    """A fraction in words, in decimals and in percent, where that is exact."""
    if more or not (above.strip().isdigit() and below.strip().isdigit()):
        return []
    part, whole = int(above), int(below)
    if whole not in _PARTS or not 0 < part < whole:
        return []
    count = rf"{_COUNTS[part]}[\s-]" if part > 1 else rf"(?:{_COUNTS[1]}[\s-])?"
    spelled = [rf"{count}{_PARTS[whole]}"]
    if whole == 3:
        return spelled
    share = f"{100 * part / whole:g}"
    return [*spelled, rf"{re.escape(share)} ?(?:%|percent)", re.escape(f"{part / whole:g}")]


_URL = lazy(r"(?:https?://)?(?:www\.)?([\w-]+(?:\.[\w-]+)*\.[a-z]{2,}(?:/\S*)?)", re.IGNORECASE)
_VARIANTS = {
    "grey": "gr[ea]y",
    "gray": "gr[ea]y",
    "&": "(?:&|and)",
    "and": "(?:&|and)",
    "color": "colou?r",
    "centre": "cent(?:re|er)",
    "center": "cent(?:re|er)",
    "aluminium": "alumini?um",
    "aluminum": "alumini?um",
    "road": r"(?:road|rd\.?)",
    "street": r"(?:street|str?\.?)",
    "avenue": r"(?:avenue|ave?\.?)",
}


def _letters(part: str) -> str:
    variant = _VARIANTS.get(part.lower())
    plain = "'?".join(re.escape(piece) for piece in part.split("'"))
    return variant or (re.sub("our", "ou?r", plain, flags=re.I) if len(part) > 5 else plain)


def unaccented(text: str) -> str:
    """
    >>> unaccented("Nestlé")
    'Nestle'
    """
    if text.isascii():
        return text
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
