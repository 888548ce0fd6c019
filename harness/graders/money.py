"""Amounts of money: the same amount, and the same currency where one is said."""

from __future__ import annotations

import re
from collections.abc import Hashable

from harness.graders.kinds import Check, Grader, Misfit, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.measures import same_number
from harness.graders.numbers import Number, numbers, parsed
from harness.graders.quantities import Value, finder
from harness.graders.reading import About, Finder, Mention, Said, decide
from harness.records import Verdict

_CURRENCIES = """
usd: $ us$ usd dollar dollars
gbp: £ gbp pound pounds quid sterling
eur: € eur euro euros
jpy: ¥ jpy yen
cny: cny rmb yuan
inr: ₹ inr rupees rupee
chf: chf francs
sek: sek
nok: nok
dkk: dkk
cad: cad c$
aud: aud a$
pln: pln zł
czk: czk
krw: ₩ krw
brl: r$ brl
rub: ₽ rub
try: ₺
mxn: mxn
sgd: sgd
hkd: hkd
"""
_CURRENCY = {
    spelling: line.partition(":")[0]
    for line in _CURRENCIES.strip().splitlines()
    for spelling in line.partition(":")[2].split()
}
_PENCE = {"p": "gbp", "pence": "gbp", "penny": "gbp", "cent": "", "cents": "", "¢": "", "c": ""}
_PENNIES = "hundredth of "
_WORDS = "|".join(re.escape(word) for word in sorted(_CURRENCY, key=len, reverse=True))
_BEFORE = lazy(rf"(?:^|(?<![^\W\d_]))({_WORDS}) ?-?$", re.IGNORECASE)
_AFTER = lazy(rf" ?-?(?:({_WORDS})|({'|'.join(_PENCE)}))(?![\w])", re.IGNORECASE)


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
    written = one(task.expected, "money")
    found = _money_in(written)
    if len(found) != 1:
        raise Misfit(f"{written!r} is not one amount of money")
    wanted = found[0]
    currency = (
        wanted.unit or str(task.options.get("currency", "")).lower() or _asked_currency(task.about)
    )
    find = _in_whole_currency(finder(task.about, _currency_reader))

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, find, _amounts)
        value = reading.value
        if not isinstance(value, Value):
            return unread(reading)
        fits = not value.unit or not currency or value.unit == currency
        return judged(fits and wanted.number in (value.number, value.other), reading, written)

    return check


def _in_whole_currency(find: Finder) -> Finder:
    """58p as 0.58 pounds."""

    def find_all(text: str) -> list[Mention]:
        found = [m._replace(value=_whole(m.value)) for m in find(text)]
        return [m for m in found if _like_money(m.value)] or found

    return find_all


def _amounts(values: tuple[Hashable, ...]) -> tuple[Hashable, ...]:
    return same_number(tuple(v for v in values if _like_money(v)) or values)


def _like_money(value: Hashable) -> bool:
    """ "3 for 2" beside "0.65 GBP" is no amount."""
    if not isinstance(value, Value):
        return False
    # Not `% 1`, which a number of thirty digits does not survive.
    return value.unit is not None or value.number != value.number.to_integral_value()


def _whole(value: Hashable) -> Hashable:
    if not isinstance(value, Value) or not (value.unit or "").startswith(_PENNIES):
        return value
    return Value(value.number / 100, None, (value.unit or "").removeprefix(_PENNIES) or None)


def _money_in(written: str) -> list[Value]:
    found = []
    for number in numbers(written):
        read = _currency_reader(written, number)
        if read is not None:
            value, other = (
                parsed(written[number.start : number.end])
                if not number.spelled
                else (number.value, None)
            )
            found.append(Value(value or number.value, other, read[0]))
    return [value for value in map(_whole, found) if isinstance(value, Value)]


def _asked_currency(about: About) -> str:
    return next(
        (_CURRENCY[word] for word in sorted(about.words) if word in _CURRENCY and len(word) > 2), ""
    )


def _currency_reader(text: str, number: Number) -> tuple[str | None, int] | None:
    before = _BEFORE.search(text[max(0, number.start - 10) : number.start])
    if before:
        return _CURRENCY[before[1].lower()], number.end
    after = _AFTER.match(text, number.end)
    if after and after[1]:
        return _CURRENCY[after[1].lower()], after.end()
    if after:
        return _PENNIES + _PENCE[after[2].lower()], after.end()
    percent = text[number.end : number.end + 2].lstrip().startswith("%")
    return None if number.glued or percent else (None, number.end)


MONEY = Grader(name="money", check=_money, options={"currency": str})
