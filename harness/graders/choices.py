"""One of a few: options of the question, or lettered options."""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping, Sequence
from decimal import Decimal

from harness.graders import yes_no
from harness.graders.clean import without_tex
from harness.graders.decide import Finder, Mention
from harness.graders.extract import CANNOT_TELL, refusal
from harness.graders.kinds import Check, Grader, Misfit, Task, checking
from harness.graders.numbers import numbers
from harness.graders.patterns import TABLES, pattern
from harness.graders.question import Question
from harness.graders.units import unit_at
from harness.graders.words import content, folded, rivals, stem, synonyms, words

_SAME_PLACE = tuple(tuple(line.split(" | ")) for line in TABLES["same_place"].splitlines())
"""Words that name the same option."""
_OPPOSITES = {"left": "right", "above": "below", "behind": "in front of"}
_OPPOSITES |= {b: a for a, b in _OPPOSITES.items()}
_HEAD = pattern("subject of a question of place")
_CANNOT_TELL = pattern("option that nothing can be told")
_LETTER_FIRST = pattern("letter in front")
_LETTER_INSIDE = pattern("letter inside")
_CAPITAL = pattern("a capital alone")
_ADVERB = pattern("right as an adverb")


def _choice(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("choice", "bolts", "Hex bolts (not nuts).", choices=["bolts", "nuts"]).passed
    True
    >>> try_out("choice", "bolts", "B", "Which? A) nuts B) bolts").passed
    True
    >>> try_out("choice", "left", "left or right", choices=["left", "right"]).reason
    'several answers: left or right'
    """
    written = task.one("choice")
    choices = [str(choice) for choice in task.options.get("choices", ())]
    lettered = task.question.options
    if (
        lettered
        and choices
        and not {folded(c) for c in choices} & {folded(text) for text in lettered.values()}
    ):
        lettered = {}
    if not choices:
        choices = list(dict.fromkeys(lettered.values()))
    if not lettered and all(re.fullmatch("[A-Za-z]", choice) for choice in choices):
        lettered = {choice.upper(): choice for choice in choices}
    value = named(written, choices, lettered)
    if value is None:
        raise Misfit(f"{written!r} is not one of the choices: {', '.join(choices)}")
    find = _finder(task, [_key(choice) for choice in choices], _by_letter(lettered))
    find = _turned(find, [_key(choice) for choice in choices], task.question)
    return checking(find, lambda said: said == value, written, question=task.question)


def named(written: str, choices: Sequence[str], lettered: Mapping[str, str]) -> str | None:
    """The option that the key means: a letter is a letter first."""
    letter = written.strip("(). ").upper()
    if letter in lettered:
        return _by_letter(lettered)[letter]
    return next((_key(c) for c in choices if _key(c) == _key(written)), None)


def _key(choice: str) -> str:
    return folded(without_tex(choice)).removeprefix("(").removesuffix(")") or choice


def _turned(find: Finder, keys: Sequence[str], question: Question) -> Finder:
    """ "The shelf is below the lamp", asked where the lamp is, says that it is above."""
    named = {next((names[0] for names in _SAME_PLACE if k in names), k): k for k in keys}
    turned = {named[a]: named[b] for a, b in _OPPOSITES.items() if a in named and b in named}
    asked = [
        w for w in content(question.polar) if w not in {stem(w) for k in keys for w in words(k)}
    ]
    if not turned or len(asked) < 2:
        return find
    subject = _subject(question, asked)

    def find_turned(text: str) -> list[Mention]:
        found = find(text)
        if len(found) != 1 or found[0].value not in turned:
            return found
        before, after = content(text[: found[0].start]), content(text[found[0].end :])
        if subject in after and subject not in before and set(before) & set(asked):
            return [found[0]._replace(value=turned[str(found[0].value)])]
        return found

    return find_turned


def _subject(question: Question, asked: Sequence[str]) -> str:
    """The head of the noun phrase that a question of place begins with."""
    head = _HEAD.search(question.polar)
    stems = [w for w in content(head[1]) if w in asked] if head else []
    return stems[-1] if stems else asked[0]


def _by_letter(lettered: Mapping[str, str]) -> dict[str, str]:
    """Letter: key of its option, or the letter where several read alike."""
    keys = [_key(text) for text in lettered.values()]
    return {
        letter: key if keys.count(key) == 1 else letter
        for letter, key in zip(lettered, keys, strict=True)
    }


def _finder(task: Task, keys: Sequence[str], by_letter: Mapping[str, str]) -> Finder:
    aliases: Mapping[str, Sequence[str]] = task.options.get("aliases") or {}
    bare = all(len(key) == 1 and key.isalpha() for key in keys)
    in_words = _words_finder(keys, {_key(k): [folded(a) for a in v] for k, v in aliases.items()})
    if {yes_no.as_yes_or_no(key) for key in keys} == {True, False}:
        in_words = _polar_finder(task, keys)
    elif any(numbers(key) and _is_quantity(key) for key in keys):
        in_words = _numeric_finder(keys, in_words)
    by_content = _content_finder(keys)
    unsaid = next((key for key in keys if _CANNOT_TELL.search(key)), None)

    def find(text: str) -> list[Mention]:
        letter = _letter_in_front(text, by_letter)
        if letter is not None:
            rest = in_words(text[letter.end :].lstrip(" ).:-"))
            other = rest and rest[0].start == 0 and rest[0].value != letter.value
            own = str(letter.value)
            if other and not folded(text[letter.end :].lstrip(" ).:-")).startswith(own):
                return [letter, Mention(letter.end, len(text), rest[0].value)]
            return [letter]
        inside = _letters_inside(text, by_letter, bare=bare)
        if inside:
            return inside
        if unsaid is not None and refusal(text) == CANNOT_TELL:
            return [Mention(0, len(text), unsaid, lead=True)]
        return in_words(text) or by_content(text)

    return find


def _letter_in_front(text: str, by_letter: Mapping[str, Hashable]) -> Mention | None:
    match = _LETTER_FIRST.match(text)
    if match is None or match[1].upper() not in by_letter:
        return None
    bracketed = text[match.end(1) : match.end(1) + 1] in (")", ".", ":")
    if match[1] == "a" and not bracketed and len(text.strip(" .")) > 1:
        return None
    return Mention(*match.span(1), by_letter[match[1].upper()], lead=True)


def _letters_inside(text: str, by_letter: Mapping[str, Hashable], *, bare: bool) -> list[Mention]:
    """Letters in brackets and behind "option"; any capital where letters are all there is."""
    if bare:
        hits = [(m.span(1), by_letter.get(m[1])) for m in _CAPITAL.finditer(text)]
        return [Mention(*span, value) for span, value in hits if value is not None]
    found = []
    for match in _LETTER_INSIDE.finditer(text):
        at = match.lastindex or 1
        value = by_letter.get(match[at].upper())
        if value is not None:
            found.append(Mention(*match.span(at), value))
        elif at == 1 and match[1].isupper():
            found.append(Mention(*match.span(at), match[1], weak=True))
    return found


def _polar_finder(task: Task, keys: Sequence[str]) -> Finder:
    """Options yes and no: a sentence may imply them."""
    named = {"yes" if yes_no.as_yes_or_no(key) else "no": key for key in keys}
    find = yes_no.finder(task.question)
    return lambda text: [m._replace(value=named[str(m.value)]) for m in find(text)]


def _is_quantity(key: str) -> bool:
    found = numbers(key)
    if len(found) != 1 or key[: found[0].start].strip("$£€ ~"):
        return False
    unit = unit_at(key, found[0].end)
    return not key[unit[1] if unit else found[0].end :].strip()


def _numeric_finder(keys: Sequence[str], in_words: Finder) -> Finder:
    """Options that are numbers: 50.0 is 50°, and a number that is no option is another answer."""
    values = {_value(key): key for key in keys if _is_quantity(key)}

    def find(text: str) -> list[Mention]:
        found = in_words(text)
        for number in numbers(text):
            if any(m.start <= number.start < m.end for m in found):
                continue
            unit = unit_at(text, number.end)
            value = values.get(number.value, f"{number.value} is no option")
            found.append(Mention(number.start, unit[1] if unit else number.end, value))
        return sorted(found)

    return find


def _value(key: str) -> Decimal:
    return numbers(key)[0].value


def _words_finder(keys: Sequence[str], aliases: Mapping[str, Sequence[str]]) -> Finder:
    """Finds options by their words; "orange or amber" hedges although orange is none."""
    terms: dict[str, Hashable] = {}
    for key in keys:
        for spelling in (key, *aliases.get(key, ()), *_spellings(key)):
            if spelling and (len(spelling) > 1 or not spelling.isalpha()):
                terms.setdefault(spelling, key)
    kin = {word for term in terms for word in rivals(term)} - terms.keys()
    terms |= {word: f"{word}, no option" for word in kin}
    return phrases(terms)


def _content_finder(keys: Sequence[str]) -> Finder:
    """Finds the one option all of whose words stand in a sentence, in whatever form."""
    stems = {key: frozenset(content(key)) for key in keys}
    common = frozenset.intersection(*stems.values()) if stems else frozenset()

    def find(text: str) -> list[Mention]:
        said = frozenset(content(text))
        held = [k for k, s in stems.items() if len(s) > 1 and s <= said and s - common]
        return [Mention(0, len(text), held[0], weak=True)] if len(held) == 1 else []

    return find


def phrases(terms: Mapping[str, Hashable]) -> Finder:
    """Finds whole phrases, the longest first."""
    if not terms:
        return lambda _: []
    ordered = sorted(terms, key=len, reverse=True)
    spelled = "|".join(
        re.escape(term).replace(r"\ ", r"[\s-]+").replace(r"\-", r"[\s-]?") for term in ordered
    )
    compiled = re.compile(rf"(?<!\w)(?:{spelled})(?!\w)(?!'(?!s\b)\w)", re.IGNORECASE)
    squeezed = {re.sub(r"[\s-]+", " ", term): value for term, value in terms.items()}
    squeezed |= {re.sub(r"[\s-]+", "", term): value for term, value in terms.items()}

    def find(text: str) -> list[Mention]:
        if "right" in terms:
            text = _ADVERB.sub(lambda m: "_" * len(m[0]), text)
        plain = text if text.isascii() else _unaccented(text)
        found = []
        for match in compiled.finditer(plain):
            said = re.sub(r"[\s-]+", " ", match[0].lower())
            value = squeezed.get(said, squeezed.get(said.replace(" ", "")))
            found.append(Mention(*match.span(), value))
        return found

    return find


def _unaccented(text: str) -> str:
    """Without accents, every character in its place."""
    plain = [folded(c) if c.isalpha() else c for c in text]
    return "".join(p if len(p) == 1 else c for p, c in zip(plain, text, strict=True))


def _spellings(key: str) -> tuple[str, ...]:
    bare = key
    for article in ("a ", "an ", "the "):
        bare = bare.removeprefix(article)
    places: tuple[str, ...] = next((names for names in _SAME_PLACE if bare in names), ())
    ratio = key.replace(" ", "").replace(":", "/") if re.fullmatch(r"\d+ ?: ?\d+", key) else bare
    return (bare, ratio, *places, *synonyms(bare))


CHOICE = Grader(name="choice", check=_choice, options={"choices": list, "aliases": dict})
