"""What a case asks for: its grader, where it names none, and the JSON schema of its answer."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from harness.graders.choices import lettered, named
from harness.graders.decide import Finder
from harness.graders.extract import asked
from harness.graders.notations import cells, dates, places, times
from harness.graders.quantities import as_quantity, dimensions_in, numbers
from harness.graders.structures import items_of, rows_of
from harness.graders.texts import NULLS, normal
from harness.graders.words import PHRASES, folded, pattern, without_article
from harness.records import Case

Inferred = tuple[str, dict[str, Any]]
Schema = dict[str, Any]

_NUMBER = pattern(r"[-+]?(?:\d[\d.,' ]*|\.\d+)", "a number without a unit")
_WHOLE = pattern(r"[-+]?(?:\d+|\d{1,3}(?:[, ']\d{3})+)", "a whole number")
_DOTTED = pattern(r"\d\d?\.(?:\d\d?\.)?(?:19|20)\d\d", "3.4.2021 is a date")
_TEXT, _NUMERIC, _SIDES = {"type": "string"}, {"type": "number"}, ["left", "center", "right"]
_PLACES = [f"{row} {column}" for row in ("top", "center", "bottom") for column in _SIDES]
_BOX = {"type": "array", "items": _NUMERIC, "minItems": 4, "maxItems": 4}
_ANSWERS: dict[str, Schema] = {
    "yes_no": _TEXT | {"enum": ["yes", "no"]},
    "integer": {"type": "integer"},
    "decimal": _NUMERIC,
    "money": _NUMERIC,
    "position": _TEXT | {"enum": [*_PLACES, "top", "bottom", *_SIDES]},
    "list": {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": 100},
    "date": _TEXT | {"pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    "time": _TEXT | {"pattern": "^[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?$"},
    "point": _BOX | {"minItems": 2, "maxItems": 2},
    "box": {"type": "array", "items": _BOX, "minItems": 1, "maxItems": 100},
}


def infer(question: str, expected: str | tuple[str, ...]) -> Inferred:
    """Grader and options, from what the answer looks like and how the question wants it."""
    text = asked(question).text
    order = {"ordered": True} if PHRASES["asks for an order"].search(text) else {}
    if not isinstance(expected, str):
        return "list", order
    written = expected.strip()
    for guess in (_structured, _closed, _with_digits):
        if found := guess(text, written):
            return found if isinstance(found, tuple) else (found, {})
    if _is_whole(numbers, written):
        return "integer", {}
    count = len(written.split())
    if "," in written and len(items_of(written)) > 2 and count <= 12:
        return "list", order
    if count <= 5 and PHRASES["asks for a code"].search(text):
        return "code", {}
    long = count > 4 or (count > 2 and PHRASES["asks for a text"].search(text))
    return "transcription" if long and normal(written) else "text", {}


def _structured(_: str, written: str) -> str | None:
    if written[:1] in ("{", "[") and written[-1:] in ("}", "]"):
        try:
            msgspec.json.decode(written)
        except msgspec.DecodeError:
            return None
        return "json"
    rows = rows_of(written) if "\n" in written and re.search("[|,]", written) else []
    return "grid" if len(rows) > 1 and {*map(len, rows)} == {max(2, len(rows[0]))} else None


def _closed(question: str, written: str) -> Inferred | str | None:
    """Answers out of a few: lettered options, letters, yes and no, places, other options."""
    options, letters = lettered(question), [it.strip("(). ").upper() for it in written.split(",")]
    single = all(re.fullmatch("[A-Z]", letter) for letter in letters)
    if single and len(letters) > 1:
        return "list"
    if options and named(written, [*options.values()], options) is not None:
        return "choice", {"choices": [*options.values()]}
    if single:
        return "choice", {"choices": [*map(chr, range(ord("A"), ord(max(letters[0], "J")) + 1))]}
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
    """The options that a question lists, when the answer is one of them: of the words around "or"
    as many as the answer has."""
    wanted = folded(without_article(expected))
    count = len(wanted.split())
    if _NUMBER.fullmatch(expected):
        return []
    for sentence in PHRASES["where a question may change its subject"].split(question):
        parts = [part for part in PHRASES["between options"].split(sentence) if part.strip()]
        long = len(parts) > 2 and len(parts[0].split()) > count
        if long and PHRASES["which ..."].match(sentence) and wanted in folded(" ".join(parts[1:])):
            parts = parts[1:]
        if len(parts) > 1 and re.search(r"\bor\b|/", sentence):
            first, last = (
                parts[0].split(),
                PHRASES["in front of an option"].sub("", parts[-1]).split(),
            )
            options = [" ".join(first[-count:]), *parts[1:-1], " ".join(last[:count])]
            options = [without_article(option.strip(" \"'.,")) for option in options]
            if wanted in map(folded, options) and len(set(options)) > 1:
                return list(dict.fromkeys(options))
    return []


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
        if re.match(r"0\d|\d{9}", written):
            return "code"
        asks_money = PHRASES["asks for money"].search(question)
        if asks_money and "how many" not in question.lower():
            return "money"
        return "integer" if _WHOLE.fullmatch(written) else "decimal"
    if _is_whole(times, written):
        return "time"
    least = 1 if re.match(r"\d+ ?(?:'|ft|feet) ?\d", written) else 2
    if _is_whole(lambda text: dimensions_in(text, least), written):
        return "dimensions"
    if PHRASES["an amount with its currency"].fullmatch(written):
        return "money"
    if _is_whole(numbers, written):
        return "decimal"
    return "code" if PHRASES["looks like a code"].fullmatch(written) else None


def constraint(case: Case) -> Schema | None:
    """What the reply to a case must look like; None where any text may be the answer.

    A single answer stands in the field `answer`, where graders read it.
    """
    expected, answer = str(case.expected), _ANSWERS.get(case.grader)
    if case.grader == "json":
        return case.options.get("schema") or _schema_like(msgspec.json.decode(expected))
    if case.grader == "choice":
        answer = _TEXT | {"enum": [*(lettered(case.question) or case.options.get("choices", ()))]}
    elif case.grader == "position" and cells(expected):
        answer = _TEXT | {"pattern": "^R[0-9]{1,2}C[0-9]{1,2}$"}
    elif case.grader == "decimal" and (value := as_quantity(expected)) and value.unit:
        answer = _TEXT | {"pattern": r'^-?[0-9]+(\.[0-9]+)? ?[^0-9"\\\n]{1,12}$'}
    return _object({"answer": answer}) if answer else None


def _object(properties: Schema) -> Schema:
    closed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties, **closed}


def _schema_like(value: Any) -> Schema:
    if isinstance(value, dict):
        return _object({name: _schema_like(field) for name, field in value.items()})
    if isinstance(value, list):
        return {"type": "array", "items": _schema_like(value[0]) if value else {}}
    kinds = {bool: "boolean", int: "number", float: "number", str: "string"}
    return {"type": kinds[type(value)]} if type(value) in kinds else {}
