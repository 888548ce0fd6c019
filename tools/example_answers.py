"""Write `harness/example-answers.jsonl`: replies to the built-in suite of every kind there is.

They are made up, not measured: right ones in several wordings, wrong ones, two refusals and two
that hit the token limit. `evalrun --replay example` grades them. Run it again when the suite
changes: `python -m tools.example_answers`.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness import suites
from harness.records import Case

OUT = Path(__file__).parent.parent / "harness" / "example-answers.jsonl"
MODEL = "example"
WORDINGS = (
    "{0}",
    "**{0}**",
    "Answer: {0}",
    "The answer is {0}.",
    "I looked at every part of the picture before answering.\n\nFinal answer: {0}",
)
REFUSAL = "I'm sorry, but I can't help with that picture."
CUT = "Let me go through the picture step by step. On the left there is a row of things, and"
EVERY = 5
"""One answer in so many is wrong."""
REFUSED, CUT_SHORT = (8, 41), (23, 56)


def reply(number: int, case: Case) -> dict[str, str]:
    if number in REFUSED:
        return {"response": REFUSAL, "finish_reason": "stop"}
    if number in CUT_SHORT:
        return {"response": CUT, "finish_reason": "length"}
    said = wrong(case) if number % EVERY == 3 else right(case)
    return {"response": WORDINGS[number % len(WORDINGS)].format(said), "finish_reason": "stop"}


def right(case: Case) -> str:
    return case.expected if isinstance(case.expected, str) else ", ".join(case.expected)


def wrong(case: Case) -> str:
    said = right(case)
    if case.grader == "yes_no":
        return {"yes": "no", "no": "yes"}[said.lower()]
    if "choices" in case.options:
        return next(it for it in case.options["choices"] if it != said)
    if case.grader in ("integer", "decimal"):
        return str(int(float(said)) + 9)
    return "R9C9" if case.grader == "position" else "17 or so"


def written() -> str:
    lines = [
        {"model": MODEL, "prompt": case.id} | reply(number, case)
        for number, case in enumerate(suites.load(None).cases)
    ]
    return "".join(json.dumps(it) + "\n" for it in lines)


def main() -> None:
    OUT.write_text(written(), encoding="utf-8")


if __name__ == "__main__":
    main()
