"""One of a few: yes or no, options of the question, lettered options."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from harness.graders.decide import Check, Finder, Mention, Misfit, checking, one
from harness.graders.extract import CANNOT_TELL, refusal, without_tex
from harness.graders.quantities import as_quantity, numbers
from harness.graders.question import lettered, polar_clause
from harness.graders.words import (
    LISTS,
    TABLES,
    content,
    folded,
    kin,
    phrase,
    without_article,
    words,
)
from harness.records import Case

_YES, _NO = frozenset(LISTS["yes"]), frozenset(LISTS["no"])
_LEADING, _LATER = phrase("opens with yes or no"), phrase("says yes or no later")
_NEGATION, _NO_SUCH = phrase("negations"), phrase("no cracks")
_DOUBT = phrase("a doubt about what is implied")
_CLAUSE = phrase("clauses that may imply an answer")
_EQUALITY = frozenset(["same", "equal", "equals", "identical"])
_COMPARATIVES = frozenset(LISTS["comparatives"])
_MOSTLY = 0.6
"""Share of what was asked that a clause must repeat to answer it."""
_SAME_PLACE = tuple(tuple(line.split(" | ")) for line in TABLES["same_place"])
"""Words that name the same option."""
_UNSAID = phrase("a refusal may be an option")
_LETTER_FIRST = phrase("(B) bolt")
_LETTER_INSIDE = phrase("the answer is B; option B; A or B")
_CAPITAL = phrase("a capital alone, where letters are all there is")


def choice(case: Case) -> Check:
    """One of the options, its words or its letter."""
    choices = [str(choice) for choice in case.options.get("choices", ())]
    options = lettered(case.question)
    if choices and not {*map(folded, choices)} & {*map(folded, options.values())}:
        options = {}
    choices = choices or list(dict.fromkeys(options.values()))
    if not options and all(re.fullmatch("[A-Za-z]", choice) for choice in choices):
        options = {choice.upper(): choice for choice in choices}
    value = named(one(case), choices, options)
    if value is None:
        raise Misfit(f"{one(case)!r} is not one of the choices: {', '.join(choices)}")
    find = _finder(case, [_key(choice) for choice in choices], _by_letter(options))
    return checking(case, find, lambda said: said == value)


def named(written: str, choices: Sequence[str], options: Mapping[str, str]) -> str | None:
    """The option that the key means: a letter is a letter first."""
    letter = written.strip("(). ").upper()
    if letter in options:
        return _by_letter(options)[letter]
    return next((_key(c) for c in choices if _key(c) == _key(written)), None)


def _key(choice: str) -> str:
    bare = folded(without_tex(choice)).removeprefix("(").removesuffix(")")
    return without_article(bare) or choice


def _by_letter(options: Mapping[str, str]) -> dict[str, str]:
    """Letter: key of its option, or the letter where several read alike."""
    keys = {letter: _key(text) for letter, text in options.items()}
    alike = [*keys.values()]
    return {letter: key if alike.count(key) == 1 else letter for letter, key in keys.items()}


def _finder(case: Case, keys: Sequence[str], by_letter: Mapping[str, str]) -> Finder:
    bare = all(len(key) == 1 and key.isalpha() for key in keys)
    unsaid = next((key for key in keys if _UNSAID.search(key)), None)
    in_words = _words_finder(keys, case.options.get("aliases") or {}, case.question)
    names = {as_yes_or_no(key): key for key in keys}
    if names.keys() == {"yes", "no"}:
        polar = yes_no_finder(case.question)
        in_words = lambda text: [m._replace(value=names[str(m.value)]) for m in polar(text)]  # noqa: E731

    def find(text: str) -> list[Mention]:
        if letters := _letters(text, by_letter, bare=bare):
            return letters
        if unsaid is not None and refusal(text) == CANNOT_TELL:
            return [Mention(0, len(text), unsaid, lead=True)]
        return in_words(text)

    return find


def _letters(text: str, by_letter: Mapping[str, Hashable], *, bare: bool) -> list[Mention]:
    """A letter in front; else those in brackets and behind "option", where one that is no option
    is another answer; else, where letters are all there is, any capital."""
    match = _LETTER_FIRST.match(text)
    if match and (value := by_letter.get(match[1].upper())):
        bracketed = text[match.end(1) : match.end(1) + 1] in (")", ".", ":")
        if match[1] != "a" or bracketed or len(text.strip(" .")) == 1:
            return [Mention(*match.span(1), value, lead=True)]
    found = []
    for match in (_CAPITAL if bare else _LETTER_INSIDE).finditer(text):
        at = match.lastindex or 1
        if value := by_letter.get(match[at].upper()):
            found.append(Mention(*match.span(at), value))
    return found


def _words_finder(
    keys: Sequence[str], aliases: Mapping[str, Sequence[str]], question: str
) -> Finder:
    """Finds options by their words, or as quantities, or one by all of its words in any form."""
    also = {_key(key): [folded(alias) for alias in names] for key, names in aliases.items()}
    terms: dict[str, Hashable] = {}
    for key in keys:
        places: Sequence[str] = next((names for names in _SAME_PLACE if key in names), ())
        for spelling in (key, *also.get(key, ()), *places, *kin(key)[0]):
            if len(spelling) > 1 or spelling.isdigit():
                terms.setdefault(spelling, key)
    by_phrase = phrases(terms)
    values = {value.number: key for key in keys if (value := as_quantity(key.lstrip("$£€ ")))}
    stems = {key: frozenset(content(key)) for key in keys}
    common = frozenset.intersection(*stems.values()) if stems else frozenset()
    spelled = frozenset.union(*stems.values()) if stems else frozenset()
    asked = [word for word in content(polar_clause(question)) if word not in spelled]

    def find(text: str) -> list[Mention]:
        found = by_phrase(text)
        for m in numbers(text) if values else ():
            if not any(it.start <= m.start < it.end for it in found):
                key = values.get(m.value.number, f"{m.value.number} is no option")
                found.append(m._replace(value=key))
        if not found:
            said = frozenset(content(text))
            held = [k for k, s in stems.items() if len(s) > 1 and s <= said and s - common]
            return [Mention(0, len(text), held[0], weak=True)] if len(held) == 1 else []
        if len(found) == 1 and len(asked) > 1:  # "the shelf is below the lamp": where is the lamp?
            before, after = content(text[: found[0].start]), content(text[found[0].end :])
            if asked[0] in after and asked[0] not in before and {*before} & {*asked}:
                return [found[0]._replace(hedge=text)]
        return sorted(found, key=lambda m: m.start)

    return find


def phrases(terms: Mapping[str, Hashable]) -> Finder:
    """Finds whole phrases, the longest first, however they are spaced."""
    if not terms:
        return lambda _: []
    spelled = "|".join(
        re.escape(term).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]?")
        for term in sorted(terms, key=len, reverse=True)
    )
    compiled = re.compile(rf"(?<!\w)(?:{spelled})(?!\w)(?!'(?!s\b)\w)", re.IGNORECASE)
    values = {re.sub(r"[\s-]+", "", term): value for term, value in terms.items()}

    def find(text: str) -> list[Mention]:
        if not text.isascii():  # without accents, every character in its place
            text = "".join(f if len(f := folded(c)) == 1 else c for c in text)
        hits = ((m, re.sub(r"[\s-]+", "", m[0].lower())) for m in compiled.finditer(text))
        return [Mention(*match.span(), values.get(said)) for match, said in hits]

    return find


def yes_no(case: Case) -> Check:
    """The word, or a sentence that implies it."""
    wanted = as_yes_or_no(one(case))
    if wanted is None:
        raise Misfit(f"{case.expected!r} is neither yes nor no")
    return checking(case, yes_no_finder(case.question), lambda value: value == wanted)


def as_yes_or_no(word: str) -> str | None:
    """
    >>> as_yes_or_no("Yes."), as_yes_or_no("nein"), as_yes_or_no("maybe")
    ('yes', 'no', None)
    """
    word = word.strip(" .,!\"'*`").lower()
    return "yes" if word in _YES else "no" if word in _NO else None


def yes_no_finder(question: str) -> Finder:
    """Finds "yes" and "no", spoken or implied."""
    return lambda text: _spoken(text) or _implied(_asked(question), text)


def _spoken(text: str) -> list[Mention]:
    leading = _LEADING.match(text)
    found = []
    if leading:
        found = [Mention(*leading.span("word"), as_yes_or_no(leading["word"]), lead=True)]
    for match in _LATER.finditer(text, max(0, leading.end("word") - 1) if leading else 0):
        value = "yes" if match["word"].lower() in ("yes", "true") else "no"
        found.append(Mention(*match.span("word"), value))
    return found


class _Asked(NamedTuple):
    """What a question of yes or no asks, in words."""

    words: frozenset[str]
    stems: frozenset[str]
    denied: bool


@lru_cache(maxsize=1024)
def _asked(question: str) -> _Asked:
    clause = polar_clause(question)
    stems = frozenset(content(clause))
    return _Asked(frozenset(words(clause)), stems, bool(_NEGATION.search(clause)))


def _implied(asked: _Asked, text: str) -> list[Mention]:
    """What a statement says about the question: "no cracks visible" denies what is asked for, else
    what its clauses, or all of it, repeat of the question."""
    for match in () if asked.denied else _NO_SUCH.finditer(text):
        if asked.stems.intersection(content(match[1])):
            return [Mention(0, len(text), "no")]
    for pieces in (_CLAUSE.split(text), [text]):
        found = []
        for clause in pieces:
            if clause and (value := _implies(asked, clause)):
                at, doubt = text.find(clause), _DOUBT.search(clause)
                hedge = doubt[0] if doubt else None
                found.append(Mention(at, at + len(clause), value, hedge, weak=True))
        if found:
            return found
    return []


def _implies(asked: _Asked, clause: str) -> str | None:
    said = frozenset(words(clause))
    against = any(kin(word)[1] & said - asked.words for word in asked.words - said)
    covered = len(asked.stems.intersection(content(clause))) + against
    compared, equal = asked.words & _COMPARATIVES, asked.words & _EQUALITY
    if covered and (
        (compared and _EQUALITY & said and not equal) or (equal and _COMPARATIVES & said)
    ):
        return "no"
    if (compared and not compared & said and not against) or not asked.stems:
        return None
    if covered < max(1, _MOSTLY * len(asked.stems)):
        return None
    denied = bool(_NEGATION.search(clause)) != asked.denied
    return "no" if denied != against else "yes"
