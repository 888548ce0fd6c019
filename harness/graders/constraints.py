"""What an answer must look like, as a JSON schema and as a GBNF grammar."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from harness.graders.measures import quantity
from harness.graders.places import find_cells
from harness.graders.question import about
from harness.records import Case

Schema = dict[str, Any]


class Constraint(Struct, frozen=True, kw_only=True):
    """The same demand, for an endpoint that takes schemas and for one that takes grammars."""

    schema: Schema
    """Of the whole reply; a single answer stands in the field `answer`, where graders read it."""
    grammar: str | None = None
    """GBNF of the bare answer; None where a schema says it better."""


def constraint(case: Case) -> Constraint | None:
    """What the reply to a case must look like; None where any text may be the answer.

    >>> def case(grader, expected, **options):
    ...     return Case(id="", category="", question="", image="", expected=expected,
    ...                 grader=grader, options=options)
    >>> constraint(case("yes_no", "no")).grammar
    'root ::= "yes" | "no"'
    >>> constraint(case("integer", "4")).schema["properties"]
    {'answer': {'type': 'integer'}}
    >>> constraint(case("text", "Fiji")) is None
    True
    """
    make = _MAKERS.get(case.grader)
    return make(case) if make else None


def _answer(schema: Schema, grammar: str | None = None) -> Constraint:
    whole = {
        "type": "object",
        "properties": {"answer": schema},
        "required": ["answer"],
        "additionalProperties": False,
    }
    return Constraint(schema=whole, grammar=f"root ::= {grammar}" if grammar else None)


def _one_of(words: list[str]) -> Constraint:
    return _answer({"type": "string", "enum": words}, " | ".join(map(json.dumps, words)))


def _choice(case: Case) -> Constraint:
    lettered = list(about(case.question).options)
    return _one_of(lettered or [str(choice) for choice in case.options.get("choices", ())])


def _pattern(regex: str, grammar: str) -> Constraint:
    return _answer({"type": "string", "pattern": f"^{regex}$"}, grammar)


def _position(case: Case) -> Constraint:
    if find_cells(str(case.expected)):
        return _pattern("R[0-9]{1,2}C[0-9]{1,2}", '"R" [0-9]{1,2} "C" [0-9]{1,2}')
    sides = ("top", "center", "bottom"), ("left", "center", "right")
    return _one_of(
        [
            *(f"{a} {b}" for a in sides[0] for b in sides[1]),
            "top",
            "bottom",
            "left",
            "right",
            "center",
        ]
    )


def _number(case: Case) -> Constraint:
    _, unit = quantity(str(case.expected)) if case.grader == "decimal" else (None, None)
    number = '"-"? [0-9]+ ("." [0-9]+)?'
    if unit is None:
        return _answer({"type": "number"}, number)
    return _pattern("-?[0-9]+(\\.[0-9]+)? ?[^0-9]{1,12}", f'{number} " " [^0-9\\n]{{1,12}}')


def _coordinates(count: int) -> Constraint:
    numbers = {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}
    number = '"-"? [0-9]+ ("." [0-9]+)?'
    return _answer(numbers, '"[" ' + ' ", " '.join([number] * count) + ' "]"')


def _list(_: Case) -> Constraint:
    items = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 100}
    return _answer(items, 'item (", " item)*\nitem ::= [^,\\n]{1,80}')


def _json(case: Case) -> Constraint:
    return Constraint(
        schema=case.options.get("schema") or _schema_of(msgspec.json.decode(str(case.expected)))
    )


def _schema_of(value: Any) -> Schema:
    """The schema of a value like this one.

    >>> _schema_of({"total": 2.3, "items": ["tea"]})["properties"]
    {'total': {'type': 'number'}, 'items': {'type': 'array', 'items': {'type': 'string'}}}
    """
    match value:
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case list():
            return {"type": "array", "items": _schema_of(value[0]) if value else {}}
        case dict():
            inner = {name: _schema_of(field) for name, field in value.items()}
            return {
                "type": "object",
                "properties": inner,
                "required": list(inner),
                "additionalProperties": False,
            }
    return {}


_MAKERS: Mapping[str, Callable[[Case], Constraint]] = MappingProxyType(
    {
        "yes_no": lambda _: _one_of(["yes", "no"]),
        "integer": lambda _: _answer({"type": "integer"}, '"-"? [0-9]{1,12}'),
        "decimal": _number,
        "money": lambda _: _answer({"type": "number"}, '[0-9]+ "." [0-9]{2}'),
        "choice": _choice,
        "position": _position,
        "list": _list,
        "date": lambda _: _pattern(
            "[0-9]{4}-[0-9]{2}-[0-9]{2}", '[0-9]{4} "-" [0-9]{2} "-" [0-9]{2}'
        ),
        "time": lambda _: _pattern(
            "[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?", '[0-9]{1,2} ":" [0-9]{2} (":" [0-9]{2})?'
        ),
        "json": _json,
        "point": lambda _: _coordinates(2),
        "box": lambda _: _coordinates(4),
    }
)
