"""The grader of a case that only has a question and an answer."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from harness.graders.choices import lettered, named
from harness.graders.decide import Finder
from harness.graders.extract import asked
from harness.graders.notations import cells, dates, places, times
from harness.graders.quantities import as_quantity, asked_unit, dimensions_in, numbers
from harness.graders.structures import items_of, rows_of
from harness.graders.texts import NULLS, normal
from harness.graders.words import PHRASES, folded, kin, pattern, without_article

Inferred = tuple[str, dict[str, Any]]

_NUMBER = pattern(r"[-+]?(?:\d[\d.,' ]*|\.\d+)", "a number without a unit")
_WHOLE = pattern(r"[-+]?(?:\d+|\d{1,3}(?:[, ']\d{3})+)", "a whole number")
_DOTTED = pattern(r"\d\d?\.(?:\d\d?\.)?(?:19|20)\d\d", "3.4.2021 is a date")
_LINK = pattern(r"\s*(?:,\s*(?:or|and)\s+|\bor\b|,(?!\d)|/(?!\d)|;|\|)\s*", "between options")
_OR = pattern(r"\bor\b|/", "options between or, a slash")
_PREPOSITION = pattern(r"^(?:(?:to|on|in|at|from) )?(?:(?:the|an?) )?", "in front of an option")
_SENTENCE = pattern(r"[.?!:()\n]+(?:\s|$)|[()]", "where a question may change its subject")
_MOST_WORDS = 4
"""Of an option, and of a text that is short."""


def infer(question: str, expected: str | tuple[str, ...]) -> Inferred:
    """Grader and options, from what the answer looks like and how the question wants it."""
    if not isinstance(expected, str):
        return "list", _order(question)
    for guess in (_structured, _lettered, _closed, _with_digits, _in_words):
        if found := guess(asked(question).text, expected.strip()):
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
    wanted = options or last == "J" or "letter" in asked(question).words
    return ("choice", {"choices": offered}) if wanted else None


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
    return "position" if place and PHRASES["asks for a place"].search(question) else None


def options_in(question: str, expected: str) -> list[str]:
    """The options that a question lists, when the answer is one of them."""
    if _NUMBER.fullmatch(expected):
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
    asks = PHRASES["which ..."].match(parts[0]) if len(parts) > 2 else None
    if asks and len(parts[0].split()) > count and wanted in folded(" ".join(parts[1:])):
        parts = parts[1:]
    if len(parts) < 2:
        return []
    first, last = parts[0].split()[-count:], _PREPOSITION.sub("", parts[-1]).split()[:count]
    options = [" ".join(first), *parts[1:-1], " ".join(last)]
    return [without_article(option.strip(" \"'.,")) for option in options]


def _is_whole(find: Finder, written: str) -> bool:
    """Whether an answer is one value of a kind; a long one is not looked at."""
    found = find(written) if len(written) <= 60 else []
    return len(found) == 1 and (found[0].start, found[0].end) == (0, len(written.rstrip(" .,")))


def _with_digits(question: str, written: str) -> str | None:
    if not re.search(r"\d", written):
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
    if PHRASES["an amount with its currency"].fullmatch(written):
        return "money"
    if _is_whole(numbers, written):
        return "decimal"
    coded = len(written.split()) <= 5 and PHRASES["asks for a code"].search(question)
    return "code" if coded or PHRASES["looks like a code"].fullmatch(written) else None


def _number(question: str, written: str) -> str:
    coded = PHRASES["asks for a code"].search(question)
    counted = PHRASES["asks for a count"].search(question)
    digits = sum(c.isdigit() for c in written)
    long = digits >= (3 if coded else 9) and not counted and "." not in written
    if long or re.match(r"0\d", written):
        return "code"
    if not counted and asked_unit(question) is not None:
        return "decimal"
    if PHRASES["asks for money"].search(question) and "how many" not in question.lower():
        return "money"
    return "integer" if _WHOLE.fullmatch(written) else "decimal"


def _in_words(question: str, written: str) -> Inferred | str | None:
    count, items = len(written.split()), len(items_of(written)) if "," in written else 0
    if count < 3 and kin(written)[1]:
        return "text"
    if _is_whole(numbers, written):
        return "integer"
    order = _order(question)
    asks_list = order or PHRASES["asks for a list"].search(question) if items == 2 else None
    if count <= 12 and (items > 2 or asks_list):
        return "list", order
    if count <= 5 and PHRASES["asks for a code"].search(question):
        return "code"
    long = count > _MOST_WORDS or (count >= 3 and PHRASES["asks for a text"].search(question))
    return "transcription" if long and normal(written) else None


def _order(question: str) -> dict[str, Any]:
    return {"ordered": True} if PHRASES["asks for an order"].search(question) else {}
