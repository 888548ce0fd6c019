"""Short text, codes and transcriptions."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from harness.graders.choices import phrases
from harness.graders.decide import Check, Mention, affirmed, checking, no_answer, one, require
from harness.graders.extract import Reply, asked, refusal, without_tex
from harness.graders.quantities import unit_at
from harness.graders.words import LISTS, PHRASES, any_of, content, folded, kin, without_article
from harness.records import Case, GradeContext, Verdict

NULLS = ("null", "none", "n/a", "nil", "nothing")
_EMPTY = frozenset(content(" ".join(LISTS["no_answers"])))
_SLIPS = 2
"""In a transcription, at most, and one in ten characters, where its case does not say more."""


def text(case: Case) -> Check:
    """A word or a few, unless another answer stands in front of it or beside it."""
    asked_for, terms = asked(case.question).stems, dict.fromkeys(_spellings(case), True)
    rivals = {word: word for term in terms for word in kin(term)[1] if word not in terms}
    named = phrases({**rivals, **terms})
    short = max(4, *(len(name.split()) + 1 for name in terms))

    def new(said: str) -> list[str]:
        """Stems of words that may be another answer."""
        return [word for word in content(said) if word not in asked_for | _EMPTY]

    def find(said: str) -> list[Mention]:
        found, copula = named(said), PHRASES["a copula"].search(said)
        mine = next(iter(affirmed(said, found)), None)
        if found and (mine is None or any(m.value is not True for m in found)):
            return found
        if mine is None:  # "The animal is a deer"
            about_it = copula and asked_for.intersection(content(said[: copula.start()]))
            start = copula.end() if copula and about_it else 0
            other = not rivals and (start or len(said.split()) <= short)
            words = " ".join(new(said[start:])) if other else ""
            return [Mention(start, len(said), words)] if words else []
        before, tail = said[: mine.start], said[mine.end : mine.end + 40]
        brief = not copula and len((before + said[mine.end :]).split()) <= 6
        beside = [PHRASES["Kent and"].search(before), PHRASES["and Kent"].match(tail)]
        for name, joint in (match.groups() for match in beside if match):
            both = joint in ("and", "&") and name[0].isupper()
            if new(name) and (both or brief):
                return [mine._replace(hedge=said)]
        joints = list(
            PHRASES["another answer, beside which the expected one stands"].finditer(before)
        )
        aside = " ".join(new(before[: joints[-1].start()])) if joints else ""
        return [Mention(0, mine.start, aside)] if aside else [mine]

    return checking(case, find, lambda value: value is True)


def _spellings(case: Case) -> Iterator[str]:
    """The expected text and its aliases; singular and plural; shorter forms of a name: "Niger" for
    "Niger Republic", first and last name of a person."""
    generic, person = LISTS["generic_names"], asked(case.question).words & {"who", "whose", "whom"}
    nulls = NULLS if folded(one(case)) in NULLS else ()
    for spelling in (one(case), *map(str, case.options.get("aliases", ())), *nulls):
        name = without_article(folded(without_tex(spelling)))
        yield from (name, *kin(name)[0])
        if name.isalpha() and len(name) > 2:
            yield f"{name}s"
            yield name.removesuffix("s") if name[-2:] not in ("ss", name[-1:]) else name
            continue
        parts = [part.strip(".,()") for part in spelling.split()]
        names = [part for part in parts if part[:1].isupper() and part.lower() not in generic]
        rest = [part for part in parts if part not in names]
        described = len(names) > 1 and parts[-len(names) :] == names
        if names and rest and (described or all(part.lower() in generic for part in rest)):
            yield " ".join(names).lower()
        elif person and 2 < len(names) == len(parts):
            yield f"{names[0]} {names[-1]}".lower()
        if "#" in name:
            yield re.sub(r"#(?=\d)", "", name)


def code(case: Case) -> Check:
    """A serial number or tag, character by character; only spaces and hyphens may differ, and
    words of the question may stand between its parts: "J1, pin 13"."""
    written, words = one(case), asked(case.question).words
    exact = bool(case.options.get("case_sensitive", False))

    def key(said: str) -> str:
        said = re.sub(r"[\s\-\[\]]", "", said)
        return said if exact else said.upper()

    wanted = key(written)
    require(wanted, f"{written!r} is not a code")
    whole = _code_pattern(written, wanted, words, 0 if exact else re.IGNORECASE)
    counted = re.compile(rf" (?:{any_of(filter(str.isalpha, words))})s?\b", re.IGNORECASE)

    def find(said: str) -> list[Mention]:
        found = []
        for hit in whole.finditer(said):  # "J1: 13 pins" is no pin 13
            apart = not wanted.isdigit() and re.search("[:,]", hit[0])
            if not (apart and counted.match(said, hit.end())):
                found.append(Mention(*hit.span(), wanted))
        for match in PHRASES["codes"].finditer(said):
            token, (start, end) = match[0], match.span()
            inside = any(m.start <= start and end <= m.end for m in found)
            telling = any(c.isdigit() for c in token) or (token.isupper() and len(token) > 2)
            if 2 * len(key(token)) < len(wanted):  # "line 12" is no other code, "0800 412 9" is
                gaps = (said[m.end : start] or said[end : m.start] for m in found)
                telling = telling and any(PHRASES["J2-8 and 9"].fullmatch(gap) for gap in gaps)
            measured = token[:1].isdigit() and unit_at(said, end)[0]
            if telling and not inside and not measured and token.lower() not in words:
                found.append(Mention(start, end, key(token)))
        if not found and len(said.split()) <= max(3, len(written.split())):
            bare = key(said.strip(" .\"'"))
            weak = "=" in bare or 2 * len(bare) < len(wanted)
            return [Mention(0, len(said), bare, weak=weak)] if re.search(r"[^\W_]", bare) else []
        return sorted(found)

    return checking(case, find, lambda value: value == wanted)


def _code_pattern(written: str, wanted: str, words: Set[str], flags: int) -> re.Pattern[str]:
    """A code however its parts are set: "J1, pin 13" and "pin 13 of J1" where the question says
    pin, figures one by one or with commas, hexadecimal with its prefix."""
    echo = rf"(?:{any_of(it for it in words if it.isalpha() and content(it))})"
    hexadecimal = words & {"hex", "hexadecimal"}
    gap = r"[\s_-]?" if hexadecimal else r"[\s-]?"
    pieces = filter(None, re.split(r"[\s-]+", re.sub(r"[\[\]]", "", written)))
    parts = [gap.join(map(re.escape, it)) for it in pieces]
    between = rf"[\s,:;./#_(-]{{0,3}}(?:{echo}\s?(?:no\.?\s|number\s)?#?)?"
    spelled = [between.join(parts)]
    if len(parts) == 2:
        spelled.append(rf"{echo}\s#?{parts[1]} (?:of|on|in) (?:the )?(?:{echo} )?{parts[0]}")
    if wanted.isdigit() and len(wanted) > 2:
        spelled.append(
            rf"(?<!\d,)(?<!\d, ){', ?'.join(wanted[:-1])}(?:, ?|,? and ){wanted[-1]}(?!, ?\d)"
        )
        spelled.append(re.sub(r"(?<=\d)(?=(?:\d{3})+$)", ",", wanted))
    if hexadecimal:
        spelled.append(f"0x{spelled[0]}")
    return re.compile(rf"(?<!\w)(?:{'|'.join(spelled)})(?!\w)", flags)


def transcription(case: Case) -> Check:
    """Running text; one slip in ten characters, two at most, if `max_cer` does not say more."""
    wanted = normal(one(case))
    require(wanted, f"{one(case)!r} holds nothing to transcribe")
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
