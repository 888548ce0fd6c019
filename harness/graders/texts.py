"""Short text, codes and transcriptions."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

from harness.graders.choices import phrases
from harness.graders.clean import without_tex
from harness.graders.decide import _COPULA, _SUBORDINATE, _VERB, Mention, affirmed
from harness.graders.extract import Rank, Reply, refusal
from harness.graders.kinds import Check, Grader, Misfit, Task, checking, failed
from harness.graders.patterns import LISTS, pattern, regex
from harness.graders.question import Question
from harness.graders.words import STOPWORDS, content, folded, rivals, stem, synonyms, words
from harness.records import Verdict

NULLS = ("null", "none", "n/a", "nil", "nothing")
_ABSENT = pattern("said to be absent")
_NAME = pattern("names")
_BACKGROUND = pattern("background")
_JOINED = pattern("joined names")
_ALTERNATIVE = pattern("alternatives")
_LISTED = pattern("listed")
_ASIDE = pattern("aside")
_EMPTY, _GENERIC = frozenset(LISTS["no_answers"]), frozenset(LISTS["generic_names"])
_LIST_BEFORE = pattern("list in front")
_ARTICLES = ("the ", "a ", "an ")
_SLIPS = 2


def _text(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("text", "Fiji", "Yes, a **Fiji** bottle stands among the Evian ones.").passed
    True
    >>> try_out("text", "Fiji", "Fiji and Evian").reason
    'hedged: Fiji and Evian'
    """
    written = task.one("text")
    aliases = [str(alias) for alias in task.options.get("aliases", ())]
    if folded(written) in NULLS:
        return _null(written, task.question)
    find = _Slot([written, *aliases], task.question)
    check = checking(find.mentions, lambda value: value is True, written, question=task.question)
    spelled = {_bare(without_tex(name)) for name in (written, *aliases)}

    def check_text(reply: Reply) -> Verdict:
        if _bare(reply.text) in spelled:
            return Verdict(passed=True, answer=reply.text, reason=f"says {written}")
        return check(reply)

    return check_text


def _bare(text: str) -> str:
    plain = re.sub(r"[^\w&+#%]+", " ", folded(text).replace("'", "")).strip()
    for article in _ARTICLES:
        plain = plain.removeprefix(article)
    return plain


class _Slot:
    """Finds the expected text and its rivals in a sentence."""

    def __init__(self, spellings: Sequence[str], question: Question) -> None:
        self._question = question
        self._person = bool(question.words & {"who", "whose", "whom"})
        terms: dict[str, Hashable] = {}
        for spelling in spellings:
            name = folded(without_tex(spelling))
            for article in _ARTICLES:
                name = name.removeprefix(article)
            for term in (
                name,
                *synonyms(name),
                *_variants(name),
                *_names_of(spelling, self._person),
            ):
                terms[term] = True
        kin = {word for term in terms for word in rivals(term)} - terms.keys()
        self._kin = bool(kin)
        self._own = phrases(terms | dict.fromkeys(kin, False))
        self._longest = max(len(name.split()) for name in terms)

    def mentions(self, text: str) -> list[Mention]:
        own = self._own(text)
        if any(m.value is True for m in own) and len({m.value for m in own}) == 1:
            return self._among_names(text, own)
        if own:
            return own
        if other := self._stated(text):
            return [other]
        names = self._names(text, [])
        short = len(text.split()) <= max(4, self._longest + 1)
        if self._kin or not (names or short) or refusal(text):
            return []
        if short and not self._said_nothing(text):
            return [Mention(0, len(text), folded(text))]
        front = [n for n in names if not _in_background(text, n)]
        return front[:1]

    def _stated(self, text: str) -> Mention | None:
        """What a sentence says of the thing that was asked for: "The animal is a deer"."""
        copula = _COPULA.search(text)
        if copula is None or refusal(text):
            return None
        about = self._question.stems & set(content(text[: copula.start()]))
        fresh = [w for w in content(text[copula.end() :]) if w not in self._question.stems]
        return Mention(copula.end(), len(text), " ".join(fresh)) if about and fresh else None

    def _said_nothing(self, text: str) -> bool:
        return all(w in STOPWORDS or stem(w) in self._question.stems for w in words(text))

    def _names(self, text: str, own: Sequence[Mention]) -> list[Mention]:
        found = []
        for match in _NAME.finditer(text):
            name = match[1] or match[0]
            new = [w for w in content(name) if w not in self._question.stems]
            first = match.start() <= 1 and " " not in name and not match[1]
            opener = " " not in name and not match[1] and text[match.end() : match.end() + 1] == ","
            taken = opener or any(m.start < match.end() and match.start() < m.end for m in own)
            if new and not taken and not (first and not own):
                found.append(Mention(*match.span(), folded(name)))
        return found

    def _among_names(self, text: str, own: list[Mention]) -> list[Mention]:
        """The expected text, unless another answer stands in front of it or beside it."""
        first = affirmed(text, own)[:1]
        if not first:
            return own
        mine = first[0]
        for name in [] if self._kin else self._names(text, own):
            gap = text[min(mine.end, name.end) : max(mine.start, name.start)]
            if _JOINED.match(gap):
                both = text[min(mine.start, name.start) : max(mine.end, name.end)]
                return [mine._replace(hedge=both)]
        tail = text[mine.end : mine.end + 40]
        if _ALTERNATIVE.match(tail):
            return [mine._replace(hedge=text[mine.start : mine.end + 40])]
        brief = len(text.split()) <= self._longest + 6
        if brief and not _VERB.search(text):
            front = _LIST_BEFORE.match(text[: mine.start])
            if _LISTED.match(tail) or (front and self._fresh(front[1])):
                return [mine._replace(hedge=text)]
        before = self._other_in_front(text[: mine.start])
        return [Mention(0, mine.start, before)] if before else [mine]

    def _other_in_front(self, before: str) -> str | None:
        """Another answer in what stands before the expected text: "a Bosch, next to a ..."."""
        if front := _SUBORDINATE.match(before):
            before = before[front.end() :]
        joint = _ASIDE.last(before)
        if joint is None:
            return None
        return " ".join(self._fresh(before[: joint.start()])) or None

    def _fresh(self, text: str) -> list[str]:
        """Words that may be another answer."""
        return [
            w
            for w in words(text)
            if w not in STOPWORDS
            and w not in _EMPTY
            and stem(w) not in self._question.stems
            and not w.endswith(("ed", "ing", "ly"))
        ]


def _names_of(written: str, person: bool) -> list[str]:
    """Shorter forms of a name: "Niger" for "Niger Republic", first and last name of a person."""
    parts = [part.strip(".,()") for part in written.split()]
    names = [part for part in parts if part[:1].isupper() and part.lower() not in _GENERIC]
    rest = [part for part in parts if part not in names]
    if not names or len(parts) == 1:
        return []
    described = len(names) > 1 and parts[-len(names) :] == names
    if rest and (described or all(part.lower() in _GENERIC for part in rest)):
        return [" ".join(names).lower()]
    whole = person and 2 < len(names) == len(parts) < 5
    return [f"{names[0]} {names[-1]}".lower()] if whole else []


def _variants(name: str) -> list[str]:
    """Singular and plural."""
    if not name.isalpha() or len(name) < 3:
        return []
    return [name.removesuffix("s")] if name.endswith("s") and name[-2] != "s" else [f"{name}s"]


def _in_background(text: str, mention: Mention) -> bool:
    return bool(_BACKGROUND.search(text[max(0, mention.start - 60) : mention.start]))


_SAYS_NULL = pattern("null")


def _null(written: str, question: Question) -> Check:
    """ "The SKU does not exist", "no defect is visible": what the question calls NULL."""
    find = phrases(dict.fromkeys(NULLS, True))

    def mentions(text: str) -> list[Mention]:
        found = [m for m in find(text) if m.end - m.start == len(text.strip(" .\"'"))]
        said = _SAYS_NULL.search(text)
        if found or (said and not _ALTERNATIVE.match(text[said.end() :])):
            return found or [Mention(*said.span(), True)] if said else found
        if refusal(text):
            return []
        if absent := _ABSENT.search(text):
            return [Mention(*absent.span(), True)]
        fresh = [w for w in content(text) if w not in question.stems]
        short = len(text.split()) <= 4 and (fresh or not content(text))
        return [Mention(0, len(text), folded(text))] if short else []

    return checking(mentions, lambda value: value is True, written, question=question)


_CODE = pattern("codes")
_CODE_LABEL = pattern("code labels")
_GOES_ON = pattern("code goes on")
_LOOSE = regex(r"[\s\-\[\]]")


def _code(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("code", "QX71882", "The ID is qx 71882.").passed
    True
    >>> try_out("code", "B0O8", "B008").passed
    False
    >>> try_out("code", "AB12", "AB12 or AB21").passed
    False
    """
    written = _CODE_LABEL.sub("", task.one("code")) or task.one("code")
    exact = bool(task.options.get("case_sensitive", False))
    wanted = _code_key(written, exact)
    has_digits = any(c.isdigit() for c in written)
    joint = r"[ \-\[\]]{0,3}" if has_digits else r"[ ,-]{0,3}"
    parts = written.split() if _in_words(written) else list(_LOOSE.sub("", written))
    body = (r"\s{1,3}" if _in_words(written) else joint).join(map(re.escape, parts))
    whole = re.compile(rf"(?<!\w)(?:{body})(?!\w|[-./:'][\w])", 0 if exact else re.IGNORECASE)

    def find(text: str) -> list[Mention]:
        found = []
        for match in whole.finditer(text):
            more = _GOES_ON.match(text[match.end() : match.end() + 30])
            grown = more and stem(more[1].lower()) not in task.question.stems
            end = match.end() + (more.end() if more and grown else 0)
            found.append(
                Mention(match.start(), end, f"{wanted} {more[1]}" if more and grown else wanted)
            )
        for match in _CODE.finditer(text):
            inside = any(m.start < match.end() and match.start() < m.end for m in found)
            if not inside and _like(match[0], written, task.question):
                found.append(Mention(*match.span(), _code_key(match[0], exact)))
        if not found and len(text.split()) <= max(3, len(written.split())):
            return [Mention(0, len(text), _code_key(text.strip(" .\"'"), exact))]
        return sorted(found, key=lambda m: m.start)

    return checking(find, lambda value: value == wanted, written, question=task.question)


def _in_words(code: str) -> bool:
    """Words, as in a captcha, keep their spaces; a serial number may be spaced in any way."""
    return not any(c.isdigit() for c in code) and any(c.islower() for c in code)


def _code_key(code: str, exact: bool) -> str:
    code = " ".join(code.split()) if _in_words(code) else _LOOSE.sub("", code)
    return code if exact else code.upper()


def _like(word: str, written: str, question: Question) -> bool:
    """Characters of the kind that the expected code is made of, and enough of them."""
    if word.lower() in question.words or len(word) < 2:
        return False
    digits = sum(c.isdigit() for c in word)
    if any(c.isdigit() for c in written):
        enough = len(word) * 2 >= len(written.replace(" ", ""))
        return (digits > 0 and enough) or (word.isupper() and len(word) >= 4)
    return digits > 0 or (word.isupper() and len(word) >= max(3, len(written) - 2))


_LEAD_IN = pattern("lead-in of a quotation")
_BY = pattern("author behind a title")
_QUOTED = pattern("quotations")


def _transcription(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("transcription", "Mind the closing gate", 'It says "mind the closng gate".').passed
    True
    >>> try_out("transcription", "Mind the closing gate", "Mind the gap").passed
    False
    """
    written = task.one("transcription")
    wanted = normal(written)
    if not wanted:
        raise Misfit(f"{written!r} holds nothing to transcribe")
    share = task.options.get("max_cer")
    limit = int(len(wanted) * share) if share is not None else min(_SLIPS, len(wanted) // 10)

    def check(reply: Reply) -> Verdict:
        if reply.fault:
            return failed(reply.fault)
        best = min(_candidates(reply), key=lambda said: distance(normal(said), wanted, limit))
        off = distance(normal(best), wanted, limit)
        rates = error_rates(normal(best), wanted)
        if off <= limit and (share is not None or _same_words(normal(best), wanted)):
            slips = f", {off} characters off" if off else ""
            reason = f"says it{slips}"
            return Verdict(passed=True, answer=best[:200], reason=reason, measures=rates)
        if why := refusal(reply.text) if len(reply.text) < 400 else None:
            return failed(why)
        reason = f"expected {written[:80]!r}"
        return Verdict(passed=False, answer=best[:200], reason=reason, measures=rates)

    return check


def normal(text: str) -> str:
    """Letters and digits in lower case, single spaces."""
    plain = re.sub(r"[^\w%+#@$£€]|_", " ", folded(text).replace("&", " and "))
    return " ".join(plain.split()).removeprefix("the ")


def distance(said: str, wanted: str, limit: int) -> int:
    """Edits with swaps from one text to the other; `limit` + 1 for any more."""
    if said == wanted:
        return 0
    if abs(len(said) - len(wanted)) > limit:
        return limit + 1
    from rapidfuzz.distance import OSA

    return OSA.distance(said, wanted, score_cutoff=limit)


def error_rates(said: str, wanted: str) -> dict[str, float]:
    """Edits for each character, and for each word, that should have been said.

    >>> error_rates("mind the gap", "mind the gate")
    {'cer': 0.1538, 'wer': 0.3333}
    """
    from rapidfuzz.distance import Levenshtein

    characters = Levenshtein.distance(said, wanted) / len(wanted)
    words_off = Levenshtein.distance(said.split(), wanted.split()) / len(wanted.split())
    return {"cer": round(characters, 4), "wer": round(words_off, 4)}


def _same_words(said: str, wanted: str) -> bool:
    """A word of which two letters differ is another word."""
    ours, theirs = wanted.split(), said.split()
    if len(ours) != len(theirs):
        return distance(said, wanted, 1) <= 1
    return all(
        distance(a, b, 1) <= 1 and (a == b or not a.isdigit())
        for a, b in zip(ours, theirs, strict=True)
    )


def _candidates(reply: Reply) -> list[str]:
    """The pieces of a reply that may be the transcription."""
    text = reply.text
    answers = [s.text for s in reply.statements if s.rank == Rank.ANSWER and s.text]
    if answers:
        return [text[text.rfind(answers[-1]) :], answers[-1]]
    found = [text]
    quoted = [match[1] for match in _QUOTED.finditer(text)]
    if quoted and len(quoted[0]) < len(text) - 2:
        found += [quoted[0], " ".join(quoted)] if len(quoted) < 4 else [" ".join(quoted)]
    if lead := _LEAD_IN.match(text):
        found.append(text[lead.end() :])
    if by := _BY.search(text):
        found.append(text[: by.start()])
    if len(set(reply.bold)) == 1:
        found.append(reply.bold[0])
    return found


TEXT = Grader(name="text", check=_text, options={"aliases": list})
CODE = Grader(name="code", check=_code, options={"case_sensitive": bool})
TRANSCRIPTION = Grader(
    name="transcription", check=_transcription, options={"max_cer": (int, float)}, repeats=True
)
