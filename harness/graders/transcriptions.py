"""Transcription: the same text but for a few characters, never for a digit."""

from __future__ import annotations

import re

from harness.graders.kinds import Check, Grader, Misfit, Task, one
from harness.graders.lazily import lazy
from harness.graders.reading import Said, Weight, empty_because, refusal
from harness.graders.spelling import unaccented
from harness.records import Verdict

_QUOTED = lazy(r"\"([^\"]{1,4000})\"")
_LEAD = lazy(
    r"^[^:\"]{1,160}:\s+(?=\S)|^.{0,120}?\b(?:reads?|says?|states?|written|writes|displays?"
    r"|shows?|is|are)\b[ ,:]+",
    re.IGNORECASE,
)
_BY = lazy(r"\"? by [A-Z]")
_ARTICLE = lazy(r"^(?:the|an?) (?=\w)")
_KEPT = lazy(r"[^\W_]+|[%&+=#@$£€]|(?<=\d)[.,:/-](?=\d)")
_SLIPS = 2
"""Slips that a careful reader forgives, in a text of any length."""
_CHARACTERS_A_SLIP = 8


def _check(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("transcription", "Keep away from it", 'It says: "Keep away form it"').passed
    True
    >>> try_out("transcription", "Gate 14 closes soon", "Gate 15 closes soon").reason
    'another digit: expected Gate 14 closes soon'
    """
    written = one(task.expected, "transcription")
    wanted = _ARTICLE.sub("", normal(written))
    if not wanted:
        raise Misfit("the expected text has no letters or digits")
    rate = task.options.get("max_cer")
    if rate is not None and not 0 <= rate < 1:
        raise Misfit("max_cer is a share from 0 to 1")
    allowed = (
        min(_SLIPS, len(wanted) // _CHARACTERS_A_SLIP) if rate is None else int(rate * len(wanted))
    )
    digits = _digits(wanted)

    def check(said: Said) -> Verdict:
        if not said.statements:
            return Verdict(passed=False, answer=None, reason=empty_because(said))
        best, distance = _closest(said, wanted, allowed)
        if distance <= allowed and _digits(normal(best)) == digits:
            return Verdict(
                passed=True, answer=best, reason=f"{distance} of {len(wanted)} characters differ"
            )
        if distance <= allowed:
            return Verdict(passed=False, answer=best, reason=f"another digit: expected {written}")
        if (why := refusal(said.text)) is not None:
            return Verdict(passed=False, answer=None, reason=why)
        return Verdict(
            passed=False,
            answer=best[:200],
            reason=f"more than {allowed} characters differ from {written}",
        )

    return check


def normal(text: str) -> str:
    """What counts of a text: letters and digits, one case, single spaces.

    >>> normal("  No-Parking,  24:00!")
    'no parking 24:00'
    """
    text = unaccented(text).casefold().replace("'", "").replace("&", " and ")
    out: list[str] = []
    end = 0
    for match in _KEPT.finditer(text):
        if out and text[end : match.start()]:
            out.append(" ")
        out.append(match[0])
        end = match.end()
    return "".join(out)


def _digits(text: str) -> str:
    return "".join(c for c in text if c.isdigit())


def _closest(said: Said, wanted: str, allowed: int) -> tuple[str, int]:
    scored = [
        (slips(_ARTICLE.sub("", normal(text)), wanted, allowed), text) for text in _candidates(said)
    ]
    best = min(score for score, _ in scored)
    return next((text, score) for score, text in scored if score == best)


def _candidates(said: Said) -> list[str]:
    """What a reply may mean by "it says ...": its answer line, itself, the rest, a quotation."""
    answers = [at for at, s in enumerate(said.statements) if s.weight == Weight.ANSWER]
    if answers:
        rest = said.statements[answers[-1] :]
        start = max(0, said.text.rfind(rest[0].text))
        # What the reading passes over as politeness may be part of the text.
        return [rest[0].text, " ".join(s.text for s in rest), said.text[start:]]
    found = [said.text]
    if lead := _LEAD.match(said.text):
        found.append(said.text[lead.end() :])
    quoted = _QUOTED.findall(said.text)
    if quoted and len(set(quoted)) == 1:
        found.append(quoted[0])
    elif quoted:
        found.append(" ".join(quoted))
    if len(set(said.emphasised)) == 1:
        found.append(said.emphasised[0])
    if by := _BY.search(said.text):
        found.append(said.text[: by.start()])
    paragraphs = [part.strip() for part in said.text.split("\n\n") if part.strip()]
    if 2 <= len(paragraphs) <= 3 and paragraphs[0].rstrip().endswith(":"):
        found.append(paragraphs[1])
    return found


def slips(said: str, wanted: str, limit: int) -> int:
    """Characters that differ; a word of which two differ is another word.

    >>> slips("mind the gate", "mind the gape", 2), slips("carry on", "party on", 2)
    (1, 3)
    """
    found = distance(said, wanted, limit)
    ours, theirs = wanted.split(" "), said.split(" ")
    if not 1 < found <= limit <= _SLIPS or len(ours) != len(theirs):
        return found
    other = any(distance(a, b, 1) > 1 for a, b in zip(ours, theirs, strict=True))
    return limit + 1 if other else found


def distance(a: str, b: str, limit: int) -> int:
    """Edit distance, two swapped neighbours being one edit; `limit` + 1 as soon as it is more.

    A band of 2 `limit` + 1 cells keeps it linear.

    >>> distance("kitten", "sitting", 3), distance("form", "from", 2)
    (3, 1)
    """
    if a == b:
        return 0
    if abs(len(a) - len(b)) > limit:
        return limit + 1
    far = limit + 1
    before: dict[int, int] = {}
    row = {j: j for j in range(limit + 1)}
    for i, left in enumerate(a, start=1):
        new = {0: i} if i <= limit else {}
        for j in range(max(1, i - limit), min(len(b), i + limit) + 1):
            cost = row.get(j - 1, far) + (left != b[j - 1])
            if i > 1 and j > 1 and left == b[j - 2] and a[i - 2] == b[j - 1]:
                cost = min(cost, before.get(j - 2, far) + 1)
            new[j] = min(cost, row.get(j, far) + 1, new.get(j - 1, far) + 1)
        if min(new.values()) > limit and min(row.values()) > limit:
            return far
        before, row = row, new
    return min(row.get(len(b), far), far)


TRANSCRIPTION = Grader(name="transcription", check=_check, options={"max_cer": (int, float)})
