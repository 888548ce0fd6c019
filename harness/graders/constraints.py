"""What an answer must look like, as a JSON schema."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.graders.measures import quantity
from harness.graders.places import cells
from harness.graders.question import lettered
from harness.records import Case

Schema = dict[str, Any]
_POSITIONS = [f"{row} {column}" for row in ("top", "center", "bottom")
              for column in ("left", "center", "right")]  # fmt: skip
_ANSWERS: dict[str, Schema] = {
    "yes_no": {"type": "string", "enum": ["yes", "no"]},
    "integer": {"type": "integer"},
    "money": {"type": "number"},
    "list": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 100},
    "date": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"},
    "time": {"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?$"},
    "point": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    "box": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
        "minItems": 1,
        "maxItems": 100,
    },
}


def constraint(case: Case) -> Schema | None:
    """What the reply to a case must look like; None where any text may be the answer.

    A single answer stands in the field `answer`, where graders read it.
    """
    expected = str(case.expected)
    match case.grader:
        case "json":
            return case.options.get("schema") or _like(msgspec.json.decode(expected))
        case "choice":
            answer: Schema | None = {
                "type": "string",
                "enum": [*lettered(case.question)] or [*map(str, case.options.get("choices", ()))],
            }
        case "position" if cells(expected):
            answer = {"type": "string", "pattern": "^R[0-9]{1,2}C[0-9]{1,2}$"}
        case "position":
            sides = ["top", "bottom", "left", "right", "center"]
            answer = {"type": "string", "enum": [*_POSITIONS, *sides]}
        case "decimal" if quantity(expected).unit:
            answer = {"type": "string", "pattern": r'^-?[0-9]+(\.[0-9]+)? ?[^0-9"\\\n]{1,12}$'}
        case "decimal":
            answer = {"type": "number"}
        case _:
            answer = _ANSWERS.get(case.grader)
    return _object({"answer": answer}) if answer else None


def _object(properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _like(value: Any) -> Schema:
    """The schema of a value like this one.

    >>> _like({"total": 2.3, "items": ["tea"]})["properties"]
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
            return {"type": "array", "items": _like(value[0]) if value else {}}
        case dict():
            return _object({name: _like(field) for name, field in value.items()})
    return {}
