"""What an answer must look like, as a JSON schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from harness.graders.measures import quantity
from harness.graders.places import find_cells
from harness.graders.question import about
from harness.records import Case

Schema = dict[str, Any]


def constraint(case: Case) -> Schema | None:
    """What the reply to a case must look like; None where any text may be the answer.

    A single answer stands in the field `answer`, where graders read it.

    >>> def case(grader, expected, **options):
    ...     return Case(id="", category="", question="", image="", expected=expected,
    ...                 grader=grader, options=options)
    >>> constraint(case("integer", "4"))["properties"]
    {'answer': {'type': 'integer'}}
    >>> constraint(case("text", "Fiji")) is None
    True
    """
    make = _MAKERS.get(case.grader)
    return make(case) if make else None


def _answer(schema: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"answer": schema},
        "required": ["answer"],
        "additionalProperties": False,
    }


def _one_of(words: list[str]) -> Schema:
    return _answer({"type": "string", "enum": words})


def _choice(case: Case) -> Schema:
    lettered = list(about(case.question).options)
    return _one_of(lettered or [str(choice) for choice in case.options.get("choices", ())])


def _pattern(regex: str) -> Schema:
    return _answer({"type": "string", "pattern": f"^{regex}$"})


def _position(case: Case) -> Schema:
    if find_cells(str(case.expected)):
        return _pattern("R[0-9]{1,2}C[0-9]{1,2}")
    rows, columns = ("top", "center", "bottom"), ("left", "center", "right")
    both = [f"{row} {column}" for row in rows for column in columns]
    return _one_of([*both, "top", "bottom", "left", "right", "center"])


def _decimal(case: Case) -> Schema:
    _, unit = quantity(str(case.expected))
    if unit is None:
        return _answer({"type": "number"})
    return _pattern(r'-?[0-9]+(\.[0-9]+)? ?[^0-9"\\\n]{1,12}')


def _coordinates(count: int) -> Schema:
    return {"type": "array", "items": {"type": "number"}, "minItems": count, "maxItems": count}


def _several(items: Schema) -> Schema:
    return _answer({"type": "array", "items": items, "minItems": 1, "maxItems": 100})


def _json(case: Case) -> Schema:
    return case.options.get("schema") or _schema_of(msgspec.json.decode(str(case.expected)))


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


_MAKERS: Mapping[str, Callable[[Case], Schema]] = MappingProxyType(
    {
        "yes_no": lambda _: _one_of(["yes", "no"]),
        "integer": lambda _: _answer({"type": "integer"}),
        "decimal": _decimal,
        "money": lambda _: _answer({"type": "number"}),
        "choice": _choice,
        "position": _position,
        "list": lambda _: _several({"type": "string"}),
        "date": lambda _: _pattern("[0-9]{4}-[0-9]{2}-[0-9]{2}"),
        "time": lambda _: _pattern("[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?"),
        "json": _json,
        "point": lambda _: _answer(_coordinates(2)),
        "box": lambda _: _several(_coordinates(4)),
    }
)
