"""The grader of a case that only has a question and an answer."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from harness.graders.asked import choices_in
from harness.graders.choices import letters
from harness.graders.clock import Clock, times
from harness.graders.dates import dates
from harness.graders.dimensions import dimensions
from harness.graders.lazily import lazy
from harness.graders.lexicon import NULLS, rivals_of
from harness.graders.lists import items_of
from harness.graders.measures import _asked_unit_of
from harness.graders.numbers import numbers
from harness.graders.positions import find_cells, find_places
from harness.graders.reading import about
from harness.graders.structures import rows_of
from harness.graders.terms import folded
from harness.graders.transcriptions import normal
from harness.graders.units import unit_at
from harness.graders.yes_no import as_yes_or_no

Choice = tuple[str, dict[str, Any]]

_INTEGER = lazy(r"[-+]?(?:\d+|\d{1,3}(?:[, .']\d{3})+)")
_DECIMAL = lazy(r"[-+]?\d[\d.,' ]*|[-+]?\.\d+")
_SIGNED_MONEY = lazy(
    r"(?:[A-Z]{0,2}[$£€¥₹]|USD|GBP|EUR)\s?-?\d[\d.,]*|-?\d[\d.,]*\s?(?:[$£€¥₹]|USD|GBP|EUR|p\b"
    r"|pence|cents?)",
    re.I,
)
_ABOUT_MONEY = lazy(
    r"\b(?:prices?|costs?|how much (?:is|are|does|do|was|were|did|money)|currency|tax|paid|pay"
    r"|usd|gbp|eur|dollars?|pounds? sterling"
    r"|total (?:amount|due|paid|price|cost)|amount (?:due|paid)|subtotal|fee|discount|tip|balance"
    r"|invoice total)\b|[$£€]",
    re.IGNORECASE,
)
_ABOUT_CODE = lazy(
    r"\b(?:ids?|serial|codes?|vin|sku|captcha|barcode|isbn|imei|licen[cs]e plate|number ?plate"
    r"|plate number|registration|reg\.? (?:no|number)"
    r"|part number|model number|serial number|tracking|reference number|order number"
    r"|invoice number|phone|telephone|batch|lot number"
    r"|lot no|password|(?-i:PIN)|pin (?:code|number)|container number"
    r"|tail number|flight number|account number|case number"
    r"|postcode|zip|mac address"
    r"|letters|characters|string required)\b",
    re.IGNORECASE,
)
_ABOUT_TEXT = lazy(
    r"\b(?:transcribe|transcription|what (?:does|do|did) .{0,60}\b(?:say|read)|text|written"
    r"|wording|caption|sentence|headline|slogan|quote|ocr"
    r"|words|phrase|message|inscription|engraved|title|heading|handwriting|handwritten"
    r"|label say)\b|\bread the\b",
    re.IGNORECASE,
)
_ABOUT_LIST = lazy(
    r"\b(?:list|comma|separated|in order|order of|from left to right|from top to bottom"
    r"|left to right|top to bottom|which (?:of|two|three|\w+s are)"
    r"|names? of all|all (?:of )?the|sequence|sorted|clockwise order)\b",
    re.IGNORECASE,
)
_IN_ORDER = lazy(
    r"\b(?:in order|order of|from left|from right|from top|from bottom|left to right"
    r"|top to bottom|right to left|sequence|sorted|order\b|starting)",
    re.I,
)
_CODE = lazy(
    r"(?=\S*\d)(?=\S*[A-Za-z])[A-Za-z0-9][A-Za-z0-9./#:_-]*"
    r"|(?=[A-Z0-9 -]*\d)(?=[A-Z0-9 -]*[A-Z])[A-Z0-9]+(?:[ -][A-Z0-9]+){0,8}"
)
_PLATE = lazy(r"(?=.*\d)(?=.*[A-Z])[A-Z0-9]{1,10}(?:[ -][A-Z0-9]{1,10}){0,4}")
_LONGEST_SHORT_TEXT = 4


def infer(question: str, expected: str | tuple[str, ...]) -> Choice:
    """Grader and options, from what the answer looks like and how the question wants it.

    >>> infer("How many holes? Return only a number.", "4"), infer("Is it empty?", "Yes")
    (('integer', {}), ('yes_no', {}))
    >>> infer("Is it left or right of the truck?", "left")
    ('choice', {'choices': ['left', 'right']})
    >>> infer("What is the serial number?", "00412"), infer("What is the price?", "2.30")
    (('code', {}), ('money', {}))
    """
    if not isinstance(expected, str):
        return "list", _order(question)
    written = expected.strip()
    for guess in (_structured, _closed, _with_digits, _worded):
        if (found := guess(question, written)) is not None:
            return found
    return "text", {}


def _structured(_: str, written: str) -> Choice | None:
    if written[:1] in ("{", "[") and written[-1:] in ("}", "]"):
        try:
            msgspec.json.decode(written)
        except msgspec.DecodeError:
            return None
        return "json", {}
    rows = rows_of(written)
    wide = {len(row) for row in rows}
    if len(rows) > 1 and len(wide) == 1 and wide.pop() > 1 and ("|" in written or "," in written):
        return "grid", {}
    return None


def _closed(question: str, written: str) -> Choice | None:
    """Answers out of a few: yes and no, options of the question, places."""
    if as_yes_or_no(written) is not None and folded(written) in ("yes", "no", "true", "false"):
        return "yes_no", {}
    if folded(written) in NULLS:
        return "text", {}
    lettered = letters(question)
    named = {folded(text) for text in lettered.values()}
    if lettered and (written.strip("().").upper() in lettered or folded(written) in named):
        return "choice", {"choices": list(lettered.values())}
    if _is_whole(find_cells, written):
        return "position", {}
    if len(re.split(r"[\s-]+", written)) > 1 and _is_whole(find_places, written):
        return "position", {}
    choices = choices_in(question, written)
    if choices:
        return "choice", {"choices": choices}
    if _is_whole(find_places, written) and _asks_place(question):
        return "position", {}
    return None


def _asks_place(question: str) -> bool:
    return bool(
        re.search(
            r"\b(?:where|position|location|located|corner|side|quadrant|part of the (?:image"
            r"|picture))\b",
            question,
            re.I,
        )
    )


def _is_whole(find: Any, written: str) -> bool:
    mentions = find(written)
    return len(mentions) == 1 and (mentions[0].start, mentions[0].end) == (
        0,
        len(written.rstrip(" .")),
    )


def _with_digits(question: str, written: str) -> Choice | None:
    if not any(c.isdigit() for c in written):
        return None
    coded = bool(_ABOUT_CODE.search(question))
    for guess in (_calendar, _sized):
        if (found := guess(question, written)) is not None:
            return found
    if _SIGNED_MONEY.fullmatch(written):
        return "money", {}
    if _INTEGER.fullmatch(written) or (_DECIMAL.fullmatch(written) and _is_one_number(written)):
        return _number(question, written, coded)
    if _is_quantity(written):
        return "decimal", {}
    if (
        _CODE.fullmatch(written)
        or _PLATE.fullmatch(written)
        or (coded and len(written.split()) <= 5)
    ):
        return "code", {}
    return None


def _is_one_number(written: str) -> bool:
    found = numbers(written)
    return len(found) == 1 and found[0].end - found[0].start == len(written.strip())


def _number(question: str, written: str, coded: bool) -> Choice:
    counted = re.search(
        r"\bhow (?:many|much)\b|\bnumber of\b|\bcount\b|\bquantity\b", question, re.IGNORECASE
    )
    digits = sum(c.isdigit() for c in written)
    leading_zero = len(written) > 1 and written[0] == "0" and written[1].isdigit()
    if leading_zero or (
        ((digits >= 3 and coded) or digits >= 9) and not counted and "." not in written
    ):
        return "code", {}
    if not counted and _asked_unit_of(about(question)) is not None:
        return "decimal", {}
    if not _INTEGER.fullmatch(written) or re.fullmatch(r"\d{1,3}\.\d{3}", written):
        return ("money", {}) if _ABOUT_MONEY.search(question) else ("decimal", {})
    return (
        ("money", {})
        if _ABOUT_MONEY.search(question) and not re.search(r"\bhow many\b", question, re.I)
        else ("integer", {})
    )


def _calendar(question: str, written: str) -> Choice | None:
    day = dates(written)
    if (
        len(day) == 1
        and not written[: day[0].start].strip(" ,")
        and not written[day[0].end :].strip(" ,.")
    ):
        return "date", {}
    clock = times(written)
    asked = ":" in written or re.search(
        r"\b(?:time|clock|o'clock|when|hour)\b|[ap]\.?m\b", question + written, re.IGNORECASE
    )
    if (
        asked
        and len(clock) == 1
        and isinstance(clock[0].value, Clock)
        and len(written) - (clock[0].end - clock[0].start) <= 1
    ):
        return (
            ("time", {})
            if not re.search(r"\b(?:score|ratio|aspect|scale)\b", question, re.I)
            else ("text", {})
        )
    return None


def _sized(_: str, written: str) -> Choice | None:
    if re.fullmatch(r"\d+ ?(?:'|ft|feet) ?\d+ ?(?:\"|''|in|inches)?", written):
        return "dimensions", {}
    found = dimensions(written)
    if (
        len(found) == 1
        and not written[: found[0].start].strip()
        and not written[found[0].end :].strip(" .")
    ):
        return ("dimensions", {}) if re.search(r"[x×X*]|\bby\b", written) else None
    return None


def _is_quantity(written: str) -> bool:
    found = numbers(written)
    if len(found) != 1 or found[0].start > 0:
        return False
    measured = unit_at(written, found[0].end)
    return measured is not None and not written[measured[1] :].strip(" .")


def _worded(question: str, written: str) -> Choice | None:
    count = len(written.split())
    if rivals_of(written):
        return "text", {}
    items = len(items_of(written)) if "," in written else 0
    if count <= 12 and (items > 2 or (items == 2 and _ABOUT_LIST.search(question))):
        return "list", _order(question)
    if (
        _ABOUT_CODE.search(question)
        and count <= 5
        and re.search(
            r"\bcaptcha\b|\bstring\b|\bcode\b|\bserial\b|\bplate\b|\bpassword\b|\bletters\b"
            r"|\bcharacters\b",
            question,
            re.I,
        )
    ):
        return "code", {}
    long = (count >= 3 and _ABOUT_TEXT.search(question)) or count > _LONGEST_SHORT_TEXT
    if long and normal(written):
        return "transcription", {}
    return None


def _order(question: str) -> dict[str, Any]:
    return {"ordered": True} if _IN_ORDER.search(question) else {}
