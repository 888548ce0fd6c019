"""The grader of a case that only has a question and an answer."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import msgspec

from harness.graders.choices import named
from harness.graders.decide import Finder
from harness.graders.notations import cells, dates, dimensions_in, places, times
from harness.graders.quantities import as_quantity, asked_unit, numbers
from harness.graders.question import asked_words, lettered, plain_question
from harness.graders.structures import items_of, rows_of
from harness.graders.texts import NULLS, normal
from harness.graders.words import LISTS, TABLES, folded, kin, pattern, phrase, without_article

Inferred = tuple[str, dict[str, Any]]

_MONEY, _ASKS_MONEY = phrase("an amount with its currency"), phrase("asks for money")
_ASKS_CODE, _ASKS_TEXT = phrase("asks for a code"), phrase("asks for a text")
_ASKS_LIST, _ASKS_ORDER = phrase("asks for a list"), phrase("asks for an order")
_ASKS_COUNT, _QUESTION = phrase("asks for a count"), phrase("which ...")
_ASKS_PLACE = pattern(r"\b(?:where|position|locat\w+|corner|side|quadrant)\b", "asks for a place")
_CODE = phrase("looks like a code")
_NUMBER = pattern(r"[-+]?(?:\d[\d.,' ]*|\.\d+)", "a number without a unit")
_WHOLE = pattern(r"[-+]?(?:\d+|\d{1,3}(?:[, ']\d{3})+)", "a whole number")
_DOTTED = pattern(r"\d\d?\.(?:\d\d?\.)?(?:19|20)\d\d", "3.4.2021 is a date")
_LINK = pattern(r"\s*(?:,\s*(?:or|and)\s+|\bor\b|,(?!\d)|/(?!\d)|;|\|)\s*", "between options")
_OFFERS = pattern(r"\bor\b|[/\"']", "options between or, a slash or in quotes: a quick look")
_OR = pattern(r"\bor\b|/", "options between or, a slash")
_PREPOSITION = pattern(r"^(?:(?:to|on|in|at|from) )?(?:(?:the|an?) )?", "in front of an option")
_SENTENCE = pattern(r"[.?!:()\n]+(?:\s|$)|[()]", "where a question may change its subject")
_DIGIT, _LETTERS = pattern(r"\d", "a digit"), pattern(r"[^\W\d_]+", "words without digits")
_KNOWN_WORDS = frozenset(
    word
    for lines in (*(TABLES[it] for it in ("units", "currencies", "months", "places")),
                  *(LISTS[it] for it in ("ones", "tens", "ordinals", "measuring")))
    for word in re.findall(r"[^\W\d_]+", " ".join(lines))
)  # fmt: skip
"""Whatever numbers, dates, times, sizes and places are written with."""
_MOST_WORDS = 4
"""Of an option, and of a text that is short."""


def infer(question: str, expected: str | tuple[str, ...]) -> Inferred:
    """Grader and options, from what the answer looks like and how the question wants it."""
    if not isinstance(expected, str):
        return "list", _order(question)
    for guess in (_structured, _lettered, _closed, _with_digits, _in_words):
        if found := guess(plain_question(question), expected.strip()):
            return found if isinstance(found, tuple) else (found, {})
    return "text", {}


def _structured(_: str, written: str) -> str | None:
    if written[:1] in ("{", "[") and written[-1:] in ("}", "]"):
        try:
            msgspec.json.decode(written)
        except msgspec.DecodeError:
            return None
        return "json"
    rows = rows_of(written) if "\n" in written and re.search("[|,]", written) else []
    return "grid" if len(rows) > 1 and {*map(len, rows)} == {max(2, len(rows[0]))} else None


def _lettered(question: str, written: str) -> Inferred | str | None:
    """A letter, or the words of an option that a letter stands for."""
    options, letters = lettered(question), [it.strip("(). ").upper() for it in written.split(",")]
    single = all(re.fullmatch("[A-Z]", letter) for letter in letters)
    if single and len(letters) > 1:
        return "list"
    if options and named(written, [*options.values()], options) is not None:
        return "choice", {"choices": [*options.values()]}
    if not single or places(question):
        return None
    last = max(letters[0], "J")
    offered = [chr(code) for code in range(ord("A"), ord(last) + 1)]
    asked = options or last == "J" or "letter" in asked_words(question)
    return ("choice", {"choices": offered}) if asked else None


def _closed(question: str, written: str) -> Inferred | str | None:
    """Answers out of a few: yes and no, options of the question, places."""
    if folded(written) in ("yes", "no", "true", "false"):
        return "yes_no"
    if folded(written) in NULLS:
        return "text"
    place = _is_whole(places, written)
    if (place and re.search(r"[\s-]", written)) or _is_whole(cells, written):
        return "position"
    if choices := options_in(question, written):
        return "choice", {"choices": choices}
    return "position" if place and _ASKS_PLACE.search(question) else None


def options_in(question: str, expected: str) -> list[str]:
    """The options that a question lists, when the answer is one of them."""
    if _NUMBER.fullmatch(expected) or not _OFFERS.search(question):
        return []
    wanted = folded(without_article(expected))
    quoted = [it.strip() for it in re.findall(r"[\"']([^\"'\n]{1,60})[\"']", question)]
    listed = (_listed(it, wanted) for it in _SENTENCE.split(question) if _OR.search(it))
    for options in (quoted, *listed):
        short = all(0 < len(option.split()) <= _MOST_WORDS for option in options)
        if (short or options is quoted) and wanted in map(folded, options) and len({*options}) > 1:
            return list(dict.fromkeys(options))
    return []


def _listed(sentence: str, wanted: str) -> list[str]:
    """What a sentence may offer: of the words around "or" as many as the answer has."""
    parts = [part for part in _LINK.split(sentence) if part.strip()]
    sizes = {len(part.split()) for part in parts[1:-1]}
    count = max([len(wanted.split()), *(sizes if len(sizes) == 1 else ())])
    if len(parts) > 2 and len(parts[0].split()) > count and _QUESTION.match(parts[0]):
        parts = parts[1:] if wanted in folded(" ".join(parts[1:])) else parts
    if len(parts) < 2:
        return []
    first, last = parts[0].split()[-count:], _PREPOSITION.sub("", parts[-1]).split()[:count]
    options = [" ".join(first), *parts[1:-1], " ".join(last)]
    return [without_article(option.strip(" \"'.,")) for option in options]


@lru_cache(maxsize=16)
def _measured(written: str) -> bool:
    return _KNOWN_WORDS.issuperset(_LETTERS.findall(written.lower()))


def _is_whole(find: Finder, written: str) -> bool:
    """Whether an answer is one value of a kind; what has other words is not looked at."""
    if not _measured(written):
        return False
    found = find(written)
    return len(found) == 1 and (found[0].start, found[0].end) == (0, len(written.rstrip(" .,")))


def _with_digits(question: str, written: str) -> str | None:
    if not _DIGIT.search(written):
        return None
    number = _NUMBER.fullmatch(written)
    if _is_whole(dates, written) and (not number or _DOTTED.fullmatch(written)):
        return "date"
    if number and as_quantity(written):
        return _number(question, written)
    if _is_whole(times, written):
        return "time"
    least = 1 if re.match(r"\d+ ?(?:'|ft|feet) ?\d", written) else 2
    if "," not in written and _is_whole(lambda text: dimensions_in(text, least), written):
        return "dimensions"
    if _MONEY.fullmatch(written):
        return "money"
    if _is_whole(numbers, written):
        return "decimal"
    coded = len(written.split()) <= 5 and _ASKS_CODE.search(question)
    return "code" if coded or _CODE.fullmatch(written) else None


def _number(question: str, written: str) -> str:
    coded, counted = _ASKS_CODE.search(question), _ASKS_COUNT.search(question)
    digits = sum(c.isdigit() for c in written)
    long = digits >= (3 if coded else 9) and not counted and "." not in written
    if long or re.match(r"0\d", written):
        return "code"
    if not counted and asked_unit(question) is not None:
        return "decimal"
    if _ASKS_MONEY.search(question) and "how many" not in question.lower():
        return "money"
    return "integer" if _WHOLE.fullmatch(written) else "decimal"


def _in_words(question: str, written: str) -> Inferred | str | None:
    count, items = len(written.split()), len(items_of(written)) if "," in written else 0
    if count < 3 and kin(written)[1]:
        return "text"
    if _is_whole(numbers, written):
        return "integer"
    asks_list = _ASKS_LIST.search(question) or _ASKS_ORDER.search(question) if items == 2 else None
    if count <= 12 and (items > 2 or asks_list):
        return "list", _order(question)
    if count <= 5 and _ASKS_CODE.search(question):
        return "code"
    long = count > _MOST_WORDS or (count >= 3 and _ASKS_TEXT.search(question))
    return "transcription" if long and normal(written) else None


def _order(question: str) -> dict[str, Any]:
    return {"ordered": True} if _ASKS_ORDER.search(question) else {}
