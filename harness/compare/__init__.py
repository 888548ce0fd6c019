"""Which of several models is better, by how much, and how sure that is."""

from harness.compare.comparing import compare, regression
from harness.compare.comparison import Comparison, Contrast, Difference, Disagreement, Said, Side
from harness.compare.naming import IncompleteRun

__all__ = [
    "Comparison",
    "Contrast",
    "Difference",
    "Disagreement",
    "IncompleteRun",
    "Said",
    "Side",
    "compare",
    "regression",
]
