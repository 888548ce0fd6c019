"""Short text, codes and transcriptions."""

from __future__ import annotations

import re
from collections.abc import Hashable

from harness.graders.choices import phrases
from harness.graders.decide import Check, Mention, Misfit, affirmed, checking, no_answer, one
from harness.graders.extract import Reply, asked, refusal, without_tex
from harness.graders.words import LISTS, PHRASES, content, folded, kin, without_article
from harness.records import Case, GradeContext, Verdict

NULLS = ("null", "none", "n/a", "nil", "nothing")
_EMPTY = frozenset(content(" ".join(LISTS["no_answers"])))
_SLIPS = 2
"""In a transcription, at most, and one in ten characters, where its case does not say more."""


def text(case: Case) -> Check:
    """A word or a few, unless another answer stands in front of it or beside it."""
    question = asked(case.question)
    person = bool(question.words & {"who", "whose", "whom"})
    spellings = [one(case), *map(str, case.options.get("aliases", ()))]
    spellings += NULLS if folded(one(case)) in NULLS else ()
    terms: dict[str, Hashable] = {}
    for spelling in spellings:
        name = without_article(folded(without_tex(spelling)))
        terms |= dict.fromkeys((name, *kin(name)[0], *_variants(spelling, name, person)), True)
    rivals = {word: word for term in terms for word in kin(term)[1] if word not in terms}
    own_words = phrases(rivals | terms)
    short = max(4, *(len(name.split()) + 1 for name in terms))

    def new(said: str) -> list[str]:
        """Stems of words that may be another answer."""
        return [word for word in content(said) if word not in question.stems | _EMPTY]

    def other(said: str) -> list[Mention]:
        """What else a sentence says: "The animal is a deer"."""
        copula = PHRASES["a copula"].search(said)
        about_it = copula and question.stems.intersection(content(said[: copula.start()]))
        start = copula.end() if copula and about_it else 0
        words = " ".join(new(said[start:]))
        told = words and (start or len(said.split()) <= short) and not refusal(said)
        return [Mention(start, len(said), words)] if told and not rivals else []

    def find(said: str) -> list[Mention]:
        own = own_words(said)
        mine = next(iter(affirmed(said, own)), None)
        if mine is None or any(m.value is not True for m in own):
            return own or other(said)
        before, tail = said[: mine.start], said[mine.end : mine.end + 40]
        brief = len(said.split()) <= len(said[mine.start : mine.end].split()) + 6
        list_before = PHRASES["a list in front is no answer"].search(before) and new(before)
        listed = list_before or PHRASES["a list is no answer"].match(tail)
        names = PHRASES["Kent and Surrey: two answers"].search(before)
        names = names or PHRASES["Surrey and Kent, too"].match(tail)
        if (names and not rivals and new(names[1])) or (
            brief and listed and not PHRASES["a copula"].search(said)
        ):
            return [mine._replace(hedge=said)]
        joints = list(
            PHRASES["another answer, beside which the expected one stands"].finditer(before)
        )
        aside = " ".join(new(before[: joints[-1].start()])) if joints else ""
        return [Mention(0, mine.start, aside)] if aside else [mine]

    return checking(case, find, lambda value: value is True)


def _variants(written: str, name: str, person: bool) -> list[str]:
    """Singular and plural; shorter forms of a name: "Niger" for "Niger Republic", first and last
    name of a person."""
    if name.isalpha() and len(name) > 2:
        return [name.removesuffix("s") if name[-2:] not in ("ss", name[-1:]) else name, f"{name}s"]
    parts = [part.strip(".,()") for part in written.split()]
    generic = LISTS["generic_names"]
    names = [part for part in parts if part[:1].isupper() and part.lower() not in generic]
    rest = [part for part in parts if part not in names]
    described = len(names) > 1 and parts[-len(names) :] == names
    if names and rest and (described or all(part.lower() in generic for part in rest)):
        return [" ".join(names).lower()]
    return [f"{names[0]} {names[-1]}".lower()] if person and 2 < len(names) == len(parts) else []


def code(case: Case) -> Check:
    """A serial number or tag, character by character; only spaces and hyphens may differ."""
    written, words = one(case), asked(case.question).words
    exact = bool(case.options.get("case_sensitive", False))

    def key(said: str) -> str:
        said = re.sub(r"[\s\-\[\]]", "", said)
        return said if exact else said.upper()

    wanted = key(written)
    if not wanted:
        raise Misfit(f"{written!r} is not a code")
    spelled = r"[\s-]?".join(map(re.escape, wanted))
    more = r"(?! \d)" if wanted[-1].isdigit() else ""
    whole = re.compile(rf"(?<!\w){spelled}(?!\w){more}", 0 if exact else re.IGNORECASE)

    def find(said: str) -> list[Mention]:
        found = [Mention(*match.span(), wanted) for match in whole.finditer(said)]
        for match in PHRASES["codes"].finditer(said):
            token, inside = match[0], any(m.start <= match.start() < m.end for m in found)
            telling = any(c.isdigit() for c in token) or (token.isupper() and len(token) > 2)
            alike = telling and len(token) * 2 >= len(wanted)
            if alike and not inside and token.lower() not in words:
                found.append(Mention(*match.span(), key(token)))
        if not found and len(said.split()) <= max(3, len(written.split())):
            return [Mention(0, len(said), key(said.strip(" .\"'")))]
        return sorted(found)

    return checking(case, find, lambda value: value == wanted)


def transcription(case: Case) -> Check:
    """Running text; one slip in ten characters, two at most, if `max_cer` does not say more."""
    wanted = normal(one(case))
    if not wanted:
        raise Misfit(f"{one(case)!r} holds nothing to transcribe")
    share = case.options.get("max_cer")
    limit = int(len(wanted) * share) if share is not None else min(_SLIPS, len(wanted) // 10)

    def check(reply: Reply, _: GradeContext) -> Verdict:
        from rapidfuzz.distance import OSA, Levenshtein

        said = {normal(it): it for it in reversed(_transcripts(reply))}
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
        measures = {
            "cer": round(Levenshtein.distance(best, wanted) / len(wanted), 4),
            "wer": round(Levenshtein.distance(theirs, ours) / len(ours), 4),
        }
        reason = slips if passed else f"expected {one(case)[:80]!r}"
        return Verdict(passed=passed, answer=said[best][:200], reason=reason, measures=measures)

    return check


def _transcripts(reply: Reply) -> list[str]:
    """What of a reply may be the text: the answer that it states, else all of it, or a part."""
    if reply.answer:
        return [reply.text[reply.text.rfind(reply.answer) :], reply.answer]
    lead, quoted = PHRASES["It says: ..."].match(reply.text), re.findall(r'"([^"]+)"', reply.text)
    rest = reply.text[lead.end() if lead else 0 :]
    return [reply.text, *quoted[:1], " ".join(quoted), rest]


def normal(said: str) -> str:
    """Letters and digits in lower case, single spaces."""
    plain = re.sub(r"[^\w%+#@$£€]|_", " ", folded(said).replace("&", " and "))
    return " ".join(plain.split()).removeprefix("the ")
