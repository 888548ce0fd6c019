"""How well and how fast replies are graded: agreement with readers, patterns that matter, speed.

`python -m bench.grading [GOLD.jsonl ...] [--set NAME] [--ablate]`: the files hold question,
reference, response and label, as `evalrun audit` reads them; without one, those of a folder
`gold` in a folder beside the checkout.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import cycle, islice
from pathlib import Path

from harness import suites
from harness.errors import SuiteError
from harness.graders import grade, infer
from harness.graders.audit import Labelled, audit, decoded
from harness.graders.words import PATTERNS, LazyPattern
from harness.records import Case
from harness.suites.lint import answer_of
from tests.graders.test_wordings import WORDINGS

ROOT = Path(__file__).parents[1]
REPLIES = 100_000
KINDS = (
    ("How many forks are on the table?", "7", ("7", "There are 7 forks on the table.", "Eight.")),
    ("Is the valve open? Return only yes or no.", "No", ("No.", "yes", "No, the valve is closed.")),
    ("What colour is the cable?", "orange", ("orange", "The cable is orange.", "Red")),
    ("What is the price? Answer like $1.00", "$47.15", ("$47.15", "Total: $47.15", "47.51")),
    ("What is the serial number?", "X7B-0419K", ("X7B-0419K", "x7b 0419k", "X7B-O419K")),
    ("Where is the hole?", "top left", ("top left", "The upper left corner.", "left")),
    ("What date is it?", "March 4 2021", ("March 4 2021", "2021-03-04", "4 May 2021")),
    ("What is the brand of the drill?", "Makita", ("Makita", "It's a Makita drill.", "Bosch")),
    ("What does the sign say?", "Mind the closing gate", ("Mind the closing gate", "Mind the gap")),
    ("What does the scale show?", "2.45 kg", ("2.45 kg", "2450 g", "2.54 kg")),
)


def main() -> None:
    """Print agreement with each file, then the speed; with --ablate what each pattern changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gold", nargs="*", type=Path)
    parser.add_argument("--set", help="only lines whose field `set` is this")
    parser.add_argument("--ablate", action="store_true")
    given = parser.parse_args()
    found = sorted(ROOT.parent.glob("*/gold/*.jsonl"))
    answers = [answer for path in given.gold or found for answer in _answers(path, given.set)]
    if given.ablate:
        _ablate(answers)
    else:
        _speed()


def _answers(path: Path, wanted: str | None) -> list[Labelled]:
    lines = path.read_bytes().splitlines()
    of_set = [it for it in lines if wanted is None or json.loads(it).get("set", wanted) == wanted]
    answers = [decoded(line, Labelled) for line in of_set]
    tally = audit(answers).by_answers["evalrun"]
    wrong = f"{tally.wrong_pass} wrong passes, {tally.wrong_fail} wrong fails"
    print(f"{path.name}: {100 * tally.agreement:.2f} % of {tally.total} answers, {wrong}")
    return answers


def _ablate(answers: list[Labelled]) -> None:
    """Switch each pattern off in turn; say what that changes."""
    pairs = [(_case(it.question, str(it.reference)), it.response or "") for it in answers]
    for case in suites.load(ROOT / "prompts").cases:
        pairs += [(case, wording.format(answer=answer_of(case))) for wording in WORDINGS]
    before = _verdicts(pairs)
    idle = 0
    for pattern in PATTERNS:
        source, note, flags = pattern.source, pattern.note, pattern.flags
        _replace(pattern, LazyPattern(f"(?!)(?:{source})", note, flags))  # matches nothing
        changed = sum(a != b for a, b in zip(before, _verdicts(pairs), strict=True))
        _replace(pattern, LazyPattern(source, note, flags))
        idle += not changed
        print(f"{changed or 'no'} verdicts: {pattern.note}")
    print(f"{idle} of {len(PATTERNS)} patterns change none of {len(pairs)} verdicts")


def _replace(pattern: LazyPattern, by: LazyPattern) -> None:
    """With what it compiled; modules hold the pattern itself."""
    vars(pattern).clear()
    vars(pattern).update(vars(by))


def _verdicts(pairs: list[tuple[Case, str]]) -> list[bool | None]:
    for name, module in list(sys.modules.items()):
        for value in vars(module).values() if name.startswith("harness.graders") else ():
            if hasattr(value, "cache_clear"):
                value.cache_clear()
    return [_verdict(case, said) for case, said in pairs]


def _verdict(case: Case, said: str) -> bool | None:
    """None when the case cannot be graded at all."""
    try:
        return grade(case, said).passed
    except SuiteError:
        return None


def _case(question: str, expected: str) -> Case:
    grader, options = infer(question, expected)
    return Case(
        id=question,
        category="bench",
        question=question,
        image="none",
        expected=expected,
        grader=grader,
        options=options,
    )


def _speed() -> None:
    """The rate; replies differ by spaces, more of them than are kept taken apart."""
    pairs = [(_case(question, right), it) for question, right, said in KINDS for it in said]
    started = time.process_time()
    for at, (case, reply) in enumerate(islice(cycle(pairs), REPLIES)):
        grade(case, reply + " " * (at // len(pairs) % 12))
    spent_s = time.process_time() - started
    print(f"{REPLIES:,} replies in {spent_s:.2f} s of processor time")


if __name__ == "__main__":
    main()
