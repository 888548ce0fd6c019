"""Counts, numbers with or without a unit, and amounts of money."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from harness.graders.decide import Check, Finder, Mention, Misfit, Task, checking
from harness.graders.numbers import CURRENCIES, SCALES, UNITS, Quantity, Unit, numbers, unit_at
from harness.graders.question import asked_words, counted, plain_question
from harness.graders.words import folded, pattern, phrase, stem, words

_ABOUT = phrase("a hedge fails: about 5")
_OR_SO = phrase("a hedge fails: 5 or more")
_ASKS_ROUGHLY = phrase("an answer may be as rough as its question")
_OUT_OF = phrase("7 out of the 8 is 7")
_LISTED = pattern(r" ?(?:,|,? ?(?:and|or)|&|-|to|~|\.\.+) ?", "5 and 6, 5 to 6 are two answers")
_UNSAID = phrase("no dents are 0, a single dent is 1")
_PHRASE_ENDS = pattern(r"\b(?:and|or|of|in|on|with|\d+)\b|[:;]", "where what a number counts ends")
_IN_SCALE = pattern(r"\(?\bin (thousand|million|billion)s?\b", "asks for millions")
_IN_UNIT = pattern(r"\bin (?:the unit )?(?=[a-zµ°%/]{1,14}\b)|\(unit: ?", "asks for inches")
_SLACK = Decimal("0.0005")
"""Share by which a number may differ that was converted from another unit."""


def _finder(question: str, *, exact: bool = True, money: bool = False) -> Finder:
    """Finds quantities; with `exact`, "about 5" is a hedge."""
    rough = not exact or bool(_ASKS_ROUGHLY.search(question))

    def find(text: str) -> list[Mention]:
        found = numbers(text, money=money)
        hedges = [None if rough else approximate(text, m.start, m.end) for m in found]
        hedged = [m._replace(hedge=hedge) for m, hedge in zip(found, hedges, strict=True)]
        return _relevant(text, hedged, question)

    return find


def approximate(text: str, start: int, end: int) -> str | None:
    """The words that make a number uncertain.

    >>> approximate("about 5 bolts", 6, 7), approximate("5 or more", 0, 1), approximate("5", 0, 1)
    ('about 5', '5 or more', None)
    """
    if before := _ABOUT.search(text[max(0, start - 24) : start]):
        return text[max(0, start - 24) + before.start() : end].strip()
    after = _OR_SO.match(text[end : end + 24])
    return text[start : end + after.end()] if after else None


def _relevant(text: str, found: list[Mention], question: str) -> list[Mention]:
    """Of several numbers those of what was asked, and none out of the question."""
    if len({m.value for m in found}) < 2:
        return found
    found = [m for m in found if not _OUT_OF.search(text[: m.start])] or found
    if any(_LISTED.fullmatch(text[a.end : b.start]) for a, b in pairwise(found)):
        return found
    echoed = {m.value.number for m in numbers(plain_question(question))}
    found = [m for m in found if m.value.number not in echoed] or found
    counting = counted(question)
    counts = [len(counting & _counted_by(text[m.end :])) for m in found]
    return [m for m, count in zip(found, counts, strict=True) if count == max(counts)]


def _counted_by(after: str) -> set[str]:
    """Stems of the words behind a number that say what it counts."""
    phrase = _PHRASE_ENDS.split(after[:50])[0] if after[:1].isspace() else ""
    return {stem(word) for word in words(phrase)[:4]}


def _count_finder(question: str) -> Finder:
    """Also finds that there are none, or a single one, of what is counted."""
    find, counting = _finder(question), counted(question)

    def find_count(text: str) -> list[Mention]:
        if folded(text) in ("none", "nothing"):
            return [Mention(0, len(text), Quantity(Decimal(0)))]
        found = find(text)
        for match in _UNSAID.finditer(text) if counting else ():
            said = {stem(word) for word in words(text[match.end() :][:60])[:4]}
            none = match["none"] or match["not"]
            if (none and counting <= said) or (not none and not found and counting & said):
                value = Quantity(Decimal(0 if none else 1))
                return [*(m for m in found if counting & _counted_by(text[m.end :])),
                        Mention(*match.span(), value)]  # fmt: skip
        return found

    return find_count


def _comparing(
    task: Task, find: Finder, wanted: Quantity, tolerance: Decimal = Decimal(0)
) -> Check:
    """A check that compares quantities in the expected unit."""
    unit, scale = wanted.unit, _IN_SCALE.search(task.question)
    targets = [n for n in (wanted.number, wanted.other) if n is not None]
    targets += [n * SCALES[scale[1].lower()] for n in targets] if scale else []

    def off(value: Quantity) -> Decimal | None:
        readings = value.readings(unit)
        if unit is None and value.unit is UNITS["%"]:
            readings.append(value.number / 100)
        return min((abs(n - t) for n in readings for t in targets), default=None)

    def fits(value: Quantity) -> bool:
        by, exact = off(value), unit is None or value.unit in (None, unit)
        return by is not None and by <= max(tolerance, 0 if exact else abs(wanted.number) * _SLACK)

    def measure(value: Quantity) -> dict[str, float]:
        by = off(value)
        if by is None:
            return {}
        relative = {"relative_error": float(by / abs(wanted.number))} if wanted.number else {}
        return {"error": float(by)} | relative

    def differs(value: Quantity) -> str:
        by = value.number - wanted.number
        whole = task.grader == "integer" and not by % 1 and abs(by) < 10**9
        return (f"off by {int(by):+d}, " if whole else "") + f"expected {task.one}"

    def same(a: Quantity, b: Quantity) -> bool:
        """Alike, and the second not less precise: in the unit asked for, or in any."""
        return _alike(a, b) and (a.unit is None or a.unit != unit or b.unit == unit)

    return checking(task, find, fits, same, differs, measure)


def _alike(a: Quantity, b: Quantity) -> bool:
    if a.unit is None or b.unit is None or a.unit == b.unit:
        return bool(set(a.readings()) & set(b.readings()))
    pairs = [(t, w) for t in a.readings(b.unit) for w in b.readings()]
    return any(abs(t - w) <= abs(t) * 10 * _SLACK for t, w in pairs)


def integer(task: Task) -> Check:
    """A count; "no dents" are 0."""
    found = numbers(task.one)
    value = found[0].value if len(found) == 1 else Quantity(Decimal("0.5"))
    whole = [n for n in value.readings() if not n % 1]
    if not whole or value.unit or found[0].end - found[0].start != len(task.one):
        raise Misfit(f"{task.one!r} is not a whole number")
    asked = asked_words(task.question) & UNITS.keys()
    units = [UNITS[w] for w in sorted(asked) if stem(w) in counted(task.question) and len(w) > 2]
    unit = units[0] if units else None
    return _comparing(task, _count_finder(task.question), Quantity(whole[0], None, unit))


def decimal(task: Task) -> Check:
    """A number, with or without a unit."""
    wanted = quantity(task.one)
    if given := str(task.options.get("unit") or ""):
        named = unit_at(given, 0)
        if named is None:
            raise Misfit(f"{given!r} is not a unit we know")
        wanted = wanted._replace(unit=named[0])
    tolerance = Decimal(str(task.options.get("tolerance", 0)))
    if tolerance < 0:
        raise Misfit("tolerance is negative")
    unit = wanted.unit or asked_unit(task.question)
    find = _finder(task.question, exact=not tolerance)
    return _comparing(task, find, wanted._replace(unit=unit), tolerance)


def quantity(written: str) -> Quantity:
    """An expected number and its unit. Raises: Misfit."""
    found = numbers(written)
    if len(found) != 1 or written[: found[0].start].strip(" ~+-"):
        raise Misfit(f"{written!r} is not a number with or without a unit")
    if rest := written[found[0].end :].strip(" ."):
        raise Misfit(f"{rest!r} in {written!r} is not a unit we know")
    value: Quantity = found[0].value
    return value._replace(other=None)


def asked_unit(question: str) -> Unit | None:
    """The unit that a question wants its answer in: "in inches"."""
    text = plain_question(question)
    hits = (unit_at(text, match.end()) for match in _IN_UNIT.finditer(text))
    return next((unit[0] for unit in hits if unit), None)


def money(task: Task) -> Check:
    """An amount; without a currency where the question names it."""
    found = numbers(task.one, money=True)
    if len(found) != 1:
        raise Misfit(f"{task.one!r} is not one amount of money")
    asked = [w for w in sorted(asked_words(task.question)) if len(w) > 2]
    named = (str(task.options.get("currency", "")).lower(), *asked)
    unit = next((CURRENCIES[name] for name in named if name in CURRENCIES), None)
    unit = found[0].value.unit or unit

    def in_full(value: Quantity) -> Quantity:
        """58p as 0.58 pounds, cents as part of whatever currency was asked for."""
        if value.unit is None or value.unit.factor == 1:
            return value
        whole = CURRENCIES.get(value.unit.dimension)
        whole = unit if whole is None or whole.factor != 1 else whole
        return Quantity(value.number * value.unit.factor, None, whole)

    def find(text: str) -> list[Mention]:
        said = [m._replace(value=in_full(m.value)) for m in amounts(text)]
        return [m._replace(weak=not (m.value.unit or m.value.number % 1)) for m in said]

    amounts = _finder(task.question, money=True)
    return _comparing(task, find, in_full(found[0].value._replace(unit=unit)))
