"""What an answer must look like, as a JSON schema."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.graders.choices import lettered
from harness.graders.notations import cells
from harness.graders.quantities import as_quantity
from harness.records import Case

Schema = dict[str, Any]


def _array(items: Schema, least: int, most: int) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def _text(**limits: Any) -> Schema:
    return {"type": "string", **limits}


_NUMBER, _SIDES = {"type": "number"}, ("left", "center", "right")
_POSITIONS = [f"{row} {column}" for row in ("top", "center", "bottom") for column in _SIDES]
_ANSWERS: dict[str, Schema] = {
    "yes_no": _text(enum=["yes", "no"]),
    "integer": {"type": "integer"},
    "decimal": _NUMBER,
    "money": _NUMBER,
    "position": _text(enum=[*_POSITIONS, "top", "bottom", *_SIDES]),
    "list": _array(_text(), 1, 100),
    "date": _text(pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    "time": _text(pattern="^[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?$"),
    "point": _array(_NUMBER, 2, 2),
    "box": _array(_array(_NUMBER, 4, 4), 1, 100),
}


def constraint(case: Case) -> Schema | None:
    """What the reply to a case must look like; None where any text may be the answer.

    A single answer stands in the field `answer`, where graders read it.
    """
    expected, answer = str(case.expected), _ANSWERS.get(case.grader)
    if case.grader == "json":
        return case.options.get("schema") or _like(msgspec.json.decode(expected))
    if case.grader == "choice":
        choices = map(str, case.options.get("choices", ()))
        answer = _text(enum=[*lettered(case.question)] or [*choices])
    elif case.grader == "position" and cells(expected):
        answer = _text(pattern="^R[0-9]{1,2}C[0-9]{1,2}$")
    elif case.grader == "decimal" and (value := as_quantity(expected)) and value.unit:
        answer = _text(pattern=r'^-?[0-9]+(\.[0-9]+)? ?[^0-9"\\\n]{1,12}$')
    return _object({"answer": answer}) if answer else None


def _object(properties: Schema) -> Schema:
    closed = {"required": list(properties), "additionalProperties": False}
    return {"type": "object", "properties": properties, **closed}


def _like(value: Any) -> Schema:
    """The schema of a value like this one."""
    if isinstance(value, dict):
        return _object({name: _like(field) for name, field in value.items()})
    if isinstance(value, list):
        return {"type": "array", "items": _like(value[0]) if value else {}}
    for kind, name in ((bool, "boolean"), (int | float, "number"), (str, "string")):
        if isinstance(value, kind):
            return {"type": name}
    return {}
