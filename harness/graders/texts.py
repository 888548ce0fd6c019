"""Short text, codes and transcriptions."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from harness.graders.choices import phrases
from harness.graders.decide import Check, Mention, Misfit, affirmed, checking, no_answer, one
from harness.graders.extract import Reply, refusal, without_tex
from harness.graders.question import asked_stems, asked_words
from harness.graders.words import LISTS, content, folded, kin, pattern, phrase, without_article
from harness.records import Case, Verdict

NULLS = ("null", "none", "n/a", "nil", "nothing")
_ALTERNATIVE = phrase("an alternative fails")
_LISTED, _LIST_BEFORE = phrase("a list is no answer"), phrase("a list in front is no answer")
_NAMES_BESIDE = (
    pattern(r"([A-Z][\w'-]*)\"? (?:and|&) (?:the )?\"?$", "Kent and Surrey are two answers", 0),
    pattern(r"^\"? (?:and|&) (?:the )?\"?([A-Z][\w'-]*)", "Surrey and Kent are, too", 0),
)
_ASIDE = phrase("another answer, beside which the expected one stands")
_COPULA = phrase("a copula")
_EMPTY, _GENERIC = frozenset(content(" ".join(LISTS["no_answers"]))), LISTS["generic_names"]
_CODE, _GOES_ON = phrase("codes"), phrase("code that goes on")
_LEAD_IN = phrase("It says: ...")
_SLIPS = 2
"""In a transcription, at most, and one in ten characters, where its case does not say more."""


def text(case: Case) -> Check:
    """A word or a few."""
    spellings = [one(case), *map(str, case.options.get("aliases", ()))]
    spellings += NULLS if folded(one(case)) in NULLS else ()
    check = checking(case, _TextFinder(spellings, case.question), lambda value: value is True)
    spelled = {_bare(without_tex(name)) for name in spellings}

    def check_text(reply: Reply) -> Verdict:
        if _bare(reply.text) in spelled and not reply.text.endswith("?"):
            return Verdict(passed=True, answer=reply.text, reason=f"says {one(case)}")
        return check(reply)

    return check_text


def _bare(said: str) -> str:
    return without_article(re.sub(r"[^\w&+#%]+", " ", folded(said).replace("'", "")).strip())


class _TextFinder:
    """Finds the expected text and its rivals in a sentence."""

    def __init__(self, spellings: Sequence[str], question: str) -> None:
        self._asked = asked_stems(question)
        person = bool(asked_words(question) & {"who", "whose", "whom"})
        terms: dict[str, Hashable] = {}
        for spelling in spellings:
            name = without_article(folded(without_tex(spelling)))
            names = (name, *kin(name)[0], *_variants(spelling, name, person))
            terms |= dict.fromkeys(names, True)
        rivals = {word: word for term in terms for word in kin(term)[1] if word not in terms}
        self._closed = bool(rivals)
        """Every other answer is known: another colour, another weekday."""
        self._own = phrases(rivals | terms)
        self._longest = max(len(name.split()) for name in terms)

    def __call__(self, said: str) -> list[Mention]:
        own = self._own(said)
        if own:
            return self._among_others(said, own) if all(m.value is True for m in own) else own
        copula = _COPULA.search(said)
        if self._closed or refusal(said):
            return []
        about_it = copula and self._asked & {*content(said[: copula.start()])}
        if copula and about_it and (fresh := self._fresh(said[copula.end() :])):
            return [Mention(copula.end(), len(said), " ".join(fresh))]  # "The animal is a deer"
        short = len(said.split()) <= max(4, self._longest + 1) and self._fresh(said)
        return [Mention(0, len(said), folded(said))] if short else []

    def _among_others(self, said: str, own: list[Mention]) -> list[Mention]:
        """The expected text, unless another answer stands in front of it or beside it."""
        mine = next(iter(affirmed(said, own)), None)
        if mine is None:
            return own
        before, tail = said[: mine.start], said[mine.end : mine.end + 40]
        brief = len(said.split()) <= len(said[mine.start : mine.end].split()) + 6
        listed = _LISTED.match(tail) or (_LIST_BEFORE.search(before) and self._fresh(before))
        beside = _NAMES_BESIDE[0].search(before) or _NAMES_BESIDE[1].match(tail)
        named = beside and not self._closed and self._fresh(beside[1])
        if named or _ALTERNATIVE.match(tail) or (brief and listed and not _COPULA.search(said)):
            return [mine._replace(hedge=said)]
        joints = list(_ASIDE.finditer(before))
        other = " ".join(self._fresh(before[: joints[-1].start()])) if joints else ""
        return [Mention(0, mine.start, other)] if other else [mine]

    def _fresh(self, said: str) -> list[str]:
        """Stems of words that may be another answer."""
        return [word for word in content(said) if word not in _EMPTY | self._asked]


def _variants(written: str, name: str, person: bool) -> list[str]:
    """Singular and plural; shorter forms of a name: "Niger" for "Niger Republic", first and last
    name of a person."""
    if name.isalpha() and len(name) > 2:
        return [name.removesuffix("s") if name[-2:] not in ("ss", name[-1:]) else name, f"{name}s"]
    parts = [part.strip(".,()") for part in written.split()]
    names = [part for part in parts if part[:1].isupper() and part.lower() not in _GENERIC]
    rest = [part for part in parts if part not in names]
    described = len(names) > 1 and parts[-len(names) :] == names
    if names and rest and (described or all(part.lower() in _GENERIC for part in rest)):
        return [" ".join(names).lower()]
    return [f"{names[0]} {names[-1]}".lower()] if person and 2 < len(names) == len(parts) else []


def code(case: Case) -> Check:
    """A serial number or tag, character by character; only spaces and hyphens may differ."""
    exact = bool(case.options.get("case_sensitive", False))
    written = one(case)
    in_words = not any(c.isdigit() for c in written) and any(c.islower() for c in written)
    asked = asked_words(case.question)

    def key(said: str) -> str:
        said = " ".join(said.split()) if in_words else re.sub(r"[\s\-\[\]]", "", said)
        return said if exact else said.upper()

    wanted = key(written)
    if not wanted:
        raise Misfit(f"{one(case)!r} is not a code")
    between, pieces = (r"\s+", written.split()) if in_words else (r"[\s-]?", [*wanted])
    spelled = between.join(map(re.escape, pieces))
    whole = re.compile(rf"(?<!\w){spelled}(?!\w)", 0 if exact else re.IGNORECASE)

    def find(said: str) -> list[Mention]:
        found = []
        for match in whole.finditer(said):
            more = _GOES_ON.match(said[match.end() : match.end() + 30])
            value = f"{wanted} {more[1]}" if more and more[1].lower() not in asked else wanted
            found.append(Mention(*match.span(), value))
        for match in _CODE.finditer(said):
            inside = any(m.start < match.end() and match.start() < m.end for m in found)
            if not inside and match[0].lower() not in asked and _alike(match[0], written):
                found.append(Mention(*match.span(), key(match[0])))
        if not found and len(said.split()) <= max(3, len(written.split())):
            return [Mention(0, len(said), key(said.strip(" .\"'")))]
        return sorted(found, key=lambda m: m.start)

    return checking(case, find, lambda value: value == wanted)


def _alike(word: str, written: str) -> bool:
    """Characters of the kind that the expected code is made of, and enough of them."""
    digits = any(c.isdigit() for c in word)
    if any(c.isdigit() for c in written):
        enough = len(word) * 2 >= len(written.replace(" ", ""))
        return len(word) > 1 and ((digits and enough) or (word.isupper() and len(word) > 3))
    return digits or (word.isupper() and len(word) >= max(3, len(written) - 2))


def transcription(case: Case) -> Check:
    """Running text; one slip in ten characters, two at most, if `max_cer` does not say more."""
    wanted = normal(one(case))
    if not wanted:
        raise Misfit(f"{one(case)!r} holds nothing to transcribe")
    share = case.options.get("max_cer")
    limit = int(len(wanted) * share) if share is not None else min(_SLIPS, len(wanted) // 10)

    def check(reply: Reply) -> Verdict:
        from rapidfuzz.distance import OSA, Levenshtein

        said = {normal(it): it for it in reversed(_transcriptions(reply))}
        best = min(said, key=lambda it: OSA.distance(it, wanted, score_cutoff=limit))
        off, ours, theirs = OSA.distance(best, wanted), wanted.split(), best.split()
        same_words = off <= 1  # two letters off is another word, a digit another number
        if len(ours) == len(theirs):
            pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
            same_words = all(OSA.distance(a, b) == 1 and not a.isdigit() for a, b in pairs)
        passed = off <= limit and (share is not None or same_words)
        if not passed and len(reply.text) < 400 and (why := refusal(reply.text)):
            return no_answer(why)
        slips = f"says it, {off} characters off" if off else "says it"
        return Verdict(
            passed=passed,
            answer=said[best][:200],
            reason=slips if passed else f"expected {one(case)[:80]!r}",
            measures={
                "cer": round(Levenshtein.distance(best, wanted) / len(wanted), 4),
                "wer": round(Levenshtein.distance(theirs, ours) / len(ours), 4),
            },
        )

    return check


def normal(said: str) -> str:
    """Letters and digits in lower case, single spaces."""
    plain = re.sub(r"[^\w%+#@$£€]|_", " ", folded(said).replace("&", " and "))
    return " ".join(plain.split()).removeprefix("the ")


def _transcriptions(reply: Reply) -> list[str]:
    """The pieces of a reply that may be the transcription."""
    if reply.answer:
        return [reply.text[reply.text.rfind(reply.answer) :], reply.answer]
    quoted, lead = re.findall(r"\"([^\"]{1,4000})\"", reply.text), _LEAD_IN.match(reply.text)
    found = [reply.text, *quoted[:1], " ".join(quoted)]
    return [*found, reply.text[lead.end() :]] if lead else found
