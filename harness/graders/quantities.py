"""Counts, numbers with a unit, amounts of money and dimensions: one reader of numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from harness.graders.decide import Check, Finder, Mention, Misfit, checking, one, only, require
from harness.graders.extract import Question, asked
from harness.graders.words import (
    LISTS,
    PHRASES,
    TABLES,
    any_of,
    content,
    pattern,
    stem,
    words,
)
from harness.records import Case

_SCALES = {"hundred": 100, "thousand": 10**3, "k": 10**3, "million": 10**6, "mn": 10**6, "m": 10**6}
_SCALES |= {"billion": 10**9, "bn": 10**9, "b": 10**9, "trillion": 10**12}
_WORDS = {word: value for value, word in enumerate(LISTS["ones"])} | {"dozen": 12}
_WORDS |= {ten: at * 10 for at, ten in enumerate(LISTS["tens"], 2)}
_ORDINALS = {word: at for at, word in enumerate(LISTS["ordinals"], 1)}
_ANY = any_of([*_WORDS, "a dozen", "hundred", "thousand", "million"])
_TAKES = {"integer": "a whole number", "money": "one amount of money"}
_OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
_FAR = r"(?:[- ](?:to[- ])?last\b|(?: \w+)?,? ?\(?(?:count(?:ed|ing) )?from (?:the )?(?:{}|end)\b)"
_MOST = Decimal(10) ** 24  # a number beyond it is a row of digits
_NONE, _SLACK, _ROUNDED = Decimal(0), Decimal("0.0005"), Decimal("0.002")
"""Shares by which a number, or a length, may differ that was converted from another unit."""


class Unit(NamedTuple):
    """A unit as a multiple of its dimension's base unit; temperatures have an offset."""

    name: str
    dimension: str
    factor: Decimal
    offset: Decimal = Decimal(0)


def _units(table: list[str]) -> dict[str, Unit]:
    spelled: dict[str, Unit] = {}
    for dimension, _, units in (line.partition(": ") for line in table):
        for entry in units.split(" | "):
            name, factor, *others = (word.replace("_", " ") for word in entry.split())
            unit = Unit(name, dimension, *map(Decimal, factor.split("+")))
            spelled |= dict.fromkeys((name, *others), unit)
    return spelled


UNITS, CURRENCIES = _units(TABLES["units"]), _units(TABLES["currencies"])
_SPELLED = pattern(
    rf"\b(?:(?:{_ANY})(?:[ -](?:and )?(?={_ANY})|, (?=[a-z]+ hundred)|\b))+", "numbers in words"
)
_UNIT = pattern(rf"[ -]?({any_of(UNITS)})(?:(?<=['\"])|(?![\w²³]))", "units")
_BEFORE = pattern(rf"(?:^|(?<![^\W\d_]))({any_of(CURRENCIES)}) ?-?$", "a wrong currency fails")
_AFTER = pattern(rf" ?-?({any_of(CURRENCIES)})(?!\w)", "58p, 5 euros")


class Quantity(NamedTuple):
    """What a number can mean (1.250 is 1250 too), and its unit."""

    meanings: tuple[Decimal, ...]
    unit: Unit | None = None

    @property
    def number(self) -> Decimal:
        return self.meanings[0]

    def off(self, wanted: Quantity) -> Decimal | None:
        """By how much it is above another one, in the unit of that; None when it cannot be."""
        own, unit, readings = self.unit, wanted.unit, [*self.meanings]
        if own and unit and own.name not in (unit.name, "deg"):
            if own.dimension not in (unit.dimension, "cent"):
                return None
            base = (n * own.factor + own.offset for n in self.meanings)
            readings = [(n - unit.offset) / unit.factor for n in base]
        if unit is None and own is UNITS["%"]:
            readings.append(self.number / 100)
        return min((n - t for n in readings for t in wanted.meanings), key=abs)

    def fits(self, wanted: Quantity, slack: Decimal = _SLACK, tolerance: Decimal = _NONE) -> bool:
        """Alike, or, in another unit, nearly so."""
        off, converted = self.off(wanted), self.unit and wanted.unit and self.unit != wanted.unit
        most = max(tolerance, abs(wanted.number) * slack if converted else _NONE)
        return off is not None and abs(off) <= most


def numbers(text: str, *, money: bool = False) -> list[Mention]:
    """The quantities in a text; with `money` their units are currencies."""
    digits = PHRASES["numbers in digits, fractions, 1.5 x 10^5, 2.5 million, 3k"].finditer(text)
    found = [(*match.span(), _in_digits(match)) for match in digits]
    found += [(*match.span(), _in_words(text, match)) for match in _SPELLED.finditer(text)]
    mentions = []
    for start, number_end, meanings in sorted(found):
        unit, end = unit_at(text, number_end, money=money)
        if money and (before := _BEFORE.search(text[max(0, start - 10) : start])):
            start, unit = start - len(before[0]), CURRENCIES[before[1].lower()]
        known = meanings and abs(meanings[0]) < _MOST
        if known and (unit or not text[end : end + 1].isalpha()):
            mentions.append(Mention(start, end, Quantity(meanings, unit)))
    return mentions


def unit_at(text: str, at: int, *, money: bool = False) -> tuple[Unit | None, int]:
    """The unit that stands at a place in a text, and where it ends."""
    match = (_AFTER if money else _UNIT).match(text, at)
    table = CURRENCIES if money else UNITS
    return (table[match[1].lower()], match.end()) if match else (None, at)


def _in_digits(match: re.Match[str]) -> tuple[Decimal, ...]:
    said = match.groupdict(default="")
    meanings = parsed(said["head"])
    scale = _SCALES.get((said["scale"] or said["letter"]).lower(), 1)
    if scale != 1 or said["power"]:
        power = int(said["exponent"] or said["power"][1:] or 0)
        meanings = (meanings[0].scaleb(power) * scale,)
    if said["under"]:
        under, mixed = Decimal(said["under"]), Decimal(said["mixed"].lstrip(" -") or 0)
        top = meanings[0] * under + mixed if mixed else meanings[0]
        return (top / under,) if under else ()
    return meanings


def parsed(written: str) -> tuple[Decimal, ...]:
    """What a number in digits can mean."""
    plain = re.sub("[ ']", "", written).rstrip(".,")
    marks, whole = re.findall("[.,]", plain), Decimal(re.sub("[.,]", "", plain))
    if not marks or marks.count(marks[-1]) > 1:
        return (whole,)
    part = whole.scaleb(plain.rindex(marks[-1]) - len(plain) + 1)  # the last one is a decimal mark
    if len(marks) > 1 or not re.fullmatch(r"[-+]?[1-9]\d*[.,]\d{3}", plain):
        return (part,)
    return (whole,) if "," in plain else (part, whole)


def _in_words(text: str, match: re.Match[str]) -> tuple[Decimal, ...]:
    said = match[0].lower()
    other = said == "one" and PHRASES['"the other one" is no number'].search(text, 0, match.end())
    if other or said in _SCALES or text[match.end() : match.end() + 1] == "-":
        return ()
    total = current = 0
    for word in re.split(r"[ ,-]+(?:and )?", said.replace("a dozen", "dozen")):
        scale = _SCALES.get(word, 1)
        current = (current or 1) * scale if scale > 1 else current + _WORDS.get(word, 0)
        if scale > 100:
            total, current = total + current, 0
    return (Decimal(total + current),)


def ordinals(text: str, things: Set[str] = frozenset()) -> list[Mention]:
    """Places in a row: the fourth jar is jar 4; with `things`, stems, only places of these."""
    found = []
    for it in PHRASES["3rd, third"].finditer(text):
        clause = re.split("[,;(]|while", text[it.end() :])[0]
        doubt = PHRASES["an ordinal in doubt"].search(clause) or re.search(
            r"\bor\b|maybe|probably|could", text
        )
        beside = PHRASES["next to"].search(text, 0, it.start())
        if not things or stem((it["thing"] or "").lower()) in things:
            value = Quantity((Decimal(ordinal(it["place"])),))
            hedge = text if doubt or beside else None
            found.append(Mention(*it.span("place"), value, hedge, weak=not things))
    return found


def ordinal(written: str) -> int:
    """Of "3rd", "third" or "three"."""
    digits, word = re.sub(r"\D", "", written), written.lower()
    return int(digits) if digits else _ORDINALS.get(word) or _WORDS[word]


def as_quantity(written: str) -> Quantity | None:
    """A text that is nothing but a number, with or without a unit."""
    found = numbers(written)
    rest = "".join((written[: m.start].strip(" ~+-") + written[m.end :].strip(" .")) for m in found)
    return found[0].value if len(found) == 1 and not rest else None


def counted(question: str) -> frozenset[str]:
    """Stems of what "how many" asks for."""
    found = [match[1] for match in PHRASES["what is counted"].finditer(asked(question).text)]
    noun = [word for word in words(found[-1]) if not word.isdigit()] if found else []
    ends = [at for at, word in enumerate(noun, 1) if PHRASES["plurals"].fullmatch(word)]
    return frozenset(map(stem, noun[: ends[0] if ends else None]))


def approximate(text: str, found: Sequence[Mention]) -> list[Mention]:
    """With the words that make a number uncertain: "about 5", "5 or more"."""
    hedged = []
    for m in found:
        before = PHRASES["a hedge fails: about 5"].search(text, max(0, m.start - 24), m.start)
        after = PHRASES["a hedge fails: 5 or more"].match(text, m.end)
        start, end = before.start() if before else m.start, after.end() if after else m.end
        hedged.append(m._replace(hedge=text[start:end]) if before or after else m)
    return hedged


class _Asked(NamedTuple):
    """What a question says of the number that it asks for."""

    question: Question
    numbers: frozenset[Decimal]
    counted: frozenset[str]  # stems of what "how many" counts
    named: frozenset[str]  # stems of the noun behind "which"
    lacking: bool  # how many have none
    far: re.Pattern[str] | None  # the side from which is not counted
    codes: re.Pattern[str] | None  # in front of a number: X2 in "X2:3"


def _what_is_asked(question: Question, counts: bool) -> _Asked:
    text, said = question.text, question.words
    nouns = PHRASES["which one of a row"].findall(text)
    many = PHRASES["how many, up to a comma"].findall(text)
    side = PHRASES["counted from a side"].search(text)
    codes = any_of(word for word in said if re.search(r"\d", word) and word[0].isalpha())
    return _Asked(
        question=question,
        numbers=frozenset(m.value.number for m in numbers(text)),
        counted=(counted(text) or frozenset("?")) if counts else frozenset[str](),
        named=frozenset(it for noun in nouns for it in content(noun.lower())) - {"one", "on"},
        lacking=bool(many and PHRASES["without one"].search(many[-1])),
        far=re.compile(_FAR.format(_OPPOSITE[side[1].lower()]), re.IGNORECASE) if side else None,
        codes=re.compile(rf"\b(?:{codes})[:./-](?=\d)", re.IGNORECASE) if codes else None,
    )


def _relevant(text: str, found: list[Mention], about: _Asked) -> list[Mention]:
    """Of several numbers those of what was asked, and none out of the question."""
    total, joint = PHRASES["7 out of the 8 is 7"], PHRASES["5 and 6, 5 to 6 are two answers"]
    found = [m for m in found if not total.search(text[: m.start])] or found
    if any(joint.fullmatch(text[a.end : b.start]) for a, b in pairwise(found)):
        return found
    found = [m for m in found if m.value.number not in about.numbers] or found
    before = [stem(["", *words(text[: m.start])][-1]) for m in found]
    if named := [m for m, noun in zip(found, before, strict=True) if noun in about.named]:
        return named
    return _counting(text, found, about)


def _counting(text: str, found: list[Mention], about: _Asked) -> list[Mention]:
    """Those of the things that the question counts, and not of their opposites: "64 larger ones and
    30 smaller", "larger: 64, smaller: 30", "3 with helmets, 2 without", "5, 3 of whom wear one"."""
    said = []
    for m, end in zip(found, [*(m.start for m in found[1:]), len(text)], strict=True):
        label = PHRASES["a label: its number"].search(text[: m.start])
        said.append(label[1] if label else re.split("[,;.] |[(]", text[m.end : end])[0])
    nouns = [PHRASES["where what a number counts ends"].split(it[:50])[0] for it in said]
    counts = [len(about.counted.intersection(map(stem, words(it)[:4]))) for it in nouns]
    shared = [len(about.question.stems.intersection(map(stem, words(it)))) for it in said]
    scores = [2 * n + count for n, count in zip(shared, counts, strict=True)]
    sums = [bool(PHRASES["124 in total"].match(text, m.end)) for m in found]
    if any(sums):  # is the answer, unless a part is: "24 in total, 5 of them broken"
        most = max((n for n, total in zip(scores, sums, strict=True) if not total), default=0)
        whole = max(n for n, total in zip(scores, sums, strict=True) if total)
        part = most > whole or (0 < most == whole and not sums[-1])
        scores = [n if total != part else -1 for n, total in zip(scores, sums, strict=True)]
    elif any(PHRASES["3 of whom"].match(it) for it in said):
        scores = shared
    else:
        scores = [-1 if _against(it, about) else n for it, n in zip(said, counts, strict=True)]
    return [m for m, score in zip(found, scores, strict=True) if score == max(scores)]


def _against(said: str, about: _Asked) -> bool:
    """Whether it speaks of the opposite of what is counted."""
    lacking = bool(PHRASES["without one"].search(said))
    if lacking or about.lacking:
        return lacking != about.lacking
    return bool(about.question.opposites.intersection(words(said)))


def _finder(case: Case, *, exact: bool) -> Finder:
    """Finds the quantities that may be the answer, also that there are none, or a single one, of
    what is counted; with `exact`, "about 5" is a hedge."""
    question, counts = asked(case.question), case.grader == "integer"
    about = _what_is_asked(question, counts)
    rough = not exact or PHRASES["an answer may be as rough as its question"].search(question.text)
    in_a_row = counts and PHRASES["which one of a row"].search(question.text)

    def near(found: list[Mention], text: str) -> list[Mention]:
        """Without what is counted from the other side."""
        return [m for m in found if not (about.far and about.far.match(text, m.end))]

    def find(text: str) -> list[Mention]:
        if about.codes:
            text = about.codes.sub(lambda code: " " * len(code[0]), text)
        found = near(numbers(text, money=case.grader == "money"), text)
        digits = any(text[m.start].isdigit() for m in found)  # "the third year, 2019"
        by_name = in_a_row and about.named and not digits
        if by_name and (places := near(ordinals(text, about.named), text)):
            return places
        found = found if rough else approximate(text, found)
        if len({m.value for m in found}) > 1:
            found = _relevant(text, found, about)
        unsaid = PHRASES["no dents are 0, a single dent is 1"]
        for match in unsaid.finditer(text) if counts else ():
            said = {*map(stem, words(text[match.end() :][:60])[:4])}
            none = match["none"] or match["not"] or match["nothing"]
            one_of = not found and about.counted & said
            if match["nothing"] or (about.counted <= said if none else one_of):
                return [Mention(*match.span(), Quantity((Decimal(0 if none else 1),)))]
        return found or (near(ordinals(text), text) if in_a_row else [])

    return find


def number(case: Case) -> Check:
    """A count ("no dents" are 0), a number with or without a unit, or an amount of money."""
    wanted, tolerance = _wanted(case), Decimal(str(case.options.get("tolerance", 0)))
    if wanted is None:
        named = case.options.get("unit") or one(case)
        raise Misfit(f"{named!r} is not {_TAKES.get(case.grader, 'a number in a unit we know')}")
    require(tolerance >= 0, "tolerance is negative")
    if scale := PHRASES["asks for millions"].search(case.question):
        scaled = (n * _SCALES[scale[1].lower()] for n in wanted.meanings)
        wanted = wanted._replace(meanings=(*wanted.meanings, *scaled))

    def measure(value: Quantity) -> tuple[str, dict[str, float]]:
        off, size = value.off(wanted), abs(wanted.number)
        if off is None:
            return "", {}
        relative = {"relative_error": float(abs(off) / size)} if size else {}
        return f"off by {float(off):+.9g}, ", {"error": float(abs(off))} | relative

    return checking(
        case,
        _finder(case, exact=not tolerance),
        lambda value: value.fits(wanted, tolerance=tolerance),
        measure,
        lambda value: value.fits(wanted, 10 * _SLACK),
    )


def _wanted(case: Case) -> Quantity | None:
    """The expected number, in the unit that its case or question asks for."""
    question, money = asked(case.question), case.grader == "money"
    found = numbers(one(case), money=money)
    value = as_quantity(one(case)) if not money else found[0].value if len(found) == 1 else None
    given = str(case.options.get("unit") or case.options.get("currency") or "")
    unit, _ = unit_at(given, 0, money=money)
    if value is None or (given and unit is None and not money):
        return None
    if case.grader == "integer":
        whole = [n for n in value.meanings if not n % 1 and not value.unit]
        return Quantity((whole[0],)) if whole else None
    if money:
        named = (word for word in sorted(question.words) if len(word) > 2 and word in CURRENCIES)
        units = [value.unit, unit, *map(CURRENCIES.get, named)]
    else:
        ends = (m.end() for m in PHRASES["asks for inches"].finditer(question.text))
        units = [unit, value.unit, *(unit_at(question.text, end)[0] for end in ends)]
    return Quantity(value.meanings[:1], next(filter(None, units), None))


def dimensions(case: Case) -> Check:
    """Several lengths, or one with its unit; converted ones to 0.2 %."""
    least = 2 if dimensions_in(one(case)) else 1
    wanted = only(dimensions_in(one(case), least), case, "one set of dimensions")

    def fits(said: tuple[Quantity, ...]) -> bool:
        pairs = zip(said, wanted, strict=False)
        return len(said) == len(wanted) and all(a.fits(b, _ROUNDED) for a, b in pairs)

    return checking(case, lambda text: dimensions_in(text, least), fits)


def dimensions_in(text: str, least: int = 2) -> list[Mention]:
    """Runs of at least so many lengths; a single one needs its unit."""
    text = re.sub("[xX*](?= ?[0-9])", "&", text)
    runs: list[list[Mention]] = []
    for length in numbers(text):
        last = runs[-1][-1] if runs else Mention(0, 0, Quantity((Decimal(0),)))
        between, unit = text[last.end : length.start], length.value.unit
        feet = last.value.unit == UNITS["ft"] and unit in (UNITS["in"], None)
        if feet and re.fullmatch("[ ,-]{0,3}", between):  # 11'-8" holds no negative number
            whole = Quantity((last.value.number + abs(length.value.number) / 12,), UNITS["ft"])
            runs[-1][-1] = Mention(last.start, length.end, whole)
        elif runs and PHRASES["one length by another"].fullmatch(between):
            runs[-1].append(length)
        elif unit is None or unit.dimension == "length":
            runs.append([length])
    found = []
    for run in runs:
        unit = next((it.value.unit for it in reversed(run) if it.value.unit), None)
        if len(run) >= least and (len(run) > 1 or unit):
            sizes = (it.value._replace(unit=it.value.unit or unit) for it in run)
            found.append(Mention(run[0].start, run[-1].end, tuple(sizes)))
    return approximate(text, found)
