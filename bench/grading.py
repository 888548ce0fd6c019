"""How fast replies are graded: 100,000 short replies over cases of every grader, one process."""

from __future__ import annotations

import time
from itertools import cycle, islice

from harness.graders import grade, infer
from harness.records import Case

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
    """Print the rate, and how each kind of answer does."""
    pairs = []
    for question, expected, replies in KINDS:
        grader, options = infer(question, expected)
        case = Case(
            id=question,
            category="bench",
            question=question,
            image="none",
            expected=expected,
            grader=grader,
            options=options,
        )
        pairs += [(case, reply) for reply in replies]
        spent_us = _microseconds([(case, reply) for reply in replies], 3_000)
        print(f"{grader:14}{spent_us:8.1f} us a reply")
    started = time.process_time()
    for case, reply in islice(cycle(pairs), REPLIES):
        grade(case, reply)
    spent_s = time.process_time() - started
    print(f"{REPLIES:,} replies in {spent_s:.2f} s of processor time")


def _microseconds(pairs: list[tuple[Case, str]], count: int) -> float:
    started = time.process_time()
    for case, reply in islice(cycle(pairs), count):
        grade(case, reply)
    return 1e6 * (time.process_time() - started) / count


if __name__ == "__main__":
    main()
