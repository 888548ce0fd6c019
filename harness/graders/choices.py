"""One of a few: options of the question, or lettered options."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence

from harness.graders.clean import without_tex
from harness.graders.decide import Check, Finder, Mention, Misfit, Task, checking
from harness.graders.extract import CANNOT_TELL, refusal
from harness.graders.measures import quantity
from harness.graders.numbers import Quantity, numbers
from harness.graders.question import lettered, polar_clause
from harness.graders.words import TABLES, content, folded, phrase, synonyms, without_article
from harness.graders.yes_no import as_yes_or_no, yes_no_finder

_SAME_PLACE = tuple(tuple(line.split(" | ")) for line in TABLES["same_place"].splitlines())
"""Words that name the same option."""
_UNSAID = phrase("a refusal may be an option")
_LETTER_FIRST = phrase("(B) bolt")
_LETTER_INSIDE = phrase("the answer is B; option B; A or B")
_CAPITAL = phrase("a capital alone, where letters are all there is")


def choice(task: Task) -> Check:
    """One of the options, its words or its letter."""
    choices = [str(choice) for choice in task.options.get("choices", ())]
    options = lettered(task.question)
    if choices and not {*map(folded, choices)} & {*map(folded, options.values())}:
        options = {}
    choices = choices or list(dict.fromkeys(options.values()))
    if not options and all(re.fullmatch("[A-Za-z]", choice) for choice in choices):
        options = {choice.upper(): choice for choice in choices}
    value = named(task.one, choices, options)
    if value is None:
        raise Misfit(f"{task.one!r} is not one of the choices: {', '.join(choices)}")
    find = _finder(task, [_key(choice) for choice in choices], _by_letter(options))
    return checking(task, find, lambda said: said == value)


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


def _finder(task: Task, keys: Sequence[str], by_letter: Mapping[str, str]) -> Finder:
    bare = all(len(key) == 1 and key.isalpha() for key in keys)
    spelled = {word for key in keys for word in content(key)}
    asked = [word for word in content(polar_clause(task.question)) if word not in spelled]
    unsaid = next((key for key in keys if _UNSAID.search(key)), None)
    in_words = _words_finder(keys, task.options.get("aliases") or {})
    names = {as_yes_or_no(key): key for key in keys}
    if names.keys() == {"yes", "no"}:
        polar = yes_no_finder(task.question)
        in_words = lambda text: [m._replace(value=names[str(m.value)]) for m in polar(text)]  # noqa: E731

    def find(text: str) -> list[Mention]:
        if letters := _letters(text, by_letter, bare=bare):
            first = letters[0]
            rest = text[first.end :].lstrip(" ).:-")
            other = [m for m in in_words(rest)[:1] if m.start == 0 and m.value != first.value]
            own = not first.lead or folded(rest).startswith(str(first.value))
            return letters if own else [*letters, *(m._replace(end=len(text)) for m in other)]
        if unsaid is not None and refusal(text) == CANNOT_TELL:
            return [Mention(0, len(text), unsaid, lead=True)]
        found = in_words(text)
        if len(found) == 1 and len(asked) > 1:  # "the shelf is below the lamp": where is the lamp?
            before, after = content(text[: found[0].start]), content(text[found[0].end :])
            if asked[0] in after and asked[0] not in before and {*before} & {*asked}:
                return [found[0]._replace(hedge=text)]
        return found

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


def _words_finder(keys: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> Finder:
    """Finds options by their words, or as quantities, or one by all of its words in any form."""
    also = {_key(key): [folded(alias) for alias in names] for key, names in aliases.items()}
    terms: dict[str, Hashable] = {}
    for key in keys:
        places: Sequence[str] = next((names for names in _SAME_PLACE if key in names), ())
        for spelling in (key, *also.get(key, ()), *places, *synonyms(key)):
            if len(spelling) > 1 or spelling.isdigit():
                terms.setdefault(spelling, key)
    by_phrase = phrases(terms)
    values = {value.number: key for key in keys if (value := _quantity(key))}
    stems = {key: frozenset(content(key)) for key in keys}
    common = frozenset.intersection(*stems.values()) if stems else frozenset()

    def find(text: str) -> list[Mention]:
        found = by_phrase(text)
        for m in numbers(text) if values else ():
            if not any(it.start <= m.start < it.end for it in found):
                key = values.get(m.value.number, f"{m.value.number} is no option")
                found.append(m._replace(value=key))
        if found:
            return sorted(found, key=lambda m: m.start)
        said = frozenset(content(text))
        held = [k for k, s in stems.items() if len(s) > 1 and s <= said and s - common]
        return [Mention(0, len(text), held[0], weak=True)] if len(held) == 1 else []

    return find


def _quantity(key: str) -> Quantity | None:
    try:
        return quantity(key.lstrip("$£€ "))
    except Misfit:
        return None


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
