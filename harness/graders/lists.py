"""Lists: the same items and no others, in the stated order or in any."""

from __future__ import annotations

import re

from harness.graders.kinds import Check, Grader, Misfit, Task
from harness.graders.lazily import lazy
from harness.graders.numbers import numbers
from harness.graders.reading import (
    Said,
    Weight,
    empty_because,
    refusal,
    singular,
)
from harness.graders.terms import folded
from harness.records import Verdict

_SEPARATOR = lazy(r"\s*(?:[,;\n|]|->|→|\band\b|&|\bthen\b|\bfollowed by\b)\s*", re.IGNORECASE)
_LEAD = lazy(
    r"^[^:\n]{0,120}:\s*(?=\S)|^.{0,120}?\b(?:are|is|include|includes|reads|contains|has)\b\s+",
    re.IGNORECASE,
)


def _check(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("list", ("red", "blue"), "Blue and red.").passed
    True
    >>> try_out("list", ("red", "blue"), "Blue, red", ordered=True).reason
    'the same items in another order'
    >>> try_out("list", ("red", "blue"), "red, blue, green").reason
    'one too many: green'
    """
    wanted = [key(item) for item in items_of(task.expected)]
    if len(wanted) < 2 and isinstance(task.expected, str):
        raise Misfit(f"{task.expected!r} is not a list; separate the items with commas")
    if not wanted:
        raise Misfit("the expected list is empty")
    ordered = bool(task.options.get("ordered", False))

    def check(said: Said) -> Verdict:
        if not said.statements:
            return Verdict(passed=False, answer=None, reason=empty_because(said))
        return _compared(wanted, _said_items(said, wanted), ordered, said)

    return check


def items_of(expected: str | tuple[str, ...]) -> list[str]:
    parts = expected if isinstance(expected, tuple | list) else _SEPARATOR.split(expected)
    return [part.strip() for part in parts if part and part.strip()]


def key(item: str) -> str:
    """One spelling of an item: numbers as digits, no article, singular.

    >>> key("The Boxes"), key("seven"), key(" 07. ")
    ('box', '7', '7')
    """
    plain = folded(item)
    for article in ("the ", "a ", "an "):
        plain = plain.removeprefix(article)
    found = numbers(plain)
    if len(found) == 1 and (found[0].start, found[0].end) == (0, len(plain)):
        return f"{found[0].value.normalize():f}"
    *first, last = re.split(r"[\s-]+", plain)
    return " ".join([*first, singular(last) if last.isalpha() else last])


def _said_items(said: Said, wanted: list[str]) -> list[str]:
    """Items of the answer line, of a list, or of the statement that names most of them."""
    answers = [s.text for s in said.statements if s.weight == Weight.ANSWER]
    if answers:
        return _split(answers[-1])
    if len(said.statements) == 1:
        items = _split(said.statements[0].text)
        return items if len(items) > 1 else [key(word) for word in said.statements[0].text.split()]
    lines = [_split(s.text) for s in said.statements]
    best = max(lines, key=lambda items: len(set(items) & set(wanted)))
    if len(set(best) & set(wanted)) > 1:
        return best
    bullets = [item for items in lines if len(items) == 1 for item in items]
    return bullets or best


def _split(text: str) -> list[str]:
    """
    >>> _split("The colours are red, green and the blue.")
    ['red', 'green', 'blue']
    """
    lead = _LEAD.match(text)
    if lead:
        text = text[lead.end() :]
    items = (
        key(item.strip(" .\"'()[]"))
        for item in _SEPARATOR.split(text)
        if item and item.strip(" .\"'()[]")
    )
    return [item for item in items if item]


def _compared(wanted: list[str], items: list[str], ordered: bool, said: Said) -> Verdict:
    answer = ", ".join(items) or None
    if items == wanted or (not ordered and sorted(items) == sorted(wanted)):
        return Verdict(passed=True, answer=answer, reason="the same items")
    if (why := refusal(said.text)) is not None and not set(items) & set(wanted):
        return Verdict(passed=False, answer=None, reason=why)
    return Verdict(passed=False, answer=answer, reason=_difference(wanted, items))


def _difference(wanted: list[str], items: list[str]) -> str:
    missing = [item for item in wanted if item not in items]
    extra = [item for item in items if item not in wanted]
    if not missing and not extra:
        return (
            "the same items in another order"
            if len(items) == len(wanted)
            else "an item is said more than once"
        )
    if not missing:
        return f"{'one' if len(extra) == 1 else len(extra)} too many: {', '.join(extra)[:80]}"
    return f"missing: {', '.join(missing)[:80]}"


LIST = Grader(name="list", check=_check, options={"ordered": bool})
