"""Answers of several parts: a list, a grid of cells, JSON by its fields."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from harness.graders.extract import Rank, Reply, refusal
from harness.graders.kinds import Check, Grader, Misfit, Task, failed
from harness.graders.numbers import numbers, parsed
from harness.graders.patterns import pattern, regex
from harness.graders.words import folded, stem
from harness.records import Verdict

_SEPARATOR = pattern("list separators")
_LEAD = pattern("list lead-in")
_NOTHING = pattern("none of the list")
_NUMBERED = regex(r"^\d{1,2}[.)]\s+(?=\S)")


def _list(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("list", ("red", "blue"), "Blue and red.").passed
    True
    >>> try_out("list", ("red", "blue"), "Blue, red", ordered=True).reason
    'the same items in another order'
    >>> try_out("list", ("red", "blue"), "red, blue, green").reason
    'one too many: green'
    """
    wanted = [_item(item) for item in items_of(task.expected)]
    if len(wanted) < 2 and isinstance(task.expected, str):
        raise Misfit(f"{task.expected!r} is not a list; separate the items with commas")
    if not wanted:
        raise Misfit("the expected list is empty")
    ordered = bool(task.options.get("ordered", False))

    def check(reply: Reply) -> Verdict:
        if reply.fault:
            return failed(reply.fault)
        return _compared(wanted, _said_items(reply, wanted), ordered, reply)

    return check


def items_of(expected: str | tuple[str, ...]) -> list[str]:
    if not isinstance(expected, str):
        return [part.strip() for part in expected if part.strip()]
    return [part.strip() for part in _SEPARATOR.split(expected) if part and part.strip()]


def _item(item: str) -> str:
    """One spelling of an item: numbers as digits, no article, singular.

    >>> _item("The Boxes"), _item("seven"), _item(" 07. "), _item("figure (b)")
    ('box', '7', '7', 'b')
    """
    plain = folded(item)
    for article in ("the ", "a ", "an ", "figure ", "figures ", "both ", "option ", "options "):
        plain = plain.removeprefix(article)
    found = numbers(plain)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(plain)):
        return f"{found[0].value.normalize():f}"
    *first, last = re.split(r"[\s-]+", plain)
    last = last.removesuffix("s") if last.isalpha() and len(last) > 3 and last[-2] != "s" else last
    return " ".join([*first, stem(last) if last.endswith("xe") else last])


def _said_items(reply: Reply, wanted: list[str]) -> list[str]:
    """Items of the answer line, of a list, or of the statement that names most of them."""
    answers = [s.text for s in reply.statements if s.rank == Rank.ANSWER and s.text]
    if answers:
        return _split(answers[-1])
    texts = [s.text for s in reply.statements if s.text]
    if len(texts) == 1:
        items = _split(texts[0])
        return items if len(items) > 1 else [_item(word) for word in texts[0].split()]
    lines = [_split(text) for text in texts] or [[]]
    best = max(reversed(lines), key=lambda items: len(set(items) & set(wanted)))
    if len(set(best) & set(wanted)) > 1:
        return best
    bullets = [item for items in lines if len(items) == 1 for item in items]
    return bullets or best


def _split(text: str) -> list[str]:
    """
    >>> _split("The colours are red, green and the blue.")
    ['red', 'green', 'blue']
    """
    if _NOTHING.search(text):
        return []
    if lead := _LEAD.match(text):
        text = text[lead.end() :]
    text = _NUMBERED.sub("", text)
    parts = (part.strip(" .\"'()[]") for part in _SEPARATOR.split(text) if part)
    return [item for part in parts if part and (item := _item(part))]


def _compared(wanted: list[str], items: list[str], ordered: bool, reply: Reply) -> Verdict:
    answer = ", ".join(items) or None
    passed = items == wanted or (not ordered and sorted(items) == sorted(wanted))
    shared = sum((Counter(items) & Counter(wanted)).values())
    why = None if passed or shared else refusal(reply.text[:4000])
    if why is not None:
        return failed(why)
    reason = "the same items" if passed else _difference(wanted, items)
    f1 = 2 * shared / (len(items) + len(wanted))
    return Verdict(passed=passed, answer=answer, reason=reason, measures={"f1": round(f1, 4)})


def _difference(wanted: list[str], items: list[str]) -> str:
    missing = [item for item in wanted if item not in items]
    extra = [item for item in items if item not in wanted]
    if missing:
        return f"missing: {', '.join(missing)[:80]}"
    if extra:
        count = "one" if len(extra) == 1 else str(len(extra))
        return f"{count} too many: {', '.join(extra)[:80]}"
    same = len(items) == len(wanted)
    return "the same items in another order" if same else "an item is said more than once"


_RULE = pattern("rules of a table")
_BLANKS = frozenset(("", "-", "_", ".", "blank", "empty", "none", "null", "n/a", " "))


def _grid(task: Task) -> Check:
    r"""
    >>> from harness.graders import try_out
    >>> try_out("grid", "1 | | 3\n4 | 5 |", "| 1 |  | 3 |\n|---|---|---|\n| 4 | 5 |  |").passed
    True
    >>> try_out("grid", "a,b\nc,d", "a b\nc e").reason
    "row 2, column 2: 'e', expected 'd'"
    """
    wanted = rows_of(task.one("grid"))
    if len({len(row) for row in wanted}) != 1 or len(wanted) * len(wanted[0]) < 2:
        raise Misfit("the rows of the expected grid have different lengths")

    def check(reply: Reply) -> Verdict:
        if reply.fault:
            return failed(reply.fault)
        rows = _rows_said(reply.body, len(wanted[0]))
        answer = "\n".join(" | ".join(row) for row in rows) or None
        fault = _first_difference(wanted, rows)
        return Verdict(passed=fault is None, answer=answer, reason=fault or "the same cells")

    return check


def rows_of(text: str) -> list[list[str]]:
    lines = text.replace("```", "\n").split("\n")
    return [_cells(line) for line in lines if line.strip() and not _RULE.fullmatch(line)]


def _cells(line: str) -> list[str]:
    if "|" in line:
        line = line.strip()
        line = line.removeprefix("|").removesuffix("|") if line.startswith("|") else line
        parts = line.split("|")
    elif "," in line or ";" in line or "\t" in line:
        parts = re.split(r"[,;\t]", line)
    else:
        parts = line.split()
    return ["" if (cell := folded(part.strip("*`[] "))) in _BLANKS else cell for part in parts]


def _rows_said(body: str, width: int) -> list[list[str]]:
    """The last run of lines that have as many cells as the grid."""
    runs: list[list[list[str]]] = [[]]
    for row in rows_of(body):
        if len(row) == width:
            runs[-1].append(row)
        elif runs[-1]:
            runs.append([])
    return next((run for run in reversed(runs) if run), [])


def _first_difference(wanted: list[list[str]], rows: list[list[str]]) -> str | None:
    if not rows:
        return "no grid of that width in the reply"
    if len(rows) != len(wanted):
        return f"{len(rows)} rows, expected {len(wanted)}"
    for r, (want, have) in enumerate(zip(wanted, rows, strict=True), start=1):
        for c, (cell, said) in enumerate(zip(want, have, strict=True), start=1):
            if cell != said:
                return f"row {r}, column {c}: {said!r}, expected {cell!r}"
    return None


_NUMERIC = regex(r"[-+]?[\d.,' ]*\d")
_JSON_TRIES = 20


def _json(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("json", '{"total": 2.3}', 'Here: {"shop": "Lidl", "total": "2.30"}').passed
    True
    >>> try_out("json", '{"total": 2.3}', '{"total": 3.2}').reason
    'total: 3.2, expected 2.3'
    >>> typed = {"day": "date", "sum": {"grader": "decimal", "tolerance": 0.1}}
    >>> said = '{"day": "4 March 2021", "sum": "2.35 kg"}'
    >>> try_out("json", '{"day": "2021-03-04", "sum": "2.3 kg"}', said, fields=typed).fields
    {'day': True, 'sum': True}
    """
    try:
        wanted = msgspec.json.decode(task.one("json"))
    except msgspec.DecodeError as error:
        raise Misfit(f"the expected answer is not JSON: {error}") from error
    fields = task.options.get("fields")
    if fields is not None and not (isinstance(wanted, dict) and set(fields) <= set(wanted)):
        raise Misfit("a field that counts is not in the expected answer")
    _check_schema(task.options.get("schema"))
    if isinstance(fields, list):
        wanted = {name: wanted[name] for name in fields}
    typed = _typed(fields, wanted) if isinstance(fields, dict) else {}

    def check(reply: Reply) -> Verdict:
        if reply.fault:
            return failed(reply.fault)
        found = json_in(reply.body)
        if found is None:
            return failed(refusal(reply.text[:4000]) or "no JSON in the reply")
        return _by_fields(wanted, found, typed)

    return check


def _check_schema(schema: Any) -> None:
    """Raises: Misfit when an option is no JSON schema of an object or a list."""
    known = {"type", "properties", "items", "required", "anyOf", "oneOf", "$ref", "$defs"}
    if schema is not None and not (isinstance(schema, dict) and known & schema.keys()):
        raise Misfit("schema is no JSON schema: it has neither type nor properties")


def _typed(
    fields: Mapping[str, Any], wanted: Mapping[str, Any]
) -> dict[str, Callable[[Any], Verdict]]:
    """A grader for each field that names one. Raises: Misfit."""
    from harness.graders import GRADERS, field_case, grade, problems

    typed: dict[str, Callable[[Any], Verdict]] = {}
    for name, given in fields.items():
        options = dict(given) if isinstance(given, dict) else {"grader": given}
        grader = str(options.pop("grader", "text"))
        if grader not in GRADERS or grader == "json":
            raise Misfit(f"field {name!r}: grader {grader!r} is not one for a field")
        case = field_case(grader, wanted[name], options)
        if wrong := problems(case):
            raise Misfit(f"field {name!r}: {wrong[0]}")
        typed[name] = lambda said, case=case: grade(case, _as_text(said))  # type: ignore[misc]
    return typed


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_as_text, value))
    return "null" if value is None else str(value)


def _by_fields(wanted: Any, said: Any, typed: Mapping[str, Callable[[Any], Verdict]]) -> Verdict:
    """Each field of an object by itself; anything else as a whole."""
    answer = msgspec.json.encode(said).decode()
    if not isinstance(wanted, dict) or not isinstance(said, dict):
        fault = unlike(wanted, said, "")
        return Verdict(passed=fault is None, answer=answer, reason=fault or "the same fields")
    given = {folded(str(name)): value for name, value in said.items()}
    faults: dict[str, str | None] = {}
    for name, value in wanted.items():
        if folded(name) not in given:
            faults[name] = f"{name}: missing"
        elif name in typed:
            verdict = typed[name](given[folded(name)])
            faults[name] = None if verdict.passed else f"{name}: {verdict.reason}"
        else:
            faults[name] = unlike(value, given[folded(name)], name)
    right = {name: fault is None for name, fault in faults.items()}
    wrong = [fault for fault in faults.values() if fault]
    return Verdict(
        passed=not wrong,
        answer=answer,
        reason=wrong[0] if wrong else "the same fields",
        measures={"fields": round(sum(right.values()) / len(right), 4)} if right else {},
        fields=right,
    )


def json_in(text: str) -> Any:
    """The first JSON object or list in a text.

    >>> json_in("Sure: {'x': 1} no, {\\"x\\": [1, 2]}.")
    {'x': [1, 2]}
    """
    decoder = msgspec.json.Decoder()
    start = -1
    for _ in range(_JSON_TRIES):
        starts = [at for c in "{[" if (at := text.find(c, start + 1)) >= 0]
        if not starts:
            return None
        start = min(starts)
        try:
            return decoder.decode(text[start : _closing(text, start)])
        except (msgspec.DecodeError, RecursionError):
            continue
    return None


def _closing(text: str, start: int) -> int:
    opens, closes = text[start], "}" if text[start] == "{" else "]"
    depth, quoted = 0, False
    for at in range(start, len(text)):
        c = text[at]
        if c == '"' and text[at - 1] != "\\":
            quoted = not quoted
        elif not quoted and c in (opens, closes):
            depth += 1 if c == opens else -1
            if depth == 0:
                return at + 1
    return len(text)


def unlike(wanted: Any, said: Any, where: str) -> str | None:
    """The first field that differs, in words."""
    if isinstance(wanted, dict):
        if not isinstance(said, dict):
            return f"{where or 'the reply'}: not an object"
        named = {folded(str(name)): value for name, value in said.items()}
        for name, value in wanted.items():
            path = f"{where}.{name}" if where else name
            if folded(name) not in named:
                return f"{path}: missing"
            if fault := unlike(value, named[folded(name)], path):
                return fault
        return None
    if isinstance(wanted, list):
        if not isinstance(said, list) or len(said) != len(wanted):
            return f"{where or 'the reply'}: not {len(wanted)} items"
        pairs = enumerate(zip(wanted, said, strict=True))
        faults = (unlike(a, b, f"{where}[{at}]") for at, (a, b) in pairs)
        return next((fault for fault in faults if fault), None)
    same = _same_leaf(wanted, said)
    return None if same else f"{where or 'the reply'}: {said}, expected {wanted}"


def _same_leaf(wanted: Any, said: Any) -> bool:
    if wanted is None or isinstance(wanted, bool) or said is None or isinstance(said, bool):
        return wanted is said or folded(str(wanted)) == folded(str(said))
    first, second = _number(wanted), _number(said)
    if first is not None and second is not None:
        return first == second
    return folded(str(wanted)) == folded(str(said))


def _number(leaf: Any) -> Decimal | None:
    written = str(leaf).strip().lstrip("$£€ ")
    return parsed(written)[0] if _NUMERIC.fullmatch(written) else None


LIST = Grader(name="list", check=_list, options={"ordered": bool})
GRID = Grader(name="grid", check=_grid, repeats=True)
JSON = Grader(
    name="json", check=_json, options={"fields": (list, dict), "schema": dict}, repeats=True
)
