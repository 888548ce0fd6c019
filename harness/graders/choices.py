"""One of a few: yes or no, options of the question, lettered options."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache

from harness.graders.decide import Check, Finder, Mention, checking, one, require
from harness.graders.extract import CANNOT_TELL, asked, refusal, without_tex
from harness.graders.quantities import as_quantity, numbers
from harness.graders.words import (
    LISTS,
    PHRASES,
    TABLES,
    content,
    folded,
    kin,
    pattern,
    without_article,
    words,
)
from harness.records import Case

_YES, _NO = frozenset(LISTS["yes"]), frozenset(LISTS["no"])
_EQUAL, _COMPARED = frozenset(LISTS["equality"]), frozenset(LISTS["comparatives"])
_SAME = {word: line.split(" | ") for line in TABLES["same_place"] for word in line.split(" | ")}
_MARKS = (
    pattern(r"(?<!\w)\(([a-z])\)\s*", "(A) nut (B) bolt"),
    pattern(r"(?:^|(?<=[\s,;:]))([a-z])\)\s*", "A) nut B) bolt"),
    pattern(r"(?:^|(?<=\s))([a-z])\.\s+", "A. nut B. bolt"),
    pattern(r"(?:^|(?<=\n)|(?<=[,;:]\s))([a-z]):\s+", "A: nut"),
)


def yes_no(case: Case) -> Check:
    """The word, or a sentence that implies it."""
    wanted = _as_yes_or_no(one(case))
    require(wanted, f"{case.expected!r} is neither yes nor no")
    return checking(case, _yes_no_finder(case.question), lambda value: value == wanted)


def _as_yes_or_no(word: str) -> str | None:
    word = word.strip(" .,!\"'*`").lower()
    return "yes" if word in _YES else "no" if word in _NO else None


def _yes_no_finder(question: str) -> Finder:
    """Finds "yes" and "no", spoken or implied."""
    implied = _implied_finder(polar_clause(question))

    def find(text: str) -> list[Mention]:
        found, start = [], 0
        if leading := PHRASES["opens with yes or no"].match(text):
            start = leading.end("word") - 1
            found = [Mention(*leading.span("word"), _as_yes_or_no(leading["word"]), lead=True)]
        for match in PHRASES["says yes or no later"].finditer(text, start):
            value = "yes" if match["word"].lower() in ("yes", "true") else "no"
            found.append(Mention(*match.span("word"), value))
        short = PHRASES["it is; it does not"].fullmatch(text)
        if short and not PHRASES["negations"].search(question):
            return [Mention(0, len(text), "no" if short["not"] else "yes")]
        return found or implied(text)

    return find


def polar_clause(question: str) -> str:
    """The last clause to answer with yes or no; the whole question without one."""
    text = asked(question).text
    return str([text, *PHRASES["a question of yes or no"].findall(text)][-1])


def _implied_finder(question: str) -> Finder:
    """Finds what a statement says about a question that it repeats, or contradicts."""
    asked, stems, negation = frozenset(words(question)), {*content(question)}, PHRASES["negations"]
    compared, equal, denied = asked & _COMPARED, asked & _EQUAL, bool(negation.search(question))

    def implied(clause: str) -> str | None:
        said = frozenset(words(clause))
        against = any(kin(word)[1] & said - asked for word in asked - said)
        covered = len(stems.intersection(content(clause))) + against
        if covered and ((equal and _COMPARED & said) or (compared and not equal and _EQUAL & said)):
            return "no"
        elsewhere = compared and not compared & said and not against
        if elsewhere or not stems or covered < max(1, 0.6 * len(stems)):  # of what was asked
            return None
        return "no" if (bool(negation.search(clause)) != denied) != against else "yes"

    def find(text: str) -> list[Mention]:
        no_such = () if denied else PHRASES["no cracks"].finditer(text)
        if any(stems.intersection(content(match[1])) for match in no_such):
            return [Mention(0, len(text), "no")]
        doubt = PHRASES["a doubt about what is implied"]
        found: list[Mention] = []
        for clause in (*PHRASES["clauses that may imply an answer"].split(text), text):
            if clause and (not found or clause != text) and (value := implied(clause)):
                at, hedge = text.find(clause), (doubt.search(clause) or [None])[0]
                found.append(Mention(at, at + len(clause), value, hedge, weak=True))
        return found

    return find


@lru_cache(maxsize=4096)
def lettered(question: str) -> dict[str, str]:
    """Options that a question marks with letters."""
    text = asked(question).text
    for mark in _MARKS:
        run, hits = list[re.Match[str]](), list[re.Match[str]]()
        for hit in mark.finditer(text):  # the longest run of A, B, C..., the last of several
            follows = hit[1].upper() == chr(65 + len(run))
            run = [*run, hit] if follows else [hit] if hit[1].upper() == "A" else run
            hits = run if len(run) >= max(2, len(hits)) else hits
        if hits:
            ends = [*(hit.start() for hit in hits[1:]), len(text)]
            said = [text[hit.end() : end] for hit, end in zip(hits, ends, strict=True)]
            said[-1] = PHRASES["instructions behind the last option"].split(said[-1])[0]
            return {chr(65 + at): option.strip(" \n,;") for at, option in enumerate(said)}
    return {}


def choice(case: Case) -> Check:
    """One of the options, its words or its letter."""
    choices = [str(choice) for choice in case.options.get("choices", ())]
    options = lettered(case.question)
    choices = choices or list(dict.fromkeys(options.values()))
    if not options and all(re.fullmatch("[A-Za-z]", choice) for choice in choices):
        options = {choice.upper(): choice for choice in choices}
    wanted = named(one(case), choices, options)
    require(wanted is not None, f"{one(case)!r} is not one of the choices: {', '.join(choices)}")
    keys, by_letter = [_key(choice) for choice in choices], _by_letter(options)
    bare = all(len(key) == 1 and key.isalpha() for key in keys)
    inside = "a capital alone, where letters are all there is"
    letters = PHRASES[inside if bare else "the answer is B; option B; A or B"]
    unsaid = next(filter(PHRASES["a refusal may be an option"].search, keys), None)
    in_words = _words_finder(keys, case)

    def find(text: str) -> list[Mention]:
        """A letter in front; else those in brackets and behind "option"; else, where letters are
        all there is, any capital; else words."""
        match = PHRASES["(B) bolt"].match(text)
        each = len({*PHRASES["A: 1 kg, B: 2 kg"].findall(text)}) > 1
        if match and not each and (value := by_letter.get(match[1].upper())):
            more = PHRASES["B and C are two answers"].match(text, match.end(1))
            also = [Mention(*more.span(1), by_letter.get(more[1].upper(), more[1]))] if more else []
            return [Mention(*match.span(1), value, lead=True), *also]
        hits = [(hit, hit.lastindex or 1) for hit in letters.finditer(text)]
        found = [Mention(*hit.span(at), by_letter.get(hit[at].upper())) for hit, at in hits]
        if found := [m for m in found if m.value]:
            return found
        if unsaid and refusal(text) == CANNOT_TELL:
            return [Mention(0, len(text), unsaid, lead=True)]
        found = in_words(text)
        last = len(keys) == 2 and len(found) == 1 and not text[found[0].end :].strip(" .!")
        if last and PHRASES["it is not"].match(text[: found[0].start]):  # "not open" is closed
            (other,) = {*keys} - {found[0].value}
            return [Mention(0, len(text), other, weak=True)]
        return found

    return checking(case, find, lambda value: value == wanted)


def named(written: str, choices: Sequence[str], options: Mapping[str, str]) -> str | None:
    """The option that the key means: a letter is a letter first."""
    by_letter, keys = _by_letter(options), [_key(choice) for choice in choices]
    return by_letter.get(written.strip("(). ").upper()) or {it: it for it in keys}.get(
        _key(written)
    )


def _key(choice: str) -> str:
    return without_article(folded(without_tex(choice))) or choice


def _by_letter(options: Mapping[str, str]) -> dict[str, str]:
    """Letter: key of its option, or the letter where several read alike."""
    alike = Counter(map(_key, options.values()))
    return {it: _key(text) if alike[_key(text)] == 1 else it for it, text in options.items()}


def _words_finder(keys: Sequence[str], case: Case) -> Finder:
    """Finds options by their words, or as quantities, or one by all of its words in any form."""
    answers = {str(_as_yes_or_no(key)): key for key in keys}
    if answers.keys() == {"yes", "no"}:
        polar = _yes_no_finder(case.question)
        return lambda text: [m._replace(value=answers[m.value]) for m in polar(text)]
    aliases: Mapping[str, Sequence[str]] = case.options.get("aliases") or {}
    also = {_key(key): [*map(folded, names)] for key, names in aliases.items()}
    terms: dict[str, Hashable] = {}
    for key in keys:
        for spelling in (key, *also.get(key, ()), *_SAME.get(key, ()), *kin(key)[0]):
            if len(spelling) > 1 or spelling.isdigit():
                terms.setdefault(spelling, key)
    by_phrase = phrases(terms)
    values = {value.number: key for key in keys if (value := as_quantity(key.lstrip("$£€ ")))}
    stems = {key: frozenset(content(key)) for key in keys}
    known = frozenset[str]().union(*stems.values())
    clause = polar_clause(case.question).split("?")[0]
    things = [word for word in content(clause) if word not in known]

    def find(text: str) -> list[Mention]:
        found = by_phrase(text)
        for m in numbers(text) if values else ():
            if not any(it.start <= m.start < it.end for it in found):
                other = f"{m.value.number} is no option"
                found.append(m._replace(value=values.get(m.value.number, other)))
        if not found:
            said = frozenset(content(text))
            held = [k for k, s in stems.items() if len(s) > 1 and s <= said]
            return [Mention(0, len(text), held[0], weak=True)] if len(held) == 1 else []
        if len(found) == 1 and len(things) > 1:  # "the shelf is below the lamp": where is the lamp?
            sides = text[: found[0].start], text[found[0].end :]
            before, after = ({*things}.intersection(content(side)) for side in sides)
            turned = things[0] in after - before and before
            if turned or (things[-1] in before - after and after - before - {things[-1]}):
                return [found[0]._replace(hedge=text)]
        return sorted(found, key=lambda m: m.start)

    return find


def phrases(terms: Mapping[str, Hashable]) -> Finder:
    """Finds whole phrases, the longest first, however they are spaced."""
    spelled = "|".join(
        re.escape(term).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]?")
        for term in sorted(terms, key=len, reverse=True)
    )
    compiled = re.compile(rf"(?<!\w)(?:{spelled or '(?!)'})(?!\w)(?!'(?!s\b)\w)", re.IGNORECASE)
    values = {re.sub(r"[\s-]+", "", term): value for term, value in terms.items()}

    def find(text: str) -> list[Mention]:
        if not text.isascii():  # without accents, every character in its place
            text = "".join(f if len(f := folded(c)) == 1 else c for c in text)
        hits = ((m, re.sub(r"[\s-]+", "", m[0].lower())) for m in compiled.finditer(text))
        return [Mention(*match.span(), values.get(said)) for match, said in hits]

    return find
