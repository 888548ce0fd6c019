"""Lettered options in another order: whether a model reads them, or likes a place."""

from __future__ import annotations

import operator
import random
import re
from collections.abc import Sequence

from msgspec.structs import replace

from harness.errors import UsageError
from harness.records import Case

_OPTION = re.compile(r"^([ \t]*\(?)([A-Z])([.):][ \t]+)(\S.*?)([ \t]*)$", re.MULTILINE)
_OF_OTHERS = re.compile(r"\babove\b|\bboth\b|\bneither\b|\b[A-Z] (?:and|or) [A-Z]\b")
"""Options that speak of others stay where they are, and so does the whole list."""


def in_other_order(cases: Sequence[Case], seed: int) -> tuple[Case, ...]:
    """Raises: UsageError when no question lists options."""
    found = tuple(shuffled(case, seed) for case in cases)
    if all(map(operator.is_, found, cases)):
        raise UsageError(
            "--shuffle-options: no question lists options with letters, a line each",
            fix="leave it out, or choose other questions",
        )
    return found


def shuffled(case: Case, seed: int) -> Case:
    """The case with its options in an order drawn with `seed`; as it is, where it lists none.

    >>> case = Case(id="a", category="c", question="Which?\\nA. nuts\\nB. bolts", image="i.png",
    ...             expected="B", grader="choice", options={"choices": ["nuts", "bolts"]})
    >>> turned = shuffled(case, 4)
    >>> turned.question, turned.expected, turned.options
    ('Which?\\nA. bolts\\nB. nuts', 'A', {'choices': ['bolts', 'nuts']})
    """
    found = list(_OPTION.finditer(case.question))
    letters, texts = [it[2] for it in found], [it[4] for it in found]
    alphabet = [chr(ord("A") + at) for at in range(len(found))]
    if len(found) < 2 or letters != alphabet or any(map(_OF_OTHERS.search, texts)):
        return case
    order = random.Random(f"{seed} {case.id}").sample(range(len(found)), len(found))  # noqa: S311
    put = iter(order)
    new = {letters[old]: letters[place] for place, old in enumerate(order)}
    expected, options = case.expected, dict(case.options)
    # a letter moves; an option's own words stay
    moved = [new.get(it, it) for it in ([expected] if isinstance(expected, str) else expected)]
    if options.get("choices") == texts:
        options["choices"] = [texts[at] for at in order]
    return replace(
        case,
        question=_OPTION.sub(lambda it: f"{it[1]}{it[2]}{it[3]}{texts[next(put)]}", case.question),
        expected=moved[0] if isinstance(expected, str) else tuple(moved),
        options=options,
    )
