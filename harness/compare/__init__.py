"""Which of several models is better, by how much, and how sure that is."""

from harness.compare.comparing import compare, regression
from harness.compare.comparison import Answer, Comparison, Contrast, Difference, Disagreement, Side
from harness.compare.naming import IncompleteRun

__all__ = [
    "Answer",
    "Comparison",
    "Contrast",
    "Difference",
    "Disagreement",
    "IncompleteRun",
    "Side",
    "compare",
    "regression",
]
