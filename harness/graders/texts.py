"""Short text, a name, a colour, NULL: right when it is put forward, not merely mentioned."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from harness.graders import slots
from harness.graders.kinds import Check, Grader, Task, judged, one, unread
from harness.graders.lexicon import NULLS, nulls_in, rivals_of
from harness.graders.reading import About, Reading, Said, decide, empty_because
from harness.graders.spelling import pattern
from harness.graders.terms import folded, set_finder
from harness.records import Verdict


def _check(task: Task) -> Check:
    """
    >>> from harness.graders import try_out
    >>> try_out("text", "Fiji", "Yes, a **Fiji** bottle stands among the Evian ones.").passed
    True
    >>> try_out("text", "Fiji", "Fiji and Evian").reason
    'several answers: Fiji and Evian'
    >>> try_out("text", "red", "The cap is red, the jar blue.", "Which colour is the cap?").passed
    True
    """
    written = one(task.expected, "text")
    aliases = [str(alias) for alias in task.options.get("aliases", ())]
    if folded(written) in NULLS:
        return _null_check(written, aliases, task.about)
    if kin := rivals_of(written):
        return _kin_check(written, aliases, kin, task.about)
    spelled = pattern([written, *aliases, *_bans(written)])

    def check(said: Said) -> Verdict:
        reading = slots.read(said, spelled, task.about)
        return (
            unread(reading)
            if reading.value is None
            else judged(reading.value is True, reading, written)
        )

    return check


def _bans(written: str) -> list[str]:
    """Other words for a ban as signs have it: for "No entry" also "entry is prohibited"."""
    no, _, banned = written.partition(" ")
    if no.lower() != "no" or not banned:
        return []
    ways = ("prohibited", "forbidden", "not allowed", "not permitted", "banned")
    return [f"{banned} {verb}{way}" for verb in ("", "is ", "are ") for way in ways]


def _kin_check(written: str, aliases: Iterable[str], kin: dict[str, str], about: About) -> Check:
    """A word whose rivals are known: any other colour is another answer."""
    terms: dict[str, Hashable] = {
        **kin,
        **dict.fromkeys(map(folded, [written, *aliases]), kin.get(folded(written), written)),
    }
    find = set_finder(terms)
    wanted = terms[folded(written)]

    def check(said: Said) -> Verdict:
        reading = decide(said, about, find)
        return (
            unread(reading)
            if reading.value is None
            else judged(reading.value == wanted, reading, written)
        )

    return check


def _null_check(written: str, aliases: Sequence[str], about: About) -> Check:
    """NULL, none: the word, or what the question says it stands for."""
    spelled = pattern([written, *aliases, *NULLS])

    def check(said: Said) -> Verdict:
        if not said.statements:
            return Verdict(passed=False, answer=None, reason=empty_because(said))
        reading = slots.read(said, spelled, about)
        if reading.value is not True and (words := nulls_in(said, about)):
            reading = Reading(True, words, None)
        return (
            unread(reading)
            if reading.value is None
            else judged(reading.value is True, reading, written)
        )

    return check


TEXT = Grader(name="text", check=_check, options={"aliases": list})
