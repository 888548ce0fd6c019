"""Answers of several parts: a list, a grid of cells, JSON by its fields."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from typing import Any

from harness.graders.decide import Check, Misfit, no_answer, one
from harness.graders.extract import Reply, refusal, spelled_value
from harness.graders.quantities import numbers, parsed
from harness.graders.words import folded, pattern, phrase, stem
from harness.records import Case, Verdict

_SEPARATOR, _LEAD = phrase("between items of a list"), phrase("in front of a list")
_NOTHING = phrase("no item of a list")
_NO_ITEM = pattern(r"^(?:the|an?|figures?|both|options?) ", "words in front of an item")
_RULE = pattern(r"[\s|:+=-]*-{2,}[\s|:+=-]*", "rules of Markdown tables")
_BLANKS = frozenset(("", "-", "_", ".", "blank", "empty", "none", "null", "n/a"))
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_SCHEMA = {"type", "properties", "items", "required", "anyOf", "oneOf", "$ref", "$defs"}
_MISSING = object()


def a_list(case: Case) -> Check:
    """Several items, in any order if `ordered` does not say more."""
    wanted = [_item(item) for item in items_of(case.expected)]
    if len(wanted) < 2 and isinstance(case.expected, str):
        raise Misfit(f"{case.expected!r} is not a list; separate the items with commas")
    if not wanted:
        raise Misfit("the expected list is empty")

    def check(reply: Reply) -> Verdict:
        items = _said_items(reply, wanted)
        missing, extra = Counter(wanted) - Counter(items), Counter(items) - Counter(wanted)
        shared = len(wanted) - missing.total()
        if not shared and (why := refusal(reply.text)):
            return no_answer(why)
        faults = [f"missing: {', '.join(missing)[:80]}"] if missing else []
        faults += [f"too many: {', '.join(extra)[:80]}"] if extra else []
        if case.options.get("ordered") and not faults and items != wanted:
            faults = ["the same items in another order"]
        return Verdict(
            passed=not faults,
            answer=", ".join(items) or None,
            reason=faults[0] if faults else "the same items",
            measures={"f1": round(2 * shared / (len(items) + len(wanted)), 4)},
        )

    return check


def items_of(expected: str | tuple[str, ...]) -> list[str]:
    parts = _SEPARATOR.split(expected) if isinstance(expected, str) else expected
    return [part.strip() for part in parts if part and part.strip()]


def _item(item: str) -> str:
    """One spelling of an item: numbers as digits, no article, singular.

    >>> _item("The Boxes"), _item("seven"), _item(" 07. "), _item("figure (b)")
    ('box', '7', '7', 'b')
    """
    plain = _NO_ITEM.sub("", folded(item))
    found = numbers(plain)
    if len(found) == 1 and found[0].end - found[0].start == len(plain) and not found[0].value.unit:
        return f"{found[0].value.number.normalize():f}"
    *first, last = re.split(r"[\s-]+", plain)
    return " ".join([*first, stem(last) if last.isalpha() and len(last) > 3 else last])


def _said_items(reply: Reply, wanted: list[str]) -> list[str]:
    """Items of the answer line, of a list, or of the statement that names most of them."""
    if reply.answer:
        return _split(reply.answer)
    lines = [_split(s.text) for s in reply.statements if s.text] or [[]]
    if len(lines) == 1 and len(lines[0]) < 2:
        return [_item(word) for word in reply.text.split()]
    best = max(reversed(lines), key=lambda items: len({*items} & {*wanted}))
    if len(lines) == 1 or len({*best} & {*wanted}) > 1:
        return best
    return [item for items in lines if len(items) == 1 for item in items] or best


def _split(text: str) -> list[str]:
    """
    >>> _split("The colours are red, green and the blue.")
    ['red', 'green', 'blue']
    """
    lead = _LEAD.match(text)
    text = "" if _NOTHING.search(text) else text[lead.end() if lead else 0 :]
    return [item for part in items_of(text) if (item := _item(part.strip(" .\"'()[]")))]


def grid(case: Case) -> Check:
    """A table, cell by cell."""
    wanted = rows_of(one(case))
    width = len(wanted[0])
    if {len(row) for row in wanted} != {width} or len(wanted) * width < 2:
        raise Misfit("the rows of the expected grid have different lengths")

    def check(reply: Reply) -> Verdict:
        runs = groupby(rows_of(reply.body), key=lambda row: len(row) == width)
        rows = [[], *(list(run) for fits, run in runs if fits)][-1]
        differences = (
            f"row {r}, column {c}: {said!r}, expected {cell!r}"
            for r, (want, have) in enumerate(zip(wanted, rows, strict=False), start=1)
            for c, (cell, said) in enumerate(zip(want, have, strict=True), start=1)
            if cell != said
        )
        fault = f"{len(rows)} rows, expected {len(wanted)}" if len(rows) != len(wanted) else None
        fault = fault or next(differences, None)
        answer = "\n".join(" | ".join(row) for row in rows) or None
        return Verdict(passed=fault is None, answer=answer, reason=fault or "the same cells")

    return check


def rows_of(text: str) -> list[list[str]]:
    lines = text.replace("```", "\n").split("\n")
    return [_cells(line.strip()) for line in lines if line.strip() and not _RULE.fullmatch(line)]


def _cells(line: str) -> list[str]:
    if "|" in line:
        parts = (line[1:].removesuffix("|") if line.startswith("|") else line).split("|")
    else:
        parts = re.split(r"[,;\t]", line) if re.search(r"[,;\t]", line) else line.split()
    return ["" if (cell := folded(part.strip("*`[] "))) in _BLANKS else cell for part in parts]


def a_json(case: Case) -> Check:
    """An object or a list; each of its `fields` with a grader of its own."""
    try:
        wanted = json.loads(one(case))
    except ValueError as error:
        raise Misfit(f"the expected answer is not JSON: {error}") from error
    fields, schema = case.options.get("fields"), case.options.get("schema")
    if fields is not None and not (isinstance(wanted, dict) and set(fields) <= set(wanted)):
        raise Misfit("a field that counts is not in the expected answer")
    if schema is not None and not _SCHEMA & schema.keys():
        raise Misfit("schema is not a JSON schema: it has neither type nor properties")
    if wrong := _unknown_types(schema):
        raise Misfit(f"schema is not a JSON schema: {wrong[0]!r} is none of {', '.join(_TYPES)}")
    cases = _cases(fields, wanted) if isinstance(fields, dict) else {}
    counting = {name: wanted[name] for name in fields} if isinstance(fields, list) else wanted

    def check(reply: Reply) -> Verdict:
        found = json_in(reply.body)
        if found is None:
            return no_answer(refusal(reply.text) or "no JSON in the reply")
        faults = _faults(counting, found, cases)
        right = {name: not fault for name, fault in faults.items() if name}
        return Verdict(
            passed=not any(faults.values()),
            answer=json.dumps(found, ensure_ascii=False),
            reason=next(filter(None, faults.values()), "the same fields"),
            measures={"fields": round(sum(right.values()) / len(right), 4)} if right else {},
            fields=right,
        )

    return check


def _unknown_types(schema: Any) -> list[Any]:
    """The types that a JSON schema names, at any depth, but that there are not."""
    if not isinstance(schema, dict):
        return []
    kinds, fields = schema.get("type", []), schema.get("properties")
    unknown = [it for it in (kinds if isinstance(kinds, list) else [kinds]) if it not in _TYPES]
    inner = [schema.get("items"), *(fields.values() if isinstance(fields, dict) else ())]
    return [*unknown, *(it for part in inner for it in _unknown_types(part))]


def _cases(fields: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Case]:
    """A case for each field that names a grader. Raises: Misfit."""
    from harness.graders import GRADERS, field_case, problems

    cases: dict[str, Case] = {}
    for name, given in fields.items():
        options = dict(given) if isinstance(given, dict) else {"grader": given}
        grader = str(options.pop("grader", "text"))
        if grader not in GRADERS or grader == "json":
            raise Misfit(f"field {name!r}: grader {grader!r} is not one for a field")
        cases[name] = field_case(grader, wanted[name], options)
        if wrong := problems(cases[name]):
            raise Misfit(f"field {name!r}: {wrong[0]}")
    return cases


def _faults(wanted: Any, said: Any, cases: Mapping[str, Case]) -> dict[str, str | None]:
    """What is wrong with each field of an object; with anything else as a whole, named ""."""
    from harness.graders import grade

    if not isinstance(wanted, dict):
        return {"": _difference(wanted, said, "")}
    given = {folded(str(name)): it for name, it in said.items()} if isinstance(said, dict) else {}
    faults: dict[str, str | None] = {}
    for name, value in wanted.items():
        part = given.get(folded(name), _MISSING)
        faults[name] = _difference(value, part, name)
        if name in cases and part is not _MISSING:
            verdict = grade(cases[name], spelled_value(part))
            faults[name] = None if verdict.passed else f"{name}: {verdict.reason}"
    return faults


def json_in(text: str) -> Any:
    """The first JSON object or list in a text.

    >>> json_in("Sure: {'x': 1} no, {\\"x\\": [1, 2]}.")
    {'x': [1, 2]}
    """
    for _, start in zip(range(20), re.finditer(r"[{\[]", text), strict=False):
        try:
            return json.JSONDecoder().raw_decode(text, start.start())[0]
        except (ValueError, RecursionError):
            continue
    return None


def _difference(wanted: Any, said: Any, path: str) -> str | None:
    """Where a value differs from the expected one, in words; more fields than expected do not."""
    where = path or "the reply"
    if said is _MISSING:
        return f"{where}: missing"
    if isinstance(wanted, dict):
        have = {folded(str(k)): v for k, v in said.items()} if isinstance(said, dict) else {}
        parts = [(v, have.get(folded(k), _MISSING), f"{path}.{k}") for k, v in wanted.items()]
    elif isinstance(wanted, list):
        if not isinstance(said, list) or len(said) != len(wanted):
            return f"{where}: not {len(wanted)} items"
        parts = [(*it, f"{path}[{i}]") for i, it in enumerate(zip(wanted, said, strict=True))]
    else:
        return f"{where}: {said}, expected {wanted}" if _plain(wanted) != _plain(said) else None
    return next((fault for part in parts if (fault := _difference(*part))), None)


def _plain(value: Any) -> Any:
    """A number however it is written; else its folded text."""
    written = str(value).strip().lstrip("$£€ ")
    number = not isinstance(value, bool) and re.fullmatch(r"[-+]?[\d.,' ]*\d", written)
    return parsed(written)[0] if number else folded(str(value))
