"""Counts, numbers with or without a unit, and amounts of money."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from harness.graders.decide import Finder, Mention
from harness.graders.kinds import Check, Grader, Misfit, Task, checking
from harness.graders.numbers import Number, numbers, ordinals
from harness.graders.patterns import LISTS, TABLES, pattern
from harness.graders.question import Question
from harness.graders.units import UNITS, Unit, converted, unit_at
from harness.graders.words import content, folded, rivals, stem, words

_ABOUT, _OR_SO = pattern("approximate"), pattern("or so")
_ASKS_ROUGHLY, _RANGE, _BETWEEN = pattern("asks roughly"), pattern("range"), pattern("between two")
_LABEL, _LISTED, _OUT_OF = pattern("numbered things"), pattern("listed numbers"), pattern("out of")
_TOTAL_BEFORE, _TOTAL_AFTER = pattern("total of"), pattern("in total")
_ONLY, _OF_THEM = pattern("only so many"), pattern("some of them")
_NO, _NONE_OF, _MORE = pattern("none of them"), pattern("none of those"), pattern("no others")
_A, _VAGUE = pattern("a single one"), pattern("vague counts")
_IN_SCALE, _IN_UNIT = pattern("in millions"), pattern("asks for a unit")
_SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
_HARMLESS = frozenset(LISTS["harmless"])
_HALF_PERCENT = Decimal("0.005")
_MONEY = {
    spelling: Unit(code, code, Decimal(1))
    for code, *spellings in (
        line.replace(": ", " ").split() for line in TABLES["currencies"].splitlines()
    )
    for spelling in (code, *spellings)
}
_PENCE = Unit("p", "gbp", Decimal("0.01"))
_CENT = Unit("cent", "", Decimal("0.01"))
_MONEY |= dict.fromkeys(("p", "pence", "penny"), _PENCE)
_MONEY |= dict.fromkeys(("cent", "cents", "¢", "c"), _CENT)
_NAMES = "|".join(sorted((w.replace("$", r"\$") for w in _MONEY), key=len, reverse=True))
_BEFORE = pattern(
    "currency in front", rf"(?:^|(?<![^\W\d_]))({_NAMES}) ?-?$", policy="a wrong currency fails"
)
_AFTER = pattern("currency behind", rf" ?-?({_NAMES})(?!\w)", policy="58p")


class Value(NamedTuple):
    """A quantity."""

    number: Decimal
    other: Decimal | None = None
    """The other meaning of its notation: 1.250 is 1250 too."""
    unit: Unit | None = None

    def readings(self, unit: Unit | None = None) -> list[Decimal]:
        """The numbers it can mean, in a unit; none when it cannot be in that."""
        found = [n for n in (self.number, self.other) if n is not None]
        if unit is None or self.unit is None or self.unit.name == unit.name:
            return found
        if self.unit.name == "deg" and unit.dimension == "temperature":
            return found
        if not self.unit.dimension:  # cents of whatever currency
            return [n * self.unit.factor for n in found]
        return [n for it in found if (n := converted(it, self.unit, unit)) is not None]


UnitReader = Callable[[str, Number], tuple[Unit | None, int, int]]
"""The unit of a number, and where number and unit start and end."""


def _measured(text: str, number: Number) -> tuple[Unit | None, int, int]:
    unit = unit_at(text, number.end)
    return (unit[0], number.start, unit[1]) if unit else (None, number.start, number.end)


def _priced(text: str, number: Number) -> tuple[Unit | None, int, int]:
    head = text[max(0, number.start - 10) : number.start]
    if before := _BEFORE.search(head):
        start = number.start - len(head) + before.start(1)
        return _MONEY[before[1].lower()], start, number.end
    if after := _AFTER.match(text, number.end):
        return _MONEY[after[1].lower()], number.start, after.end()
    share = text[number.end : number.end + 2].lstrip().startswith("%")
    return UNITS["%"] if share else None, number.start, number.end


def finder(question: Question, unit_of: UnitReader, *, exact: bool = True) -> Finder:
    """Finds quantities; with `exact`, "about 5" is a hedge."""
    rough = not exact or bool(_ASKS_ROUGHLY.search(question.text))

    def find(text: str) -> list[Mention]:
        read = [(n, *unit_of(text, n)) for n in numbers(text)]
        read = [it for it in read if not it[0].glued or it[0].glued in "xX" or it[1]]  # not "7th"
        if not read and not question.asks_how_many:
            read = [(n, None, n.start, n.end) for n in ordinals(text)]
        mentions: list[Mention] = []
        for number, unit, start, end in read:
            label = _LABEL.search(text[max(0, start - 12) : start])
            named = label and stem(words(label[0])[0]) in question.stems
            if label and (question.asks_how_many or (len(read) > 1 and not named)):
                continue
            hedge = None if rough else approximate(text, start, end)
            gap = text[mentions[-1].end : start] if mentions else ""
            between = "and" in gap and _BETWEEN.search(text[: mentions[-1].start])
            if _RANGE.match(gap) or between:
                hedge = text[mentions.pop().start : end]
            only = bool(mentions and _ONLY.search(text[:start]))
            value = Value(number.value, number.other, unit)
            mentions.append(Mention(start, end, value, hedge, lead=only))
        return _relevant(text, mentions, question)

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


def _relevant(text: str, found: list[Mention], question: Question) -> list[Mention]:
    """Of several numbers the total, those of what was asked, and none out of the question."""
    if len({m.value for m in found}) < 2:
        return found

    def echoed(mention: Mention) -> bool:
        return isinstance(mention.value, Value) and mention.value.number in question.numbers

    before = {m: text[: m.start] for m in found}
    after = {m: text[m.end :] for m in found}
    listed = any(_LISTED.fullmatch(text[a.end : b.start]) for a, b in pairwise(found))
    totals = [m for m in found if _TOTAL_BEFORE.search(before[m]) or _TOTAL_AFTER.match(after[m])]
    if totals and (question.asks_how_many or "total" in question.words):
        return totals[-1:]
    named = [m for m in found if not echoed(m) and _is_named(before[m], question)]
    if named and not listed and not question.asks_how_many:
        return named
    found = [m for m in found if not _OUT_OF.search(before[m])] or found
    if listed:
        return found
    found = [m for m in found if not echoed(m)] or found
    rest = question.stems - question.counted
    parts = [m for m in found if m.lead or _OF_THEM.match(after[m])]
    parts = [m for m in parts if rest & set(content(after[m]))]
    if question.counted and len(found) > 1:
        found = parts[:1] or [m for m in found if _counts(after[m], question)] or found
    return found


def _is_named(before: str, question: Question) -> bool:
    """ "epoch 12" where the question asks for an epoch."""
    last = words(before[-24:])[-1:]
    return before[-1:] in (" ", "#") and stem("".join(last)) in question.stems


def _counts(after: str, question: Question) -> bool:
    """Whether the words behind a number name what was asked for."""
    for word in words(after[:50])[:4] if after[:1].isspace() else ():
        if word in ("and", "or", "of", "in", "on", "with"):
            return False
        if stem(word) in question.counted:
            return True
    return False


def _counts_finder(find: Finder, question: Question) -> Finder:
    """Also finds that there are none, or a single one, of what is counted."""
    zero = Value(Decimal(0))

    def find_counts(text: str) -> list[Mention]:
        if none := _NONE_OF.search(text):
            return [Mention(*none.span(), zero)]
        found, unsaid = find(text), _without_number(text, question)
        if unsaid and unsaid[0].value == zero:
            return [*(m for m in found if _counts(text[m.end :], question)), *unsaid]
        colours = [
            any(rivals(w) & question.words for w in words(text[m.end :][:40])[:3]) for m in found
        ]
        return [
            m._replace(value=f"{m.value} of another", weak=True) if another else m
            for m, another in zip(found, colours, strict=True)
        ] or unsaid

    return find_counts


def _without_number(text: str, question: Question) -> list[Mention]:
    """ "No dents", "none", "a single dent"; "several dents" is no number."""
    if folded(text) in ("none", "nothing"):
        return [Mention(0, len(text), Value(Decimal(0)))]
    if not question.counted:
        return []
    for none in _NO.finditer(text):
        after = text[none.end() :]
        if _MORE.match(after) is None and _names_counted(after, question):
            return [Mention(*none.span(), Value(Decimal(0)))]
    if vague := _VAGUE.search(text):
        counted = _names_counted(text[vague.end() :], question)
        return [Mention(*vague.span(), vague[0], vague[0])] if counted else []
    for one in _A.finditer(text):
        head = [stem(word) for word in words(text[one.end() :][:60])[:3]]
        if question.counted & set(head):
            return [Mention(*one.span(), Value(Decimal(1)))]
    return []


def _names_counted(after: str, question: Question) -> bool:
    """Whether a phrase is about all of what was asked for."""
    seen: set[str] = set()
    for word in words(after[:60])[:8]:
        if stem(word) in question.counted:
            seen.add(stem(word))
        elif not seen and word not in _HARMLESS and not word.isdigit():
            return False
    return seen >= question.counted


def _check_of(
    task: Task,
    find: Finder,
    wanted: Value,
    unit: Unit | None,
    tolerance: Decimal = Decimal(0),
    *,
    counts: bool = False,
) -> Check:
    """A check that compares quantities in the expected unit."""
    targets = wanted.readings()
    if scale := _IN_SCALE.search(task.question.text):
        targets += [number * _SCALES[scale[1].lower()] for number in targets]

    def off(value: Hashable) -> Decimal | None:
        readings = value.readings(unit) if isinstance(value, Value) else []
        if isinstance(value, Value) and unit is None and value.unit is UNITS["%"]:
            readings.append(value.number / 100)
        return min((abs(n - t) for n in readings for t in targets), default=None)

    def fits(value: Hashable) -> bool:
        there = off(value)
        same = isinstance(value, Value) and (value.unit is None or value.unit == unit)
        slack = Decimal(0) if same or unit is None else abs(wanted.number) * _HALF_PERCENT / 10
        return there is not None and there <= max(tolerance, slack)

    def nearness(value: Hashable) -> dict[str, float]:
        there = off(value)
        if there is None:
            return {}
        relative = {"relative_error": float(there / abs(wanted.number))} if wanted.number else {}
        return {"error": float(there), **relative}

    def differs(value: Hashable) -> str:
        by = value.number - wanted.number if isinstance(value, Value) else Decimal("0.5")
        whole = counts and not by % 1 and abs(by) < 10**9
        return f"off by {int(by):+d}, expected {written}" if whole else f"expected {written}"

    written = task.one("number")
    return checking(find, fits, written, _settle(unit), differs, task.question, nearness)


def _settle(unit: Unit | None) -> Callable[[Sequence[Hashable]], list[Hashable]]:
    """One value for one quantity, in the unit asked for where it is given in that."""

    def settle(values: Sequence[Hashable]) -> list[Hashable]:
        kept: list[Hashable] = []
        for value in values:
            twin = next((k for k in kept if _alike(k, value)), None)
            if twin is None:
                kept.append(value)
            elif isinstance(value, Value) and _better(value, twin, unit):
                kept[kept.index(twin)] = value
        return kept

    return settle


def _better(value: Value, twin: Hashable, unit: Unit | None) -> bool:
    return getattr(twin, "unit", None) is None or (unit is not None and value.unit == unit)


def _alike(a: Hashable, b: Hashable) -> bool:
    if not isinstance(a, Value) or not isinstance(b, Value):
        return a == b
    if a.unit is None or b.unit is None or a.unit == b.unit:
        return bool(set(a.readings()) & set(b.readings()))
    pairs = [(t, w) for t in a.readings(b.unit) for w in b.readings()]
    return any(abs(t - w) <= abs(t) * _HALF_PERCENT for t, w in pairs)


def _integer(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("integer", "4", "**four** bolts").passed
    True
    >>> try_out("integer", "4", "4 or 5").reason
    'several answers: 4 or 5'
    >>> try_out("integer", "0", "There are no dents.", "How many dents are there?").passed
    True
    """
    written = task.one("integer")
    found = numbers(written)
    whole = [n for it in found[:1] for n in (it.value, it.other) if n is not None and not n % 1]
    if len(found) != 1 or not whole or (found[0].start, found[0].end) != (0, len(written)):
        raise Misfit(f"{written!r} is not a whole number")
    counted = (w for w in sorted(task.question.words) if stem(w) in task.question.counted)
    unit = next((UNITS[w] for w in counted if len(w) > 2 and w in UNITS), None)
    find = _counts_finder(finder(task.question, _measured), task.question)
    return _check_of(task, find, Value(whole[0]), unit, counts=True)


def _decimal(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("decimal", "32,500 kg", "It is 32,500 kg or 71,650 lb.").passed
    True
    >>> try_out("decimal", "2.5 bar", "2.55 bar", tolerance=0.1).passed
    True
    >>> try_out("decimal", "2.5 bar", "2.5 psi").reason
    'expected 2.5 bar'
    """
    wanted, unit = quantity(task.one("decimal"))
    if given := str(task.options.get("unit") or ""):
        named = unit_at(given, 0)
        if named is None:
            raise Misfit(f"{given!r} is not a unit we know")
        unit = named[0]
    tolerance = Decimal(str(task.options.get("tolerance", 0)))
    if tolerance < 0:
        raise Misfit("tolerance is negative")
    find = finder(task.question, _measured, exact=not tolerance)
    return _check_of(task, find, Value(wanted), unit or asked_unit(task.question), tolerance)


def quantity(written: str) -> tuple[Decimal, Unit | None]:
    """An expected number and its unit. Raises: Misfit."""
    found = numbers(written)
    if len(found) != 1 or written[: found[0].start].strip(" ~+-"):
        raise Misfit(f"{written!r} is not a number with or without a unit")
    unit, _, end = _measured(written, found[0])
    if rest := written[end:].strip(" ."):
        raise Misfit(f"{rest!r} in {written!r} is not a unit we know")
    return found[0].value, unit


def asked_unit(question: Question) -> Unit | None:
    """The unit that a question wants its answer in: "in inches"."""
    hits = (unit_at(question.text, match.end()) for match in _IN_UNIT.finditer(question.text))
    return next((unit[0] for unit in hits if unit), None)


def _money(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("money", "$2.30", "Tax: 2.30 USD").passed
    True
    >>> try_out("money", "0.65", "65p", "How much in GBP?").passed
    True
    >>> try_out("money", "$2.30", "€2.30").reason
    'expected $2.30'
    """
    written = task.one("money")
    found = numbers(written)
    if len(found) != 1:
        raise Misfit(f"{written!r} is not one amount of money")
    unit = _priced(written, found[0])[0]
    said = (_MONEY[w] for w in sorted(task.question.words) if len(w) > 2 and w in _MONEY)
    unit = unit or _MONEY.get(str(task.options.get("currency", "")).lower()) or next(said, None)
    find = finder(task.question, _priced)

    def find_money(text: str) -> list[Mention]:
        found = [m for m in find(text) if isinstance(m.value, Value) and m.value.unit != UNITS["%"]]
        return [
            m._replace(value=(v := _whole(m.value)), weak=not (v.unit or v.number % 1))
            for m in found
        ]

    return _check_of(task, find_money, _whole(Value(found[0].value, found[0].other, unit)), unit)


def _whole(value: Hashable) -> Value:
    """58p as 0.58 pounds."""
    assert isinstance(value, Value)
    if value.unit is None or value.unit.factor == 1:
        return value
    named = _MONEY.get(value.unit.dimension)
    return Value(value.number * value.unit.factor, None, named)


INTEGER = Grader(name="integer", check=_integer)
DECIMAL = Grader(name="decimal", check=_decimal, options={"tolerance": (int, float), "unit": str})
MONEY = Grader(name="money", check=_money, options={"currency": str})
