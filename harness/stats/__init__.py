"""Statistics that hold at 67 prompts: pure functions over counts, no scipy.

Each docstring gives the formula, where it comes from, and a value worked out there or checked
against scipy or statsmodels in the tests. `bench/coverage.py` shows how well the intervals keep
what they promise. numpy is imported only by the two functions that resample.
"""

from harness.stats.intervals import Interval, newcombe_paired, newcombe_unpaired, wilson_interval
from harness.stats.paired import (
    flaky,
    flips_between_repeats,
    holm,
    mcnemar,
    mcnemar_mid_p,
    pass_hat_k,
)
from harness.stats.power import detectable_difference, mcnemar_power, prompts_needed
from harness.stats.resampling import cluster_bootstrap, randomisation

__all__ = [
    "Interval",
    "cluster_bootstrap",
    "detectable_difference",
    "flaky",
    "flips_between_repeats",
    "holm",
    "mcnemar",
    "mcnemar_mid_p",
    "mcnemar_power",
    "newcombe_paired",
    "newcombe_unpaired",
    "pass_hat_k",
    "prompts_needed",
    "randomisation",
    "wilson_interval",
]
