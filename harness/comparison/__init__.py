"""Which of several models is better, by how much, and how sure that is."""

from harness.comparison.comparing import compare, regression
from harness.comparison.naming import IncompleteRun
from harness.comparison.nouns import Answer, Comparison, Contrast, Difference, Disagreement, Side

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
