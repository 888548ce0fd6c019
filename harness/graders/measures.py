"""Counts, numbers with or without a unit, and amounts of money."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from harness.graders.decide import Finder, Mention
from harness.graders.kinds import Check, Grader, Misfit, Task, checking
from harness.graders.numbers import Number, numbers, ordinals
from harness.graders.patterns import LISTS, TABLES, pattern
from harness.graders.question import Question
from harness.graders.units import UNITS, Unit, converted, unit_at
from harness.graders.words import content, folded, rivals, stem, words

_ABOUT = pattern("approximate")
_OR_SO = pattern("or so")
_ASKS_ROUGHLY = pattern("asks roughly")
_RANGE = pattern("range")
_LABEL = pattern("numbered things")
_LISTED = pattern("listed numbers")
_OUT_OF = pattern("out of")
_BETWEEN = pattern("between two")
_TOTAL_BEFORE = pattern("total of")
_TOTAL_AFTER = pattern("in total")
_ONLY = pattern("only so many")
_OF_THEM = pattern("some of them")
_NO = pattern("none of them")
_NONE_OF = pattern("none of those")
_MORE = pattern("no others")
_A = pattern("a single one")
_VAGUE = pattern("vague counts")
_HARMLESS = frozenset(LISTS["harmless"])
_HALF_PERCENT = Decimal("0.005")


class Value(NamedTuple):
    """A quantity."""

    number: Decimal
    other: Decimal | None = None
    """The other meaning of its notation: 1.250 is 1250 too."""
    unit: str | None = None

    def readings(self) -> list[Decimal]:
        return [n for n in (self.number, self.other) if n is not None]


UnitReader = Callable[[str, Number], tuple[str | None, int, int]]
"""Name of the unit of a number, and where number and unit start and end."""


def finder(question: Question, unit_of: UnitReader, *, exact: bool = True) -> Finder:
    """Finds quantities; with `exact`, "about 5" is a hedge."""
    rough = not exact or bool(_ASKS_ROUGHLY.search(question.text))

    def find(text: str) -> list[Mention]:
        found = [n for n in numbers(text) if not _is_glued(text, n, unit_of)]
        if not found and not question.asks_how_many:
            found = ordinals(text)
        mentions: list[Mention] = []
        for at, number in enumerate(found):
            unit, start, end = unit_of(text, number)
            label = _LABEL.search(text[max(0, start - 12) : start])
            named = label and stem(words(label[0])[0]) in question.stems
            if label and (question.asks_how_many or (len(found) > 1 and not named)):
                continue
            hedge = None if rough else approximate(text, start, end)
            between = text[mentions[-1].end : start] if mentions else ""
            if _RANGE.match(between) or (
                "and" in between and _BETWEEN.search(text[: mentions[-1].start])
            ):
                hedge = text[mentions.pop().start : end]
            only = bool(at and _ONLY.search(text[:start]))
            value = Value(number.value, number.other, unit)
            mentions.append(Mention(start, end, value, hedge, lead=only))
        return _relevant(text, mentions, question)

    return find


def _is_glued(text: str, number: Number, unit_of: UnitReader) -> bool:
    """ "7th", "4G": no number."""
    return bool(number.glued) and number.glued not in "xX" and unit_of(text, number)[0] is None


def approximate(text: str, start: int, end: int) -> str | None:
    """The words that make a number uncertain.

    >>> approximate("about 5 bolts", 6, 7), approximate("5 or more", 0, 1), approximate("5", 0, 1)
    ('about 5', '5 or more', None)
    """
    before = _ABOUT.search(text[max(0, start - 24) : start])
    if before:
        return text[max(0, start - 24) + before.start() : end].strip()
    after = _OR_SO.match(text[end : end + 24])
    return text[start : end + after.end()] if after else None


def _relevant(text: str, found: list[Mention], question: Question) -> list[Mention]:
    """Of several numbers the total, those of what was asked, and none out of the question."""
    if len({m.value for m in found}) < 2:
        return found
    listed = any(_LISTED.fullmatch(text[a.end : b.start]) for a, b in pairwise(found))
    totals = [
        m
        for m in found
        if _TOTAL_BEFORE.search(text[: m.start]) or _TOTAL_AFTER.match(text[m.end : m.end + 60])
    ]
    if totals and (question.asks_how_many or "total" in question.words):
        return totals[-1:]
    if not question.asks_how_many:
        named = [m for m in found if _named_before(text[: m.start], m.value, question)]
        if named and not listed:
            return named
    found = [m for m in found if not _OUT_OF.search(text[: m.start])] or found
    fresh = [m for m in found if m.value[0] not in question.numbers]  # type: ignore[index]
    found = found if listed else fresh or found
    if question.counted and len(found) > 1 and not listed:
        rest = question.stems - question.counted
        parts = [
            m
            for m in found
            if (m.lead or _OF_THEM.match(text[m.end : m.end + 12]))
            and rest & set(content(text[m.end :]))
        ]
        asked = parts or [m for m in found if _counts(text[m.end :], question)]
        found = asked[:1] if parts else asked or found
    return found


def _named_before(before: str, value: Hashable, question: Question) -> bool:
    """ "epoch 12" where the question asks for an epoch."""
    last = words(before[-24:])[-1:]
    echoed = isinstance(value, Value) and value.number in question.numbers
    return not echoed and before[-1:] in (" ", "#") and stem("".join(last)) in question.stems


def _counts(after: str, question: Question) -> bool:
    """Whether the words behind a number name what was asked for."""
    head = words(after[:50])[:4]
    for at, word in enumerate(head):
        if word in ("and", "or", "of", "in", "on", "with") or (at == 0 and not after[:1].isspace()):
            return False
        if stem(word) in question.counted:
            return True
    return False


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
    if len(found) != 1 or folded(written) != folded(written[found[0].start : found[0].end]):
        raise Misfit(f"{written!r} is not a whole number")
    wanted = next(
        (n for n in (found[0].value, found[0].other) if n is not None and not n % 1), None
    )
    if wanted is None:
        raise Misfit(f"{written!r} is not a whole number")
    find_counts = _counts_finder(finder(task.question, _unit_reader), task.question)
    scale = _asked_scale(task.question)
    counted = (w for w in sorted(task.question.words) if stem(w) in task.question.counted)
    unit = next((UNITS[w] for w in counted if len(w) > 2 and w in UNITS), None)

    def fits(value: Hashable) -> bool:
        if not isinstance(value, Value):
            return False
        other = value.unit not in (None, "%") and unit is not None
        if scale is not None and wanted * scale in value.readings():
            return True
        return _meets(value, wanted, unit, Decimal(0)) if other else wanted in value.readings()

    return checking(
        find_counts, fits, written, _same, _off_by(wanted), task.question, _errors(wanted, unit)
    )


def _counts_finder(find: Finder, question: Question) -> Finder:
    """Also finds that there are none, or a single one, of what is counted."""

    def find_counts(text: str) -> list[Mention]:
        zero = _without_number(text, question)
        found = find(text)
        if none := _NONE_OF.search(text):
            return [Mention(*none.span(), Value(Decimal(0)))]
        if zero and found and zero[0].value == Value(Decimal(0)):
            return [*(m for m in found if _counts(text[m.end :], question)), *zero]
        of_another = [_of_another(text[m.end :], question) for m in found]
        return [
            m._replace(value=f"{m.value} of another", weak=True) if another else m
            for m, another in zip(found, of_another, strict=True)
        ] or zero

    return find_counts


def _errors(wanted: Decimal, unit: Unit | None) -> Callable[[Hashable], dict[str, float]]:
    """How far a value is off: absolutely in the expected unit, and relatively."""

    def errors(value: Hashable) -> dict[str, float]:
        said = UNITS.get(value.unit or "") if isinstance(value, Value) else None
        if not isinstance(value, Value):
            return {}
        readings = value.readings()
        if said is not None and unit is not None:
            readings = [n for r in readings if (n := converted(r, said, unit)) is not None]
        if not readings:
            return {}
        off = min(abs(number - wanted) for number in readings)
        relative = {"relative_error": float(off / abs(wanted))} if wanted else {}
        return {"error": float(off), **relative}

    return errors


def _off_by(wanted: Decimal) -> Callable[[Hashable], str]:
    def say(value: Hashable) -> str:
        if not isinstance(value, Value):
            return f"{value}, expected {wanted:f}"
        off = value.number - wanted
        exact = not value.number % 1 and abs(off) < 10**9
        return f"off by {int(off):+d}, expected {wanted:f}" if exact else f"expected {wanted:f}"

    return say


def _of_another(after: str, question: Question) -> bool:
    """Whether a number counts another colour of what was asked for."""
    return any(rivals(word) & question.words for word in words(after[:40])[:3])


def _without_number(text: str, question: Question) -> list[Mention]:
    """ "No dents", "none", "a single dent"; "several dents" is no number."""
    if folded(text) in ("none", "nothing", "no"):
        return [Mention(0, len(text), Value(Decimal(0)))] if folded(text) != "no" else []
    if not question.counted:
        return []
    for none in _NO.finditer(text):
        if _MORE.match(text[none.end() :]) is None and _names_counted(text[none.end() :], question):
            return [Mention(*none.span(), Value(Decimal(0)))]
    if vague := _VAGUE.search(text):
        counted = _names_counted(text[vague.end() :], question)
        return [Mention(*vague.span(), vague[0], vague[0])] if counted else []
    for one in _A.finditer(text):
        if _names_counted(text[one.end() :], question, part=True):
            return [Mention(*one.span(), Value(Decimal(1)))]
    return []


def _names_counted(after: str, question: Question, *, part: bool = False) -> bool:
    """Whether a phrase is about what was asked for, all of it; with `part`, about its noun."""
    seen: set[str] = set()
    for word in words(after[:60])[: 4 if part else 8]:
        if stem(word) in question.counted:
            seen.add(stem(word))
        elif part and seen:
            break
        elif not part and not seen and word not in _HARMLESS and not word.isdigit():
            return False
    return bool(seen) if part else seen >= question.counted


def _unit_reader(text: str, number: Number) -> tuple[str | None, int, int]:
    measured = unit_at(text, number.end)
    return (measured[0].name, number.start, measured[1]) if measured else (None, *number[:2])


def _same(values: Sequence[Hashable], unit: Unit | None = None) -> list[Hashable]:
    """One value for one quantity, in the unit asked for where it is given in that."""
    kept: list[Value] = []
    for value in values:
        if not isinstance(value, Value):
            return list(values)
        twin = next((k for k in kept if _alike(k, value)), None)
        if twin is None:
            kept.append(value)
        elif twin.unit is None or (unit is not None and value.unit == unit.name):
            kept[kept.index(twin)] = value
    return list(kept)


def _alike(a: Value, b: Value) -> bool:
    if a.unit is None or b.unit is None or a.unit == b.unit:
        return bool(set(a.readings()) & set(b.readings()))
    first, second = UNITS.get(a.unit), UNITS.get(b.unit)
    if first is None or second is None:
        return False
    there = [converted(number, first, second) for number in a.readings()]
    return any(
        t is not None and abs(t - w) <= abs(t) * _HALF_PERCENT for t in there for w in b.readings()
    )


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
    written = task.one("decimal")
    wanted, unit = quantity(written)
    if task.options.get("unit"):
        unit = _unit_named(str(task.options["unit"]))
    elif unit is None:
        unit = asked_unit(task.question)
    tolerance = Decimal(str(task.options.get("tolerance", 0)))
    if tolerance < 0:
        raise Misfit("tolerance is negative")
    scale = _asked_scale(task.question)
    find = finder(task.question, _unit_reader, exact=not tolerance)

    def fits(value: Hashable) -> bool:
        if not isinstance(value, Value):
            return False
        return _meets(value, wanted, unit, tolerance) or (
            scale is not None and _meets(value, wanted * scale, unit, tolerance)
        )

    settle, nearness = partial(_same, unit=unit), _errors(wanted, unit)
    return checking(find, fits, written, settle, question=task.question, nearness=nearness)


_IN_SCALE = pattern("in millions")
_IN_UNIT = pattern("asks for a unit")


def _asked_scale(question: Question) -> Decimal | None:
    found = _IN_SCALE.search(question.text)
    scales = {"thousand": 10**3, "million": 10**6, "billion": 10**9}
    return Decimal(scales[found[1].lower()]) if found else None


def quantity(written: str) -> tuple[Decimal, Unit | None]:
    """An expected number and its unit. Raises: Misfit."""
    found = numbers(written)
    if len(found) != 1 or written[: found[0].start].strip(" ~+-"):
        raise Misfit(f"{written!r} is not a number with or without a unit")
    measured = unit_at(written, found[0].end)
    rest = written[measured[1] if measured else found[0].end :].strip(" .")
    if rest:
        raise Misfit(f"{rest!r} in {written!r} is not a unit we know")
    return found[0].value, measured[0] if measured else None


def asked_unit(question: Question) -> Unit | None:
    """The unit that a question wants its answer in: "in inches"."""
    for match in _IN_UNIT.finditer(question.text):
        if measured := unit_at(question.text, match.end()):
            return measured[0]
    return None


def _unit_named(name: str) -> Unit:
    measured = unit_at(name, 0)
    if measured is None:
        raise Misfit(f"{name!r} is not a unit we know")
    return measured[0]


def _meets(value: Value, wanted: Decimal, unit: Unit | None, tolerance: Decimal) -> bool:
    readings = value.readings()
    if unit is None and value.unit == "%":
        readings.append(value.number / 100)
    said = UNITS.get(value.unit or "")
    if said is not None and unit is not None and said.name == "deg":
        said = None if unit.dimension == "temperature" else said
    if said is None or unit is None or said.name == unit.name:
        return any(abs(number - wanted) <= tolerance for number in readings)
    if (there := converted(value.number, said, unit)) is None:
        return False
    return abs(there - wanted) <= max(tolerance, abs(wanted) * Decimal("0.0005"))


_CURRENCY = {
    spelling: line.partition(": ")[0]
    for line in TABLES["currencies"].splitlines()
    for spelling in line.replace(": ", " ").split()
}
_PENCE = {"p": "gbp", "pence": "gbp", "penny": "gbp", "cent": "", "cents": "", "¢": "", "c": ""}
_NAMES = "|".join(sorted((w.replace("$", r"\$") for w in _CURRENCY), key=len, reverse=True))
_BEFORE = pattern(
    "currency in front", rf"(?:^|(?<![^\W\d_]))({_NAMES}) ?-?$", policy="a wrong currency fails"
)
_AFTER = pattern("currency behind", rf" ?-?(?:({_NAMES})|({'|'.join(_PENCE)}))(?!\w)", policy="58p")


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
    values = [_amount(written, number)[0] for number in numbers(written)]
    if len(values) != 1:
        raise Misfit(f"{written!r} is not one amount of money")
    wanted = values[0]
    said = (_CURRENCY[w] for w in sorted(task.question.words) if len(w) > 2 and w in _CURRENCY)
    currency = wanted.unit or str(task.options.get("currency", "")).lower() or next(said, None)
    find = finder(task.question, _currency_of)

    def find_money(text: str) -> list[Mention]:
        found = []
        for mention in find(text):
            value = mention.value
            assert isinstance(value, Value)
            if value.unit == "%":
                continue
            if (value.unit or "").startswith("1/100"):
                unit = (value.unit or "").removeprefix("1/100 ") or None
                value = Value(value.number / 100, None, unit)
            like = bool(value.unit or value.number != value.number.to_integral_value())
            found.append(mention._replace(value=value, weak=not like))
        return found

    def fits(value: Hashable) -> bool:
        if not isinstance(value, Value):
            return False
        same = not value.unit or not currency or value.unit == currency
        return same and bool(set(value.readings()) & set(wanted.readings()))

    nearness = _errors(wanted.number, None)
    return checking(find_money, fits, written, _same, question=task.question, nearness=nearness)


def _amount(text: str, number: Number) -> tuple[Value, int]:
    unit, _, end = _currency_of(text, number)
    if unit and unit.startswith("1/100"):
        return Value(number.value / 100, None, unit.removeprefix("1/100 ") or None), end
    return Value(number.value, number.other, unit), end


def _currency_of(text: str, number: Number) -> tuple[str | None, int, int]:
    head = text[max(0, number.start - 10) : number.start]
    if before := _BEFORE.search(head):
        return _CURRENCY[before[1].lower()], number.start - len(head) + before.start(1), number.end
    if (after := _AFTER.match(text, number.end)) and after[1]:
        return _CURRENCY[after[1].lower()], number.start, after.end()
    if after:
        return f"1/100 {_PENCE[after[2].lower()]}", number.start, after.end()
    if text[number.end : number.end + 2].lstrip().startswith("%"):
        return "%", number.start, number.end
    return None, number.start, number.end


INTEGER = Grader(name="integer", check=_integer)
DECIMAL = Grader(name="decimal", check=_decimal, options={"tolerance": (int, float), "unit": str})
MONEY = Grader(name="money", check=_money, options={"currency": str})
