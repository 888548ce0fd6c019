"""What never changes a verdict, what always does, and that nothing makes a grader raise."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.graders import grade, problems
from tests.graders.cases import TABLE, case_of, table_case

KINDS = [
    ("How many bolts are in the box?", "27", "31"),
    ("Is the lid open? Answer yes or no.", "no", "yes"),
    ("What colour is the lid?", "green", "purple"),
    ("What is the brand of the lid?", "Makita", "Bosch"),
    ("What is the price? Answer like $1.00", "$4.75", "$5.25"),
    ("What is the serial number?", "QX71-0882", "QX71-0832"),
    ("Where is the hole in the lid?", "top left", "bottom right"),
    ("What date is on the lid?", "March 4 2021", "May 9 2021"),
    ("Is the lid left or right of the box?", "left", "right"),
    ("What does the scale show?", "2.45 kg", "3.10 kg"),
    ("What time does the clock show?", "10:25", "11:40"),
    ("What are the dimensions of the room?", "12'6\" x 14'", "11'2\" x 9'"),
    ("Which cell is empty? Answer like R1C1.", "R2C3", "R4C1"),
]
"""Question, its right answer, a wrong one."""

INLINE = st.sampled_from(["{}", "**{}**", "`{}`", "*{}*", '"{}"', "_{}_", "<b>{}</b>"])
BLOCK = st.sampled_from(["{}", "# {}", "> {}", "- {}", "```\n{}\n```", "<think>Hm.</think>{}"])
POLITENESS = st.sampled_from(
    ["{}", "Sure! {}", "Of course. {}", "{}.", "{}!", "{}\n\nI hope this helps!", "Answer: {}",
     "The answer is {}.", "Certainly!\n\n{}", "{}. Let me know if you need anything else!"]
)  # fmt: skip
SPACE = st.sampled_from(["{}", " {} ", "\n{}\n", "\t{}", "{}\r\n", "\u00a0{}", "\u200b{}"])
CASE = st.sampled_from([str, str.lower, str.upper])
CONTRADICTION = st.sampled_from(
    [
        "{}\n\nAnswer: {}",
        "{}. Actually, {}.",
        "{}. No, wait, {}.",
        "{}\n\nFinal answer: {}",
        "{} or {}",
        "{}\n\nCorrection: the answer is {}.",
        "{}\n{}",
        "{}. Sorry, I mean {}.",
        "{}\n\n\\boxed{{{}}}",
    ]
)


@given(st.sampled_from(KINDS), st.booleans(), INLINE, POLITENESS, BLOCK, SPACE, CASE)
def test_case_spacing_markdown_and_politeness_never_change_a_verdict(
    kind: tuple[str, str, str],
    right: bool,
    inline: str,
    polite: str,
    block: str,
    space: str,
    case: Callable[[str], str],
) -> None:
    question, expected, wrong = kind
    said = inline.format(case(expected if right else wrong))
    said = space.format(block.format(polite.format(said)))
    verdict = grade(case_of(question, expected), said)
    assert verdict.passed is right, (said, verdict)


@given(st.sampled_from(KINDS), CONTRADICTION)
def test_a_contradicting_answer_makes_a_passing_reply_fail(
    kind: tuple[str, str, str], pattern: str
) -> None:
    question, expected, wrong = kind
    case = case_of(question, expected)
    assert grade(case, expected).passed
    said = pattern.format(expected, wrong)
    assert not grade(case, said).passed, said


@given(
    st.sampled_from(KINDS), st.sampled_from(["{}. Wait, no: {}.", "{}\n\nOn second thought: {}"])
)
def test_the_answer_that_a_reply_ends_up_with_counts(
    kind: tuple[str, str, str], pattern: str
) -> None:
    question, expected, wrong = kind
    assert grade(case_of(question, expected), pattern.format(wrong, expected)).passed


@given(st.integers(0, 10**7))
def test_a_count_is_read_with_either_thousands_separator(number: int) -> None:
    case = case_of("How many grains?", str(number))
    for said in (f"{number:,}", f"{number:,}".replace(",", "."), f"{number:,}".replace(",", " ")):
        assert grade(case, said).passed
        assert not grade(case, f"1{said}").passed


@given(st.text(max_size=40), st.text(min_size=1, max_size=30).filter(lambda it: it.strip()))
def test_the_expected_answer_itself_always_passes(question: str, expected: str) -> None:
    case = case_of(question, expected)
    assert problems(case) == []
    assert grade(case, case.expected if isinstance(case.expected, str) else "").passed


_PIECES = r"""
yes no not 4 5 4,5 27 $2 1/2 R1C2 top left 10' x 12:30 May 3 2020 red or and the
is : , . ? ( ) answer wait actually \boxed{ } ** ` <think> </think> | { } [ ] "
' kg = about never é ’ 不
"""
WORDS = st.sampled_from(str.split(_PIECES))


SOME_CASES = [table_case(entry) for entry in TABLE[::4]]


@settings(deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(WORDS, max_size=40).map(" ".join)))
def test_no_reply_makes_a_grader_raise(said: str) -> None:
    for case in SOME_CASES:
        grade(case, said)
