"""Codes, serial numbers and captchas: every character counts; only case and spacing may differ."""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable

from harness.graders.kinds import Check, Grader, Task, judged, one, unread
from harness.graders.lazily import lazy
from harness.graders.reading import About, Finder, Mention, Said, decide, stem
from harness.records import Verdict

_CODE = lazy(r"(?<![\w.])[A-Za-z0-9]+(?:[-./:#][A-Za-z0-9]+)*(?![\w])")
_LABEL = lazy(r"^(?:[SP]/N|serial(?: no\.?| number)?|no\.)[:.]? ?(?=\S*\d)", re.IGNORECASE)
_LOOSE = r" \-\[\]"
"""Characters between the parts of a code that are no part of it: a check digit stands in a box."""


def _check(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("code", "QX71882", "The ID is qx 71882.").passed
    True
    >>> try_out("code", "B0O8", "B008").passed
    False
    >>> try_out("code", "AB12", "AB12 or AB21").passed
    False
    """
    whole = one(task.expected, "code")
    written = _LABEL.sub("", whole) or whole
    exact_case = bool(task.options.get("case_sensitive", False))
    find = _finder(written, exact_case, task.about)
    wanted = _key(written, exact_case)

    def check(said: Said) -> Verdict:
        reading = decide(said, task.about, find)
        if reading.value is None:
            return unread(reading)
        return judged(reading.value == wanted, reading, written)

    return check


def _key(code: str, exact_case: bool) -> str:
    code = " ".join(code.split()) if _in_words(code) else re.sub(rf"[{_LOOSE}]", "", code)
    return code if exact_case else code.upper()


def _in_words(code: str) -> bool:
    """Words, as in a captcha, keep their spaces; a serial number may be spaced in any way.

    >>> _in_words("overlooks inquiry"), _in_words("QX 71882"), _in_words("X J 9")
    (True, False, False)
    """
    return not any(c.isdigit() for c in code) and any(c.islower() for c in code)


def _finder(written: str, exact_case: bool, about: About) -> Finder:
    flags = 0 if exact_case else re.IGNORECASE
    if _in_words(written):
        body = r"\s{1,3}".join(re.escape(part) for part in written.split())
    else:
        apart = rf"[{_LOOSE}]{{0,3}}" if any(c.isdigit() for c in written) else r"[ ,-]{0,3}"
        body = apart.join(re.escape(c) for c in re.sub(rf"[{_LOOSE}]", "", written))
    whole = re.compile(rf"(?<![\w])(?:{body})(?![\w]|[-./:'][\w])", flags)
    wanted = _key(written, exact_case)

    def find(text: str) -> list[Mention]:
        exact = [
            _grown(text, match.start(), match.end(), wanted, about)
            for match in whole.finditer(text)
        ]
        others = [
            Mention(*match.span(), _key(match[0], exact_case))
            for match in _CODE.finditer(text)
            if _like_a_code(match[0], written, about)
            and not any(m.start < match.end() and match.start() < m.end for m in exact)
        ]
        if not exact and not others and len(text.split()) <= max(3, len(written.split())):
            return [Mention(0, len(text), _key(text.strip(" .\"'"), exact_case))]
        return _joined(text, sorted([*exact, *others], key=lambda m: m.start))

    return find


def _grown(text: str, start: int, end: int, wanted: Hashable, about: About) -> Mention:
    """A code that goes on ("QX 71882 1") is another code."""
    if re.match(r"\"? or \w", text[end : end + 8]):
        return Mention(start, end, wanted, hedge=text[start:].strip()[:60])
    after = re.match(r" ([A-Za-z0-9]+)", text[end : end + 30])
    if (
        after
        and (after[1].isdigit() or after[1].isupper())
        and stem(after[1].lower()) not in about.stems
    ):
        return Mention(start, end + after.end(), f"{wanted} {after[1]}")
    return Mention(start, end, wanted)


def _like_a_code(word: str, written: str, about: About) -> bool:
    """Characters of the kind that the expected code is made of, and enough of them."""
    if word.lower() in about.words or len(word) < 2:
        return False
    digits = sum(c.isdigit() for c in word)
    if any(c.isdigit() for c in written):
        return (digits > 0 and len(word) * 2 >= len(written.replace(" ", ""))) or (
            word.isupper() and len(word) >= 4
        )
    return digits > 0 or (word.isupper() and len(word) >= max(3, len(written) - 2))


def _joined(text: str, found: list[Mention]) -> list[Mention]:
    for left, right in itertools.pairwise(found):
        if left.value != right.value and re.fullmatch(
            r"\"?,? (?:or|and) \"?|\s?[/,;]\s?", text[left.end : right.start]
        ):
            said = text[left.start : right.end]
            found = [m._replace(hedge=said) if m in (left, right) else m for m in found]
    return found


CODE = Grader(name="code", check=_check, options={"case_sensitive": bool})
