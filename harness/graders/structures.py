"""Answers of several parts: a list, a grid of cells, JSON by its fields."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from itertools import islice, starmap
from typing import Any

from harness.graders.decide import Check, Misfit, no_answer, one, require
from harness.graders.extract import ANSWER, Reply, asked, refusal, spelled_value
from harness.graders.quantities import as_quantity, parsed
from harness.graders.words import PHRASES, any_of, content, folded, kin, stem, words
from harness.records import Case, GradeContext, Verdict

_BLANKS = frozenset(("", "-", "_", ".", "blank", "empty", "none", "null", "n/a"))
_MISSING = object()
_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
_SCHEMA = {"type", "properties", "items", "required", "anyOf", "oneOf", "$ref", "$defs"}


def a_list(case: Case) -> Check:
    """Several items, in any order if `ordered` does not say more."""
    wanted = [_item(item) for item in items_of(case.expected)]
    several = len(wanted) > 1 or not isinstance(case.expected, str)
    require(several, f"{case.expected!r} is not a list; separate the items with commas")
    require(wanted, "the expected list is empty")
    question = asked(case.question)
    read = _part_reader(items_of(case.expected), question.stems | question.words)
    split = _splitter(case, read)

    def check(reply: Reply, _: GradeContext) -> Verdict:
        readings = _readings(reply, read, split)
        items = max(readings, key=lambda it: len({*it} & {*wanted}))
        missing, extra = Counter(wanted) - Counter(items), Counter(items) - Counter(wanted)
        shared = len(wanted) - missing.total()
        if not shared and (why := refusal(reply.text)):
            return no_answer(why)
        parts = [*items_of(reply.text), *items_of(case.expected)]
        named = {_item(part): part for part in parts}  # as they are written, not their stems
        lists = {"missing": missing, "too many": extra}
        faults = [
            f"{what}: {', '.join(named.get(it, it) for it in them)[:80]}"
            for what, them in lists.items()
            if them
        ]
        if case.options.get("ordered") and not faults and items != wanted:
            faults = ["the same items in another order"]
        measures = {"f1": round(2 * shared / (len(items) + len(wanted)), 4)}
        answer = ", ".join(named.get(it, it) for it in items) or None
        reason = [*faults, "the same items"][0]
        return Verdict(passed=not faults, answer=answer, reason=reason, measures=measures)

    return check


def items_of(expected: str | tuple[str, ...]) -> list[str]:
    separator = PHRASES["between items of a list"]
    parts = separator.split(expected) if isinstance(expected, str) else expected
    return [part.strip() for part in parts if part and part.strip()]


def _item(item: str) -> str:
    """One spelling of an item: numbers as digits, no article, singular."""
    plain = PHRASES["words in front of an item"].sub("", folded(item.strip(" .\"'()[]")))
    if (number := as_quantity(plain)) and not number.unit:
        return f"{number.number.normalize():f}"
    return stem(plain)


def _part_reader(expected: Sequence[str], asked_for: Set[str]) -> Callable[[str], list[str]]:
    """Reads what stands between two commas. Where the question says line and box, "line 10" is 10
    and "a red box" red; "a brown dog" is a dog; of numbers, "10-12" are three, "2 of 5" is none."""
    wanted = frozenset(map(_item, expected))
    numbered = all(it.isdecimal() for it in wanted)
    known = {" ".join(content(it)): _item(it) for it in expected}
    inside, spelled = {word for it in known for word in it.split()}, {*words(" ".join(expected))}

    def read(part: str) -> list[str]:
        if not (item := _item(part)) or item in wanted:
            return [item] if item else []
        if numbered:
            left = (it for it in part.split() if not {stem(folded(it)), folded(it)} & asked_for)
            found = PHRASES["(on line) 10 (have)"].fullmatch(" ".join(left))
            counts = PHRASES["2 problems"].search(part)
            ends = [int(it) for it in found.groups() if it] if found and not counts else []
            if len(ends) == 2:
                ends = [*range(ends[0], min(ends[1], ends[0] + 99) + 1)]
            return [*map(str, ends)] or [item]
        if PHRASES["negations"].search(part):
            return [item]
        said = [(word, it) for word in words(part) for it in content(word)]
        # No words of the question, and none that only describes, unless it may be another item.
        own = [
            it
            for word, it in said
            if it in inside or kin(word)[1] & spelled or not (it in asked_for or kin(word)[1])
        ]
        return [known.get(" ".join(own), item)]

    return read


def _splitter(case: Case, read: Callable[[str], list[str]]) -> Callable[..., list[str]]:
    """Splits a text into items, none when it denies or doubts them; with `head`, what stands in
    front of a line."""
    question, expected = asked(case.question), items_of(case.expected)
    asking, own = question.text.lower(), re.compile(any_of(expected), re.IGNORECASE)
    contrary = ["no item, or counted from the other end"]
    if all(map(str.isdecimal, expected)):
        contrary.append("of lines that differ: these match")

    def split(text: str, head: bool = False) -> list[str]:
        remarks = PHRASES["remarks in brackets"].findall(text)
        bare = PHRASES["remarks in brackets"].sub("", text)
        beside = "behind a number in front" if head else "in front of a list"
        listed = PHRASES[beside].sub("", bare, 1)
        if head:
            remarks.append(bare[len(listed) :])
        said = own.sub("", text).lower()
        against = (it[0] for name in contrary for it in PHRASES[name].finditer(said))
        refused = (
            PHRASES["no item of a list"].search(listed)
            or PHRASES["a list in doubt"].search(own.sub("", listed))
            or any(it not in asking for it in against)
            or question.opposites.intersection(words(" ".join(remarks)))
        )
        return [] if refused else [item for part in items_of(listed) for item in read(part)]

    return split


def _readings(
    reply: Reply, read: Callable[[str], list[str]], split: Callable[..., list[str]]
) -> list[list[str]]:
    """What the items may be: those of the answer line; else of the last line that is a list, what
    stands in front on each line, the lines of one item, the words of the only one."""
    answers = [at for at, it in enumerate(reply.statements) if it.rank == ANSWER]
    said = [it.text for it in reply.statements[answers[-1] if answers else 0 :]]
    lines = [split(text) for text in said]
    if answers and (len(lines[0]) > 1 or len(said) == 1):
        return lines[:1]
    heads = [split(text, head=True) for text in said if text[-1] != ":"]
    if len(lines) == 1 and len(lines[0]) == 1:
        lines.append([item for word in re.split(r"[\s/-]+", said[0]) for item in read(word)])
    alone = [[it for items in them if len(items) == 1 for it in items] for them in (heads, lines)]
    numbers = [item for item in alone[0] if item.isdecimal()]
    return [*reversed(lines), numbers, *alone]


def grid(case: Case) -> Check:
    """A table, cell by cell."""
    wanted = rows_of(one(case))
    width = len(wanted[0])
    fits = {len(row) for row in wanted} == {width} and len(wanted) * width > 1
    require(fits, "the rows of the expected grid have different lengths")

    def check(reply: Reply, _: GradeContext) -> Verdict:
        rows = [row for row in rows_of(reply.body) if len(row) == width]
        faults = [f"{len(rows)} rows, expected {len(wanted)}"] if len(rows) != len(wanted) else []
        for at, (row, right) in enumerate(zip(rows, wanted, strict=False), 1):
            faults += [f"row {at}: {' | '.join(row)}"] if row != right else []
        answer, reason = "\n".join(map(" | ".join, rows)) or None, [*faults, "the same cells"][0]
        return Verdict(passed=not faults, answer=answer, reason=reason)

    return check


def rows_of(text: str) -> list[list[str]]:
    rows = []
    for line in map(str.strip, text.replace("```", "\n").split("\n")):
        mark = next((mark for mark in "|,;\t" if mark in line), None)
        cells = (line[1:].removesuffix("|") if line.startswith("|") else line).split(mark)
        cells = [folded(cell.strip("*`[] ")) for cell in cells]
        if line and not re.fullmatch(r"[\s|:+=-]*--[\s|:+=-]*", line):
            rows.append(["" if cell in _BLANKS else cell for cell in cells])
    return rows


def a_json(case: Case) -> Check:
    """An object or a list; each of its `fields` with a grader of its own."""
    from harness.graders import grade

    try:
        wanted = json.loads(one(case))
    except ValueError as error:
        raise Misfit(f"the expected answer is not JSON: {error}") from error
    fields, schema = case.options.get("fields"), case.options.get("schema")
    whole = not isinstance(wanted, dict)
    inside = fields is None or (not whole and set(fields) <= set(wanted))
    require(inside, "a field that counts is not in the expected answer")
    described = schema is None or _SCHEMA & schema.keys()
    require(described, "schema is not a JSON schema: it has neither type nor properties")
    wrong = [*_unknown_types(schema), None][0]
    require(not wrong, f"schema is not a JSON schema: {wrong!r} is none of {', '.join(_TYPES)}")
    parts = {"": wanted} if whole else {name: wanted[name] for name in fields or wanted}
    graded = fields if isinstance(fields, dict) else {}
    cases = {name: _field(name, wanted[name], given) for name, given in graded.items()}

    def check(reply: Reply, _: GradeContext) -> Verdict:
        found = json_in(reply.body)
        if found is None:
            return no_answer(refusal(reply.text) or "no JSON in the reply")
        have, faults = {"": found} if whole else _by_name(found), dict[str, str | None]()
        for name, part in parts.items():
            said = have.get(folded(name), _MISSING)
            faults[name] = _fault(part, said, name or "the reply")
            if name in cases and said is not _MISSING:
                verdict = grade(cases[name], spelled_value(said))
                faults[name] = None if verdict.passed else f"{name}: {verdict.reason}"
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
    known = grader in GRADERS and grader != "json"
    require(known, f"field {name!r}: grader {grader!r} is not one for a field")
    case = field_case(grader, wanted, options)
    require(not problems(case), f"field {name!r}: {[*problems(case), ''][0]}")
    return case


def json_in(text: str) -> Any:
    """The first JSON object or list in a text."""
    for start in islice(re.finditer(r"[{\[]", text), 20):
        with suppress(ValueError, RecursionError):
            return json.JSONDecoder().raw_decode(text, start.start())[0]
    return None


def _fault(wanted: Any, said: Any, path: str) -> str | None:
    """Where a value differs from the expected one, in words; more fields than expected do not."""
    if said is _MISSING:
        return f"{path}: missing"
    if isinstance(wanted, dict):
        have = _by_name(said)
        parts = [
            (it, have.get(folded(key), _MISSING), f"{path}.{key}") for key, it in wanted.items()
        ]
    elif isinstance(wanted, list):
        if not isinstance(said, list) or len(said) != len(wanted):
            return f"{path}: not {len(wanted)} items"
        parts = [(*it, f"{path}[{at}]") for at, it in enumerate(zip(wanted, said, strict=True))]
    else:
        return f"{path}: {said}, expected {wanted}" if _plain(wanted) != _plain(said) else None
    return next(filter(None, starmap(_fault, parts)), None)


def _by_name(said: Any) -> dict[str, Any]:
    return {folded(key): it for key, it in said.items()} if isinstance(said, dict) else {}


def _plain(value: Any) -> Any:
    """A number however it is written; else its folded text."""
    written = str(value).strip().lstrip("$£€ ")
    number = not isinstance(value, bool) and re.fullmatch(r"[-+]?[\d.,' ]*\d", written)
    return parsed(written)[0] if number else folded(str(value))
