"""Answers of several parts: a list, a grid of cells, JSON by its fields."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import groupby
from typing import Any

from harness.graders.decide import Check, Misfit, no_answer, one
from harness.graders.extract import Reply, refusal, spelled_value
from harness.graders.quantities import as_quantity, parsed
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
    """One spelling of an item: numbers as digits, no article, singular."""
    plain = _NO_ITEM.sub("", folded(item))
    if (number := as_quantity(plain)) and not number.unit:
        return f"{number.number.normalize():f}"
    *first, last = re.split(r"[\s-]+", plain)
    return " ".join([*first, stem(last) if last.isalpha() and len(last) > 3 else last])


def _said_items(reply: Reply, wanted: list[str]) -> list[str]:
    """Items of the answer line, of a list, or of the statement that names most of them."""

    def split(text: str) -> list[str]:
        lead = _LEAD.match(text)
        parts = [] if _NOTHING.search(text) else items_of(text[lead.end() if lead else 0 :])
        return [item for part in parts if (item := _item(part.strip(" .\"'()[]")))]

    def shared(items: list[str]) -> int:
        return len({*items} & {*wanted})

    if reply.answer:
        return split(reply.answer)
    lines = [split(s.text) for s in reply.statements if s.text] or [[]]
    if len(lines) == 1 and len(lines[0]) < 2:
        return [_item(word) for word in reply.text.split()]
    best = max(reversed(lines), key=shared)
    listed = [item for items in lines if len(items) == 1 for item in items]
    return best if len(lines) == 1 or shared(best) > 1 else listed or best


def grid(case: Case) -> Check:
    """A table, cell by cell."""
    wanted = rows_of(one(case))
    width = len(wanted[0])
    if {len(row) for row in wanted} != {width} or len(wanted) * width < 2:
        raise Misfit("the rows of the expected grid have different lengths")

    def check(reply: Reply) -> Verdict:
        runs = groupby(rows_of(reply.body), key=lambda row: len(row) == width)
        rows = [[], *(list(run) for fits, run in runs if fits)][-1]
        cells = [(r, c) for r in range(min(len(rows), len(wanted))) for c in range(width)]
        faults = [f"{len(rows)} rows, expected {len(wanted)}"] * (len(rows) != len(wanted))
        faults += [
            f"row {r + 1}, column {c + 1}: {rows[r][c]!r}, expected {wanted[r][c]!r}"
            for r, c in cells
            if rows[r][c] != wanted[r][c]
        ]
        answer = "\n".join(" | ".join(row) for row in rows) or None
        return Verdict(passed=not faults, answer=answer, reason=[*faults, "the same cells"][0])

    return check


def rows_of(text: str) -> list[list[str]]:
    rows = []
    for line in map(str.strip, text.replace("```", "\n").split("\n")):
        mark = next((mark for mark in "|,;\t" if mark in line), None)
        cells = (line[1:].removesuffix("|") if line.startswith("|") else line).split(mark)
        if line and not _RULE.fullmatch(line):
            rows.append([folded(cell.strip("*`[] ")) for cell in cells])
    return [["" if cell in _BLANKS else cell for cell in row] for row in rows]


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
    graded = fields if isinstance(fields, dict) else {}
    cases = {name: _field(name, wanted[name], given) for name, given in graded.items()}
    whole = not isinstance(wanted, dict)
    parts = {"": wanted} if whole else {name: wanted[name] for name in fields or wanted}

    def check(reply: Reply) -> Verdict:
        found = json_in(reply.body)
        if found is None:
            return no_answer(refusal(reply.text) or "no JSON in the reply")
        said = {"": found} if whole else _by_name(found)
        faults = {name: _difference(part, said.get(folded(name), _MISSING), name, cases.get(name))
                  for name, part in parts.items()}  # fmt: skip
        right = {} if whole else {name: not fault for name, fault in faults.items()}
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


def _field(name: str, wanted: Any, given: Any) -> Case:
    """The case of a field that names a grader. Raises: Misfit."""
    from harness.graders import GRADERS, field_case, problems

    options = dict(given) if isinstance(given, dict) else {"grader": given}
    grader = str(options.pop("grader", "text"))
    if grader not in GRADERS or grader == "json":
        raise Misfit(f"field {name!r}: grader {grader!r} is not one for a field")
    case = field_case(grader, wanted, options)
    if wrong := problems(case):
        raise Misfit(f"field {name!r}: {wrong[0]}")
    return case


def _by_name(said: Any) -> dict[str, Any]:
    return {folded(str(name)): it for name, it in said.items()} if isinstance(said, dict) else {}


def json_in(text: str) -> Any:
    """The first JSON object or list in a text."""
    for _, start in zip(range(20), re.finditer(r"[{\[]", text), strict=False):
        try:
            return json.JSONDecoder().raw_decode(text, start.start())[0]
        except (ValueError, RecursionError):
            continue
    return None


def _difference(wanted: Any, said: Any, path: str, case: Case | None = None) -> str | None:
    """Where a value differs from the expected one, in words; more fields than expected do not."""
    from harness.graders import grade

    where = path or "the reply"
    if said is _MISSING:
        return f"{where}: missing"
    if case is not None:
        verdict = grade(case, spelled_value(said))
        return None if verdict.passed else f"{where}: {verdict.reason}"
    if isinstance(wanted, dict):
        have = _by_name(said)
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
