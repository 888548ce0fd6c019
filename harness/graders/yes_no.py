"""Yes or no: the word, in many languages, or a sentence that affirms or denies the question."""

from __future__ import annotations

import re
from collections.abc import Hashable

from harness.graders.decide import Finder, Mention
from harness.graders.extract import refusal
from harness.graders.kinds import Check, Grader, Misfit, Task, checking
from harness.graders.patterns import LISTS, pattern, regex
from harness.graders.question import Question
from harness.graders.words import STOPWORDS, antonyms, content, folded, stem, words

YES, NO = frozenset(LISTS["yes"]), frozenset(LISTS["no"])
_WORD = "(?P<word>" + "|".join(sorted(YES | NO, key=len, reverse=True)) + ")"
_LEADING = pattern(
    "leading yes or no",
    r"^\W{0,3}(?:(?:well|so|hmm+|oh|thus|therefore|hence|clearly|simply|probably|likely|most likely"
    r"|a clear|a definite|(?:based on|according to|looking at|judging by|from|in|given) [^,]{1,60}"
    r"|i would say|i'd say|i think|i believe|option \w|\(?[a-h]\)|the answer is)[,:.]? ){0,2}"
    rf"[\"'(]{{0,2}}{_WORD}(?:[\"')]{{0,2}}(?:\s*$|\s{{0,3}}[.,;:!?(-])|(?= (?:there|it|the|this"
    r"|that|they|i|we|he|she|you|nothing|none|both|all|because|based|and|as)\b)|(?<=[\u3040-\uffef]))",
)
_LATER = pattern("yes or no later")
_BOTH = pattern("yes or no")
_NEGATION = pattern("negation")
_DOUBT = pattern("doubt")
_CLAUSE = pattern("clauses")
_ECHO = pattern("short echo")
_NOT_SO = pattern("not at all")
_NO_SUCH = pattern("no such thing")
_SUCH = pattern("such a thing")
_HAVING = pattern("asks whether there is")
_BUT_NOT = pattern("all but")
_SIGNS = (("<=", " at most "), (">=", " at least "), ("<", " less "), (">", " greater "))
_CAMEL = regex(r"(?<=[a-z])(?=[A-Z]\b)")
_EQUALITY = frozenset(["same", "equal", "equals", "identical"])
_COMPARATIVES = frozenset(LISTS["comparatives"])
_MOSTLY, _SINGLE = 0.6, 1


def _check(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("yes_no", "No", "No, the seal is not broken.").passed
    True
    >>> try_out("yes_no", "No", "I see no cracks in the rim.", "Is the rim cracked?").passed
    True
    >>> try_out("yes_no", "No", "I am not sure.").passed
    False
    """
    wanted = as_yes_or_no(task.one("yes_no"))
    if wanted is None:
        raise Misfit(f"{task.expected!r} is neither yes nor no")
    word = "yes" if wanted else "no"
    return checking(finder(task.question), lambda value: value == word, word)


def as_yes_or_no(word: str) -> bool | None:
    """
    >>> as_yes_or_no("Yes."), as_yes_or_no("nein"), as_yes_or_no("maybe")
    (True, False, None)
    """
    word = folded(word)
    return True if word in YES else False if word in NO else None


def finder(question: Question) -> Finder:
    """Finds "yes" and "no", spoken or implied."""
    asked = _Asked(question)

    def find(text: str) -> list[Mention]:
        if both := _BOTH.search(text):
            return [Mention(*both.span(), word) for word in ("yes", "no")]
        spoken = _spoken(text)
        if spoken:
            return spoken
        if such := asked.existence(text):
            return [Mention(0, len(text), such)]
        if refusal(text):
            return []
        if echo := _ECHO.match(text):
            return [Mention(0, len(text), "no" if echo["not"] else "yes", weak=True)]
        implied = asked.implied(text)
        if not implied and _NOT_SO.match(text):
            return [Mention(0, len(text), "no")]
        return implied

    return find


def _spoken(text: str) -> list[Mention]:
    found = []
    end = 0
    if leading := _LEADING.match(text):
        value: Hashable = "yes" if as_yes_or_no(leading["word"]) else "no"
        end = leading.end("word")
        found.append(Mention(leading.start("word"), end, value, lead=True))
    for match in _LATER.finditer(text, max(0, end - 1)):
        word = match["word"].lower()
        found.append(Mention(*match.span("word"), "yes" if word in ("yes", "true") else "no"))
    return found


class _Asked:
    """What a question of yes or no asks, in words."""

    def __init__(self, question: Question) -> None:
        clause = _worded(question.polar)
        self._words = frozenset(word for word in words(clause) if word not in STOPWORDS)
        self._all = frozenset(words(clause))
        self._stems = frozenset(stem(word) for word in self._words)
        having = _HAVING.search(clause)
        self._had = frozenset(content(having[1])) if having else frozenset[str]()
        self._denied = bool(_NEGATION.search(clause))

    def existence(self, text: str) -> str | None:
        """ "No cracks visible", "there is a dent": what a question of existence asks for."""
        if self._denied:
            return None
        for match in _NO_SUCH.finditer(text):
            if self._stems & {stem(word) for word in words(match["what"])}:
                return "no"
        there = _SUCH.match(text)
        if there and self._had and self._had <= {stem(word) for word in words(there["what"])}:
            return "yes"
        return None

    def implied(self, text: str) -> list[Mention]:
        """What the clauses of a statement say about the question."""
        found = []
        start = 0
        whole = _worded(text)
        part = _BUT_NOT.search(whole)
        if part and self._stems & set(content(whole[part.end() :])) and self._implies(whole):
            return [Mention(0, len(text), "no", weak=True)]
        for clause in _CLAUSE.split(whole):
            at = whole.find(clause, start) if clause else start
            start = max(start, at)
            if clause and (value := self._implies(clause)) is not None:
                doubt = _DOUBT.search(clause)
                span = (start, start + len(clause))
                found.append(Mention(*span, value, doubt[0] if doubt else None, weak=True))
        if not found and (value := self._implies(whole)) is not None:
            doubt = _DOUBT.search(whole)
            found.append(Mention(0, len(text), value, doubt[0] if doubt else None, weak=True))
        return found

    def _implies(self, clause: str) -> str | None:
        said = words(clause)
        stems = {stem(word) for word in said}
        against = any(antonyms(word) & set(said) and word not in said for word in self._all)
        equal = bool(_EQUALITY & set(said)) and not _EQUALITY & self._all
        covered = len(self._stems & stems) + against
        if equal and self._all & _COMPARATIVES and covered >= _SINGLE:
            return "no"
        if _EQUALITY & self._all and _COMPARATIVES & set(said) and covered >= _SINGLE:
            return "no"
        core = self._all & _COMPARATIVES
        if core and not core & set(said) and not against:
            return None
        if not self._stems or covered < max(_SINGLE, _MOSTLY * len(self._stems)):
            return None
        denied = bool(_NEGATION.search(clause)) != self._denied
        return "no" if denied != against else "yes"


def _worded(text: str) -> str:
    """Signs as words: "angleA < 180" has "angle A less 180"."""
    text = _CAMEL.sub(" ", text)
    for sign, word in _SIGNS:
        text = text.replace(sign, word)
    return re.sub(r"(?<=[\w)°])\s*=\s*(?=[\w(])", " equals ", text)


YES_NO = Grader(name="yes_no", check=_check)
