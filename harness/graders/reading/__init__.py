"""The answer in a reply, found in one way for all graders."""

from harness.graders.reading.about import About, about, stem, stems, words
from harness.graders.reading.decide import (
    Finder,
    Mention,
    Reading,
    decide,
    empty_because,
    without_negated,
)
from harness.graders.reading.refusals import refusal
from harness.graders.reading.statements import Said, Statement, Weight, sentences, take_apart

__all__ = [
    "About",
    "Finder",
    "Mention",
    "Reading",
    "Said",
    "Statement",
    "Weight",
    "about",
    "decide",
    "empty_because",
    "refusal",
    "sentences",
    "stem",
    "stems",
    "take_apart",
    "without_negated",
    "words",
]
