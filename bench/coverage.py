"""How often the intervals hold the truth: `python -m bench.coverage`.

Wilson and Newcombe by enumerating every possible outcome, so the figures are exact; the bootstrap
by redrawing suites of pictures. Minutes, not seconds: nothing here is needed by the tests.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from scipy.stats import binom, multinomial

from harness import stats

SIZES = (9, 15, 67)
SHARES = np.linspace(0.05, 0.95, 1801)
NEEDED_MEAN = 0.945


def wilson(asked: int) -> np.ndarray:
    """Exact coverage at each share."""
    intervals = [stats.wilson_interval(passed, asked) for passed in range(asked + 1)]
    return np.array([_weight_inside(intervals, share, asked) for share in SHARES])


def _weight_inside(intervals: list[stats.Interval], share: float, asked: int) -> float:
    chances = binom.pmf(np.arange(asked + 1), asked, share)
    return float(chances[[interval.contains(share) for interval in intervals]].sum())


def newcombe_unpaired(asked: int) -> np.ndarray:
    """Exact coverage over a grid of two shares."""
    counts = range(asked + 1)
    bounds = np.array([[stats.newcombe(x, asked, y, asked) for y in counts] for x in counts])
    shares = SHARES[::60]
    chances = {share: binom.pmf(np.arange(asked + 1), asked, share) for share in shares}
    return np.array(
        [
            np.outer(chances[one], chances[two])[_inside(bounds, one - two)].sum()
            for one in shares
            for two in shares
        ]
    )


def newcombe_paired(asked: int) -> np.ndarray:
    """Exact coverage over a grid of (first only, second only, both among the rest)."""
    tables = np.array(list(_tables(asked)))
    bounds = np.array([_paired_interval(*table) for table in tables.tolist()])
    covered = []
    for first in (0.02, 0.05, 0.1, 0.2, 0.3):
        for second in (0.02, 0.05, 0.1, 0.2, 0.3):
            for both in (0.2, 0.5, 0.8):
                rest = 1 - first - second
                shares = [both * rest, first, second, (1 - both) * rest]
                chances = multinomial.pmf(tables, asked, shares)
                covered.append(chances[_inside(bounds, first - second)].sum())
    return np.array(covered)


def _tables(asked: int) -> Iterator[tuple[int, int, int, int]]:
    for both in range(asked + 1):
        for first in range(asked + 1 - both):
            for second in range(asked + 1 - both - first):
                yield both, first, second, asked - both - first - second


def _paired_interval(both: int, first: int, second: int, neither: int) -> stats.Interval:
    return stats.newcombe_paired({(1, 1): both, (1, 0): first, (0, 1): second, (0, 0): neither})


def _inside(bounds: np.ndarray, truth: float) -> np.ndarray:
    slack = 1e-12  # a bound that is the truth but for rounding holds it
    return (bounds[..., 0] <= truth + slack) & (truth - slack <= bounds[..., 1])


def bootstrap(pictures: int, *, suites: int = 1_000) -> np.ndarray:
    """Share of simulated suites whose interval holds the true difference, by effect and likeness.

    A picture carries one to three questions. Its questions share a difficulty with weight `alike`,
    which makes their differences fall together.
    """
    rng = np.random.default_rng(67)
    covered = []
    for effect in (0.0, 0.1, 0.25):
        for alike in (0.0, 0.5, 0.9):
            hits = [_bootstrap_holds(rng, pictures, effect, alike) for _ in range(suites)]
            covered.append(np.mean(hits))
    return np.array(covered)


def _bootstrap_holds(rng: np.random.Generator, pictures: int, effect: float, alike: float) -> bool:
    clusters = []
    for size in rng.integers(1, 4, size=pictures):
        shared = rng.random()
        draws = np.where(rng.random(size) < alike, shared, rng.random(size))
        better, worse = 0.15 + effect / 2, 0.15 - effect / 2
        differences = (draws < better).astype(int) - (draws > 1 - worse).astype(int)
        clusters.append((int(differences.sum()), int(size)))
    interval = stats.cluster_bootstrap(clusters, draws=2_000)
    return interval is not None and bool(_inside(np.array([interval]), effect)[0])


def false_alarms(asked: int) -> np.ndarray:
    """How often exact McNemar says p < 0.05 of two models that are equally good."""
    return np.array([stats.mcnemar_power(asked, half, half) for half in np.linspace(0.02, 0.3, 15)])


MEASURES: dict[str, tuple[Callable[[int], np.ndarray], tuple[int, ...]]] = {
    "Wilson interval": (wilson, SIZES),
    "Newcombe, unpaired": (newcombe_unpaired, SIZES),
    "Newcombe, paired": (newcombe_paired, SIZES),
    "cluster bootstrap (n pictures)": (bootstrap, (15, 30, 67)),
}


def main() -> int:
    print("| 95 % interval | n | mean coverage | lowest |\n|---|---|---|---|")
    started, honest = time.perf_counter(), True
    for name, (measure, sizes) in MEASURES.items():
        for size in sizes:
            coverage = measure(size)
            honest &= name != "Wilson interval" or coverage.mean() >= NEEDED_MEAN
            print(f"| {name} | {size} | {coverage.mean():.2%} | {coverage.min():.2%} |", flush=True)
    print("\n| false alarms of exact McNemar | mean | highest |\n|---|---|---|")
    for size in SIZES:
        alarms = false_alarms(size)
        print(f"| n = {size} | {alarms.mean():.2%} | {alarms.max():.2%} |")
    print(f"\n{time.perf_counter() - started:.0f} s", file=sys.stderr)
    return 0 if honest else 1


if __name__ == "__main__":
    raise SystemExit(main())
