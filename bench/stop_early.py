"""How often `sweep --stop-early` ends a cell wrongly, and what it saves.

    python -m bench.stop_early [--sweeps 2000]

Simulated sweeps of six cells, each of which passes a prompt with the chance of its true score. On a
share of the prompts (`alike`) all cells have the same luck, as quantizations of one model do.
Wrong: any cell ended in a sweep whose cells all have the same true score. Saved: share of the calls
of five cells that are truly 20 points worse than the first, and of the whole sweep.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

import numpy as np

from harness.records import Case, Record, Reply, Verdict
from harness.sweep.early import EarlyStop

CELLS, SCORE, WORSE = 6, 0.7, 0.5
CASE = Case(id="", category="c", question="q", image="", expected="yes", grader="yes_no")
NOW, REPLY = datetime.now(UTC), Reply(text="")


def cases(prompts: int) -> list[Case]:
    return [
        Case(
            id=str(it), category="c", question="q", image=f"{it}.png", expected="x", grader="choice"
        )
        for it in range(prompts)
    ]


def verdicts(random: np.random.Generator, scores: list[float], prompts: int, alike: float):
    """A row a cell: which prompts pass. `alike` is the share of prompts whose luck is common."""
    shared = random.random(prompts)
    common = random.random(prompts) < alike
    own = random.random((len(scores), prompts))
    luck = np.where(common, shared, own)
    return luck < np.array(scores)[:, None]


def swept(suite: list[Case], passed: np.ndarray) -> list[int]:
    """How many prompts each cell was asked, the cells in turn."""
    earlier: list[dict[str, float] | None] = []
    asked = []
    for row in passed:
        early = EarlyStop(suite, earlier, cells=len(passed))
        order = [id_ for ids in early._pictures for id_ in ids]
        count = 0
        for id_ in order:
            verdict = Verdict(passed=bool(row[int(id_)]), answer=None, reason="")
            case = suite[int(id_)]
            early.add([Record(case=case, outcome=REPLY, verdict=verdict, started_at=NOW)])
            count += 1
            if early.is_worse:
                break
        asked.append(count)
        whole = {case.id: float(row[at]) for at, case in enumerate(suite)}
        earlier.append(whole if count == len(suite) and not early.is_worse else None)
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sweeps", type=int, default=1000)
    sweeps = parser.parse_args().sweeps
    random = np.random.default_rng(14)
    print("prompts  alike  wrong sweeps   saved of the worse  saved of the sweep")
    for prompts in (67, 150, 300, 600):
        suite = cases(prompts)
        for alike in (0.0, 0.5, 0.8):
            equal = [SCORE] * CELLS
            wrong = sum(
                min(swept(suite, verdicts(random, equal, prompts, alike))) < prompts
                for _ in range(sweeps)
            )
            unequal = [SCORE] + [WORSE] * (CELLS - 1)
            asked = np.mean(
                [
                    swept(suite, verdicts(random, unequal, prompts, alike))
                    for _ in range(sweeps // 10)
                ],
                axis=0,
            )
            worse = 1 - asked[1:].sum() / (prompts * (CELLS - 1))
            whole = 1 - asked.sum() / (prompts * CELLS)
            print(
                f"{prompts:7}  {alike:5.1f}  {wrong / sweeps:11.1%}   {worse:18.0%}  {whole:18.0%}"
            )


if __name__ == "__main__":
    main()
