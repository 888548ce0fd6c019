"""The answer in a reply, found in one way for all graders."""

from harness.graders.reading.about import (
    ATTRIBUTES,
    EMPTY_WORDS,
    About,
    about,
    singular,
    stem,
    stems,
    word_set,
    words,
)
from harness.graders.reading.claims import POLITE, Finder, affirmed, contrary
from harness.graders.reading.clauses import Mention, clause_spans
from harness.graders.reading.clean import lowered, without_reasoning
from harness.graders.reading.decide import Reading, decide, empty_because
from harness.graders.reading.refusals import refusal
from harness.graders.reading.statements import CORRECTS, Said, Statement, Weight, take_apart

__all__ = [
    "ATTRIBUTES",
    "CORRECTS",
    "EMPTY_WORDS",
    "POLITE",
    "About",
    "Finder",
    "Mention",
    "Reading",
    "Said",
    "Statement",
    "Weight",
    "about",
    "affirmed",
    "clause_spans",
    "contrary",
    "decide",
    "empty_because",
    "lowered",
    "refusal",
    "singular",
    "stem",
    "stems",
    "take_apart",
    "without_reasoning",
    "word_set",
    "words",
]
