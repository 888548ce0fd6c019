"""The grader of a case that only has a question and an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from harness.graders.calendar import Clock, dates, times
from harness.graders.choices import named
from harness.graders.decide import Mention
from harness.graders.measures import asked_unit
from harness.graders.numbers import numbers
from harness.graders.patterns import pattern, regex
from harness.graders.places import dimensions, find_cells, find_places
from harness.graders.question import Question, about, letters_offered
from harness.graders.structures import items_of, rows_of
from harness.graders.texts import NULLS, normal
from harness.graders.units import unit_at
from harness.graders.words import folded, rivals
from harness.graders.yes_no import as_yes_or_no

Inferred = tuple[str, dict[str, Any]]

_INTEGER = regex(r"[-+]?(?:\d+|\d{1,3}(?:[, .']\d{3})+)")
_DECIMAL = regex(r"[-+]?\d[\d.,' ]*|[-+]?\.\d+")
_SIGNED_MONEY = pattern("money in a reference")
_ABOUT_MONEY = pattern("asks for money")
_ABOUT_CODE = pattern("asks for a code")
_ABOUT_TEXT = pattern("asks for a text")
_ABOUT_LIST = pattern("asks for a list")
_IN_ORDER = pattern("asks for an order")
_ASKS_TIME = pattern("asks for a time")
_ASKS_RATIO = pattern("asks for a ratio")
_ASKS_PLACE = pattern("asks for a place")
_COUNTS = pattern("counts")
_CODE = regex(
    r"(?=\S*\d)(?=\S*[A-Za-z])[A-Za-z0-9][A-Za-z0-9./#:_-]*"
    r"|(?=[A-Z0-9/ -]*\d)(?=[A-Z0-9/ -]*[A-Z])[A-Z0-9/]+(?:[ -][A-Z0-9]+){0,8}"
)
_OR = pattern("or among options")
_OPTION_LINK = pattern("between options")
_WH = regex(r"\s*(?:(?:to|in|on|at) )?(?:which|what|where|who|how)\b(?!.* of )", re.IGNORECASE)
_QUOTED = regex(r"[\"']([^\"'\n]{1,60})[\"']")
_LED_IN = pattern("lead-in of an option")
_CHOOSE = pattern("choose one")
_LONGEST_SHORT_TEXT, _MOST_WORDS = 4, 4


def infer(question: str, expected: str | tuple[str, ...]) -> Inferred:
    """Grader and options, from what the answer looks like and how the question wants it.

    >>> infer("How many holes? Return only a number.", "4"), infer("Is it empty?", "Yes")
    (('integer', {}), ('yes_no', {}))
    >>> infer("Is it left or right of the truck?", "left")
    ('choice', {'choices': ['left', 'right']})
    >>> infer("What is the serial number?", "00412"), infer("What is the price?", "2.30")
    (('code', {}), ('money', {}))
    """
    asked = about(question)
    if not isinstance(expected, str):
        return "list", _order(question)
    written = expected.strip()
    for guess in (_structured, _lettered, _closed, _with_digits, _worded):
        if (found := guess(asked, written)) is not None:
            return found
    return "text", {}


def _structured(_: Question, written: str) -> Inferred | None:
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


def _lettered(question: Question, written: str) -> Inferred | None:
    """A letter, or the words of an option that a letter stands for."""
    options = question.options
    letters = [part.strip("(). ") for part in written.split(",")]
    if len(letters) > 1 and all(re.fullmatch("[A-Za-z]", letter) for letter in letters):
        return "list", {}
    if options and named(written, list(options.values()), options) is not None:
        return "choice", {"choices": list(options.values())}
    letter = written.strip("(). ").upper()
    if re.fullmatch("[A-Z]", letter):
        offered = letters_offered(question.text)
        if letter not in offered and options:
            offered = [chr(code) for code in range(ord("A"), ord("K"))]
        if letter not in offered and (letter <= "J" or "letter" in question.words):
            offered = [chr(code) for code in range(ord("A"), ord("Z" if letter > "J" else "J") + 1)]
        if letter in offered and not find_places(question.text):
            return "choice", {"choices": offered}
    return None


def _closed(question: Question, written: str) -> Inferred | None:
    """Answers out of a few: yes and no, options of the question, places."""
    if folded(written) in ("yes", "no", "true", "false") and as_yes_or_no(written) is not None:
        return "yes_no", {}
    if folded(written) in NULLS:
        return "text", {}
    if _is_whole(find_cells, written):
        return "position", {}
    if len(re.split(r"[\s-]+", written)) > 1 and _is_whole(find_places, written):
        return "position", {}
    if choices := options_in(question, written):
        return "choice", {"choices": choices}
    if _is_whole(find_places, written) and _ASKS_PLACE.search(question.text):
        return "position", {}
    return None


def options_in(question: Question, expected: str) -> list[str]:
    """The options that a question lists, when the answer is one of them.

    >>> options_in(about("Which colour is it? Red, orange, green, or blue."), "green")
    ['Red', 'orange', 'green', 'blue']
    >>> options_in(about("Is it 'right side up' or 'upside down'?"), "upside down")
    ['right side up', 'upside down']
    >>> options_in(about("Does the box contain screws or bolts or nuts?"), "bolts")
    ['screws', 'bolts', 'nuts']
    """
    chosen = _CHOOSE.search(question.text)
    if re.fullmatch(r"[-+]?[\d.,' ]*\d[\d.,' ]*", expected) and not chosen:
        return []
    quoted = list(dict.fromkeys(part.strip() for part in _QUOTED.findall(question.text)))
    if len(quoted) > 1 and folded(expected) in map(folded, quoted):
        return quoted
    text = question.text[chosen.end() :] if chosen else question.text
    for sentence in re.split(r"[.?!:()\n]+(?:\s|$)|:\s|[()]", text):
        if _OR.search(sentence):
            parts = [part for part in _OPTION_LINK.split(sentence) if part and part.strip()]
            if found := _trimmed(parts, expected, whole=chosen is not None):
                return found
    return []


def _trimmed(parts: list[str], expected: str, *, whole: bool) -> list[str]:
    """The options without the words of the sentence around them."""
    if len(parts) < 2:
        return []
    options = [part.strip() for part in parts]
    if not whole:
        count = len(expected.split())
        sizes = {len(part.split()) for part in parts[1:-1]}
        count = max([count, *sizes]) if len(sizes) == 1 else count
        if len(parts) > 2 and len(parts[0].split()) > count and _WH.match(parts[0]):
            named = folded(expected) in folded(" ".join(parts[1:]))
            parts = parts[1:] if named else parts
        first, last = parts[0].split(), _LED_IN.sub("", parts[-1]).split()
        options = [" ".join(first[-count:]), *options[1:-1], " ".join(last[:count])]
    options = [option.strip(" \"'.,") for option in options]
    options = list(dict.fromkeys(option for option in options if option))
    short = whole or all(len(option.split()) <= _MOST_WORDS for option in options)
    named = folded(expected) in map(folded, options)
    return options if len(options) > 1 and short and named else []


def _is_whole(find: Callable[[str], list[Mention]], written: str) -> bool:
    found = find(written)
    return len(found) == 1 and (found[0].start, found[0].end) == (0, len(written.rstrip(" .")))


def _with_digits(question: Question, written: str) -> Inferred | None:
    if not any(c.isdigit() for c in written):
        return None
    coded = bool(_ABOUT_CODE.search(question.text))
    for guess in (_calendar, _sized):
        if (found := guess(question, written)) is not None:
            return found
    if _SIGNED_MONEY.fullmatch(written):
        return "money", {}
    if _INTEGER.fullmatch(written) or (_DECIMAL.fullmatch(written) and _is_one_number(written)):
        return _number(question, written, coded)
    if _is_quantity(written):
        return "decimal", {}
    if _CODE.fullmatch(written) or (coded and len(written.split()) <= 5):
        return "code", {}
    return None


def _is_one_number(written: str) -> bool:
    found = numbers(written)
    return len(found) == 1 and found[0].end - found[0].start == len(written.strip())


def _number(question: Question, written: str, coded: bool) -> Inferred:
    counted = _COUNTS.search(question.text)
    digits = sum(c.isdigit() for c in written)
    leading_zero = len(written) > 1 and written[0] == "0" and written[1].isdigit()
    code_like = (digits >= 3 and coded) or digits >= 9
    if leading_zero or (code_like and not counted and "." not in written):
        return "code", {}
    if not counted and asked_unit(question) is not None:
        return "decimal", {}
    money = _ABOUT_MONEY.search(question.text) and not re.search(
        r"\bhow many\b", question.text, re.IGNORECASE
    )
    if money:
        return "money", {}
    whole = _INTEGER.fullmatch(written) and not re.fullmatch(r"\d{1,3}\.\d{3}", written)
    return ("integer" if whole else "decimal"), {}


def _calendar(question: Question, written: str) -> Inferred | None:
    plain = re.fullmatch(r"\d+\.\d+", written)  # 1.0144 is an area; 12.2024 may be a month
    if plain and not re.fullmatch(r"\d\d?\.(?:19|20)\d\d", written):
        return None
    if _is_whole(dates, written.rstrip(" ,.")):
        return "date", {}
    asked = ":" in written or _ASKS_TIME.search(question.text)
    clock = times(written)
    alone = len(clock) == 1 and isinstance(clock[0].value, Clock)
    if asked and alone and len(written) - (clock[0].end - clock[0].start) <= 1:
        return ("text", {}) if _ASKS_RATIO.search(question.text) else ("time", {})
    return None


def _sized(_: Question, written: str) -> Inferred | None:
    if re.fullmatch(r"\d+ ?(?:'|ft|feet) ?\d+ ?(?:\"|''|in|inches)?", written):
        return "dimensions", {}
    if re.search(r"[x×X*]|\bby\b", written) and _is_whole(dimensions, written):
        return "dimensions", {}
    return None


def _is_quantity(written: str) -> bool:
    found = numbers(written)
    if len(found) != 1 or found[0].start > 0:
        return False
    measured = unit_at(written, found[0].end)
    rest = written[measured[1] if measured else found[0].end :].strip(" .")
    return not rest and (measured is not None or not found[0].spelled)


def _worded(question: Question, written: str) -> Inferred | None:
    count = len(written.split())
    if rivals(written):
        return "text", {}
    spelled = numbers(written)
    if len(spelled) == 1 and _is_one_number(written):
        return "integer", {}
    items = len(items_of(written)) if "," in written else 0
    listed = items > 2 or (items == 2 and _ABOUT_LIST.search(question.text))
    if count <= 12 and listed:
        return "list", _order(question.text)
    if count <= 5 and re.search(
        r"\b(?:captcha|string|code|serial|plate|password|letters|characters)\b", question.text, re.I
    ):
        return "code", {}
    long = (count >= 3 and _ABOUT_TEXT.search(question.text)) or count > _LONGEST_SHORT_TEXT
    return ("transcription", {}) if long and normal(written) else None


def _order(question: str) -> dict[str, Any]:
    return {"ordered": True} if _IN_ORDER.search(question) else {}
