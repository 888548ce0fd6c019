"""Structured answers: a grid of cells, and JSON by its fields."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import msgspec

from harness.graders.kinds import Check, Grader, Misfit, Task, one
from harness.graders.lazily import lazy
from harness.graders.numbers import parsed
from harness.graders.reading import Said, empty_because
from harness.graders.terms import folded
from harness.records import Verdict

_RULE = lazy(r"[\s|:+=-]*-{2,}[\s|:+=-]*")
_BLANKS = frozenset(("", "-", "_", ".", "blank", "empty", "none", "null", "n/a", " "))
_BRACKET = lazy(r"[\[{]")
_NUMERIC = lazy(r"[-+]?[\d.,' ]*\d")
_JSON_TRIES = 20


def _grid(task: Task) -> Check:
    r"""
    >>> from harness.graders import try_out
    >>> try_out("grid", "1 | | 3\n4 | 5 |", "| 1 |  | 3 |\n|---|---|---|\n| 4 | 5 |  |").passed
    True
    >>> try_out("grid", "a,b\nc,d", "a b\nc e").reason
    "row 2, column 2: 'e', expected 'd'"
    """
    wanted = rows_of(one(task.expected, "grid"))
    if len({len(row) for row in wanted}) != 1 or len(wanted) * len(wanted[0]) < 2:
        raise Misfit("the rows of the expected grid have different lengths")

    def check(said: Said) -> Verdict:
        if not said.statements:
            return Verdict(passed=False, answer=None, reason=empty_because(said))
        rows = _rows_said(said.body, len(wanted[0]))
        answer = "\n".join(" | ".join(row) for row in rows) or None
        fault = _first_difference(wanted, rows)
        return Verdict(passed=fault is None, answer=answer, reason=fault or "the same cells")

    return check


def rows_of(text: str) -> list[list[str]]:
    lines = [
        line
        for line in text.replace("```", "\n").split("\n")
        if line.strip() and not _RULE.fullmatch(line)
    ]
    return [_cells(line) for line in lines]


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


def _json(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("json", '{"total": 2.3}', 'Here: {"shop": "Lidl", "total": "2.30"}').passed
    True
    >>> try_out("json", '{"total": 2.3}', '{"total": 3.2}').reason
    'total: 3.2, expected 2.3'
    """
    try:
        wanted = msgspec.json.decode(one(task.expected, "json"))
    except msgspec.DecodeError as error:
        raise Misfit(f"the expected answer is not JSON: {error}") from error
    fields = task.options.get("fields")
    if fields is not None and not (isinstance(wanted, dict) and set(fields) <= set(wanted)):
        raise Misfit("a field that counts is not in the expected answer")
    if fields is not None:
        wanted = {name: wanted[name] for name in fields}

    def check(said: Said) -> Verdict:
        if not said.statements:
            return Verdict(passed=False, answer=None, reason=empty_because(said))
        found = json_in(said.body)
        if found is None:
            return Verdict(passed=False, answer=None, reason="no JSON in the reply")
        fault = unlike(wanted, found, "")
        return Verdict(
            passed=fault is None,
            answer=msgspec.json.encode(found).decode(),
            reason=fault or "the same fields",
        )

    return check


def json_in(text: str) -> Any:
    """The first JSON object or list in a text.

    >>> json_in("Sure: {'x': 1} no, {\\"x\\": [1, 2]}.")
    {'x': [1, 2]}
    """
    decoder = msgspec.json.Decoder()
    closers = {"{": "}", "[": "]"}
    for tries, opening in enumerate(_BRACKET.finditer(text)):
        if tries == _JSON_TRIES:
            break
        end = _closing(text, opening.start(), opening[0], closers[opening[0]])
        try:
            return decoder.decode(text[opening.start() : end])
        except (msgspec.DecodeError, RecursionError):
            continue
    return None


def _closing(text: str, start: int, opens: str, closes: str) -> int:
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
        faults = (
            unlike(a, b, f"{where}[{at}]")
            for at, (a, b) in enumerate(zip(wanted, said, strict=True))
        )
        return next((fault for fault in faults if fault), None)
    return (
        None if _same_leaf(wanted, said) else f"{where or 'the reply'}: {said}, expected {wanted}"
    )


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


GRID = Grader(name="grid", check=_grid)
JSON = Grader(name="json", check=_json, options={"fields": list})
