"""Replies that give no answer: refusals, and "I see no image"."""

from __future__ import annotations

import re

from harness.graders.lazily import lazy
from harness.graders.reading.about import About, stem, words

_NO_IMAGE = lazy(
    r"\b(?:no (?:image|picture|photo|attachment)s? (?:was |were |is |has been |have been )?"
    r"(?:provided|attached|uploaded|included|shared|received|loaded|given|available|visible)"
    r"|(?:image|picture|photo|attachment)s? (?:was|were|is|has|have|seems)(?: not|n't)(?: been"
    r"| to be)?"
    r" (?:provided|attached|uploaded|included|shared|received|loaded|given|available|visible)"
    r"|(?:can't|cannot|can not|unable to|couldn't|could not|not able to|don't|do not|didn't"
    r"|did not)"
    r" (?:actually |directly |currently )?(?:see|view|access|open|load|find|receive"
    r"|have access to|display)"
    r" (?:any |an |the |this |that |your |attached )?(?:\w+ )?(?:image|picture|photo|attachment"
    r"|file)s?\b"
    r"|(?:provide|upload|share|attach|send|resend) (?:me )?(?:with )?(?:the|an|your|a) "
    r"(?:\w+ )?(?:image|picture|photo)"
    r"|(?:don't|do not|does not|doesn't) (?:see|have) (?:any |an |the )?(?:image|picture|photo)s?\b"
    r"|(?:there is|there's|i see) no (?:image|picture|photo)\b)",
    re.IGNORECASE,
)
_REFUSAL = lazy(
    r"\b(?:i'?m|i am|i|we|it'?s|it is|that is|this is) ?"
    r"(?:(?:am|are|is) |really |not |sorry, |currently |simply |afraid |but |i |that )*"
    r"(?:cannot|can't|can not|couldn't|could not|unable|not able|unclear|impossible|not possible"
    r"|difficult|hard|not sure|unsure|not certain|uncertain)"
    r"(?: to| be)?(?: accurately| reliably| confidently| clearly| exactly| precisely"
    r"| definitively| fully)?"
    r" (?:determine|identify|tell|read|make out|process|analy[sz]e|say|assist|help|provide|answer"
    r"|know"
    r"|count|see|discern|confirm|ascertain|specify|give|recogni[sz]e|estimate|interpret|decipher"
    r"|what|which|whether|if|how|based|from|without|about)\b"
    r"|\bi (?:don't|do not) (?:know|have (?:the ability|enough|sufficient|access|any information"
    r"|information))"
    r"|\b(?:not|isn't|aren't) (?:clearly |fully |readily )?(?:legible|readable|discernible"
    r"|determinable)"
    r"|\bcannot be (?:determined|identified|read|discerned|seen clearly)"
    r"|\b(?:can't|cannot|couldn't|could not) (?:determine|identify|tell|make out|discern)\b"
    r"|\bas an ai\b|\binsufficient (?:information|detail|resolution)"
    r"|\bnot enough (?:information|detail|context)|\bunable to (?:determine|identify|read|see"
    r"|tell|view|process|answer)"
    r"|\btoo (?:blurry|small|unclear|low)|^(?:sorry|unknown|unclear|illegible|unreadable"
    r"|undetermined)\b",
    re.IGNORECASE,
)
_QUICK = lazy(
    r"n't|not|unable|no |provide|upload|share|attach|send|unclear|impossible|difficult|hard|unsure"
    r"|uncertain|as an ai|insufficient|too |sorry|unknown|illegible|unreadable|undetermined",
    re.IGNORECASE,
)
_THERE_IS_NO = lazy(
    r"\b(?:there (?:is|are|'s) (?:no|not an?)|there (?:isn't|aren't) (?:an?|any)"
    r"|(?:do not|don't|can't|cannot|does not|doesn't)"
    r" (?:see|show|contain|have|include|list|mention) (?:an?|any|the))"
    r" (?!other|more|further|additional)(?P<what>[\w-]+(?: [\w-]+){0,2})",
    re.IGNORECASE,
)
LONGEST_SEARCHED = 4_000


def refusal(text: str) -> str | None:
    """Why a reply is no answer, in words; None when it may be one.

    >>> refusal("I'm sorry, I cannot see any image."), refusal("I can't tell from this angle.")
    ('says it sees no image', 'refuses or says it cannot tell')
    >>> refusal("No, I see no cracks.") is None
    True
    """
    text = text[:LONGEST_SEARCHED]
    if not _QUICK.search(text):
        return None
    if _NO_IMAGE.search(text):
        return "says it sees no image"
    return "refuses or says it cannot tell" if _REFUSAL.search(text) else None


def denies(statement: str, about: About) -> bool:
    """Whether what a question takes for granted is said not to be there.

    >>> from harness.graders.reading import about
    >>> denies("There is no truck in the image.", about("What colour is the truck?"))
    True
    """
    if about.counted or not about.subject:
        return False
    absent = _THERE_IS_NO.search(statement)
    return absent is not None and about.subject in map(stem, words(absent["what"]))
