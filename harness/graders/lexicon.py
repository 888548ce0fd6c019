"""Words whose rivals are known, and the words that mean "nothing"."""

from __future__ import annotations

import re

from harness.graders.lazily import lazy
from harness.graders.reading import About, Said, Weight, stems
from harness.graders.terms import folded

_KIN_TABLE = """
red orange yellow green blue purple violet pink brown black white grey=gray beige tan cream
  gold=golden silver=silvery turquoise cyan teal magenta maroon navy=navy_blue indigo olive
  lime burgundy crimson scarlet amber ivory khaki lavender lilac peach coral mustard bronze
  copper charcoal transparent clear multicolored=multicoloured reddish bluish greenish
  yellowish brownish greyish=grayish pinkish purplish blackish whitish
monday=mon tuesday=tues=tue wednesday=wed thursday=thurs=thur=thu friday=fri saturday sunday
january=jan february=feb march april=apr may june=jun july=jul august=aug september=sept=sep
  october=oct november=nov december=dec
spring summer autumn=fall winter
circle=circular=round square=squared triangle=triangular rectangle=rectangular
  oval=elliptical=ellipse hexagon=hexagonal octagon=octagonal pentagon=pentagonal diamond
  cube cylinder=cylindrical sphere=spherical cone=conical star
horizontal=horizontally vertical=vertically diagonal=diagonally
clockwise anticlockwise=counterclockwise=counter_clockwise=anti_clockwise
open=opened closed=shut
empty full
north south east west northeast=north_east northwest=north_west southeast=south_east
  southwest=south_west
front back=rear
up=upward=upwards down=downward=downwards
male=man female=woman
day=daytime night=nighttime
indoors=indoor=inside outdoors=outdoor=outside
sunny cloudy=overcast rainy=raining snowy=snowing foggy
wood=wooden metal=metallic plastic glass paper cardboard concrete leather fabric rubber
  ceramic
"""
"""A group a line, its further lines indented; "=" joins spellings of one word."""
NULLS = ("null", "none", "n/a", "nil", "nothing")
_ABSENT = lazy(
    r"\b(?:(?:does|do|did|is|are|was|were|could|can)(?: not|n't)|cannot|no) (?:\w+ ){0,2}?"
    r"(?:exist|exists|found|listed|present|included|available|appear|such|there|shown|contain"
    r"|match|entry)\b",
    re.IGNORECASE,
)
_NO_SUCH = lazy(
    r"(?:there (?:is|are|'s) |i (?:can )?see |i (?:do not|don't|cannot|can't) (?:see"
    r"|find) any )?no (?:[\w-]+ ){1,3}"
    r"(?:is|are|was|were|visible|in|on|can)\b|there (?:is|are) no\b|i (?:do not|don't) (?:see"
    r"|find) any\b",
    re.IGNORECASE,
)


def _kin() -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for group in _KIN_TABLE.strip().replace("\n  ", " ").splitlines():
        members: dict[str, str] = {}
        for item in group.split():
            spellings = [word.replace("_", " ") for word in item.split("=")]
            members.update(dict.fromkeys(spellings, spellings[0]))
        for word in members:
            table.setdefault(word, members)
    return table


_KIN = _kin()


def rivals_of(word: str) -> dict[str, str]:
    """The words of which a reply can say only one, with a name for each; empty for other words.

    >>> rivals_of("Gray")["grey"], rivals_of("sunday")["monday"], rivals_of("forklift")
    ('grey', 'monday', {})
    """
    return _KIN.get(folded(word), {})


def nulls_in(said: Said, about: About) -> str | None:
    """ "The SKU does not exist", "no defect is visible": what the question calls NULL."""
    last = said.statements[-1]
    if len(said.statements) > 2 and last.weight < Weight.CONCLUSION:
        return None
    for statement in (said.statements[0], last):
        said_stems = frozenset(stems(statement.text))
        if _ABSENT.search(statement.text) and said_stems & about.stems:
            return statement.text
        if _NO_SUCH.match(statement.text) and about.subject in said_stems:
            return statement.text
    return None
