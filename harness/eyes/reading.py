"""Answers in, card fields out: one small reader a test. Pure functions."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from harness.eyes import fits
from harness.eyes.card import Part, Tally, Thinking, TokensAtSide
from harness.eyes.charts import COLOURS, LINE_CHARS, Line
from harness.eyes.questions import ARRIVAL_CALLS, BUDGET_TOKENS, SCHEMA_KEY, SIDES_PX, Answer
from harness.records import Price, Reply
from harness.text import one_line

_SAME_TOKENS = 8
"""Two pictures cost the same when their tokens differ by no more."""
_ERRORS_ALLOWED = 0.2
_OVER_BUDGET = 1.25
"""Share of a budget up to which it counts as kept: servers end the thinking with a few words."""
_SYNONYMS = {"gray": "grey", "violet": "purple", "magenta": "pink", "turquoise": "cyan"}
_WHERE_PX = (1200, 800)
PLACES = ("top left", "top right", "middle", "bottom left", "bottom right")

Fields = dict[str, Any]
Verdicts = dict[str, str]


def letters(text: str) -> str:
    """Capitals and digits alone.

    >>> letters("**k7-x 4Q**.")
    'K7X4Q'
    """
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def says(text: str, code: str) -> bool:
    """Whether the code is in the reply, but for one character misread, added or left out.

    >>> says("The code is K7X-4Q.", "K7X4Q"), says("K7IX4Q", "K7X4Q"), says("KKXAQ", "K7X4Q")
    (True, True, False)
    """
    said, longest = letters(text), len(code) + 1
    windows = (said[at : at + longest] for at in range(max(1, len(said) - longest + 1)))
    return any(_common(it, code) >= len(code) - 1 for it in windows)


def _common(one: str, other: str) -> int:
    """Characters that stand in both, in the same order."""
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
    return sum(it.size for it in blocks)


def is_right(answer: Answer) -> bool | None:
    """Whether one reply is right; None where no single reply can be."""
    question, text = answer.question, answer.text
    if answer.reply is None:
        return None
    match question.test:
        case "arrives" if question.part == "blind":
            return not says(text, question.truth)
        case "arrives" if question.part != "code":
            return colours_in(text)[:1] == [question.truth]
        case "arrives":
            return says(text, question.truth)
        case "forms" if question.part == "Exif":
            return marks_in(text, question.truth)[:1] == [question.truth[0]]
        case "forms":
            return says(text, question.truth)
        case "whole":
            return marks_in(text, question.truth) == list(question.truth)
        case "concurrent" | "several":
            return says(text, question.truth[0])
        case "counting":
            return re.findall(r"\d+", text)[-1:] == [str(question.truth)]
        case "colour":
            return colours_in(text) == list(question.truth)
        case "left_right":
            return colours_in(text)[:1] == [question.truth]
    return None


def colours_in(text: str) -> list[str]:
    """
    >>> colours_in("Red, gray and the blue one")
    ['red', 'grey', 'blue']
    """
    words = (_SYNONYMS.get(it, it) for it in re.findall(r"[a-z]+", text.lower()))
    return [it for it in words if it in COLOURS]


def marks_in(text: str, marks: Sequence[str]) -> list[str]:
    """Those of `marks` that were named, in the order of the reply.

    >>> marks_in("7KAP, x4cc", ["X4CC", "7KAP", "PPPP"])
    ['7KAP', 'X4CC']
    """
    places = {it: _place(letters(text), it) for it in marks if says(text, it)}
    return sorted(places, key=lambda it: places[it])


def _place(said: str, code: str) -> int:
    """Where in the reply most of the code stands."""
    windows = range(max(1, len(said) - len(code) + 1))
    return max(windows, key=lambda at: _common(said[at : at + len(code)], code))


def line_errors(line: Line, said: Sequence[str]) -> int:
    """Characters of the line that the likest of `said` has not in their places."""
    right = 0
    for other in said:
        if len(other) == len(line.text):
            same = sum(a == b for a, b in zip(line.text, other, strict=True))
        else:  # one was left out or added: those before and behind it still count
            same = _common(line.text, other)
        right = max(right, same)
    return len(line.text) - right


def lines_read(answers: Sequence[Answer]) -> list[fits.LineRead]:
    """Lines are paired in their order where all were said, else with the likest that was said."""
    found = []
    for answer in answers:
        lines: Sequence[Line] = answer.question.truth or ()
        said = _lines_said(answer.text)
        paired = [[it] for it in said] if len(said) == len(lines) else [said] * len(lines)
        for line, near in zip(lines, paired, strict=True):
            chars = len(line.text)
            right = chars - line_errors(line, near)
            side_px = side_of(answer)
            found.append(fits.LineRead(side_px, line.height_px, right, chars))
    return found


def _lines_said(text: str) -> list[str]:
    """Lines, or words, of about the length of a chart's."""
    found = [letters(it) for it in text.splitlines()]
    if len(found) < 2:
        found = [letters(it) for it in text.split()]
    return [it for it in found if abs(len(it) - LINE_CHARS) <= LINE_CHARS // 2 - 1]


def side_of(answer: Answer) -> int:
    """Of an acuity chart, in pixels; 0 when the question went without one."""
    return int(answer.question.part.split()[0])


def smallest_legible(lines: Sequence[fits.LineRead], side_px: int) -> float | None:
    """The smallest line that was read with at most one error in five, as was the next larger."""
    mine = sorted((it for it in lines if it.side_px == side_px), key=lambda it: -it.height_px)
    read = [it.chars - it.right <= _ERRORS_ALLOWED * it.chars for it in mine]
    legible = [
        line.height_px
        for line, ok, larger in zip(mine, read, [True, *read], strict=False)
        if ok and larger
    ]
    return round(min(legible), 1) if legible else None


def acuity(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    """Tokens against size, legible heights, and the shrinking that explains them."""
    lines = lines_read(answers)
    legible = {
        str(side): smallest_legible(lines, side) for side in sorted({it.side_px for it in lines})
    }
    tokens, token_words = image_tokens(answers)
    found = fits.shrinking(lines) if any(legible.values()) else None
    fields: Fields = {"smallest_legible_px": legible, "image_tokens": tokens}
    verdicts = {"image tokens": token_words} if token_words else {}
    read = ", ".join(f"{px:g} px at {side}" for side, px in legible.items() if px is not None)
    verdicts["acuity"] = (
        f"smallest capitals read: {read}" if read else "no line of the charts was read"
    )
    if found is None:
        verdicts["shrinking"] = "cannot tell: too little of the charts was read"
        return fields, verdicts
    fields["shrinks_between_px"] = (found.low_px, found.high_px)
    if found.to_px is None:
        verdicts["shrinking"] = f"none seen: pictures arrive at {found.low_px} px or more"
    else:
        fields["shrinks_to_px"] = found.to_px
        verdicts["shrinking"] = (
            f"pictures are shrunk to about {found.to_px} px on the long side "
            f"({found.low_px} to {found.high_px} fit the answers)"
        )
    return fields, verdicts


def image_tokens(answers: Sequence[Answer]) -> tuple[tuple[TokensAtSide, ...], str | None]:
    """Input tokens of each chart less those of the question without a picture."""
    counts = {
        side_of(it): it.reply.tokens_in
        for it in answers
        if it.reply is not None and it.reply.tokens_in is not None
    }
    text_tokens = counts.pop(0, None)
    if text_tokens is None or not counts:
        return (), "cannot tell: the endpoint reports no input tokens"
    found = tuple(TokensAtSide(side, counts[side] - text_tokens) for side in sorted(counts))
    tokens = [it.tokens for it in found]
    curve = ", ".join(f"{it.tokens} at {it.side_px} px" for it in found)
    if max(tokens) - min(tokens) <= _SAME_TOKENS:
        return found, f"a flat rate whatever the size: {curve}"
    plateau = next((it for it in found if max(tokens) - it.tokens <= _SAME_TOKENS), found[-1])
    ends = f"; no more from {plateau.side_px} px on" if plateau.side_px < SIDES_PX[-1] else ""
    return found, f"{curve}{ends}"


def picture_cost(fields: Fields, price: Price) -> str | None:
    """What a picture of 1,024 px costs at the list price, in words."""
    tokens: dict[int, int] = {it.side_px: it.tokens for it in fields.get("image_tokens", ())}
    cost_usd = price.cost_usd(tokens.get(1024), 0)
    return None if cost_usd is None else f"a picture of 1,024 px costs ${cost_usd:.6f}"


def arrives(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    right = {it.question.part: is_right(it) for it in answers}
    by_colour = [ok for part, ok in right.items() if part not in ("code", "blind")]
    if right.get("blind") is False:
        return {}, {"arrives": "cannot tell: the code was known without the picture"}
    if right.get("code"):
        return {"arrives": True}, {"arrives": "yes: a random code was read"}
    if by_colour and all(by_colour):
        return {"arrives": True}, {"arrives": "yes: plain colours are named, a code is not read"}
    if len(answers) < ARRIVAL_CALLS:
        return {}, {"arrives": "cannot tell: some of its calls were not answered"}
    said = one_line(next((it.text for it in answers if it.reply), ""), 60)
    return {"arrives": False}, {"arrives": f"no: neither code nor colour was named ({said!r})"}


def whole(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    """One code of all is forgiven: a misreading, where a crop would cost more."""
    missed = []
    seen = 0
    for answer in answers:
        said = marks_in(answer.text, answer.question.truth)
        seen += len(said)
        pairs = zip(PLACES, answer.question.truth, strict=True)
        if lost := [place for place, mark in pairs if mark not in said]:
            missed.append((len(lost), f"{answer.question.part}: not seen {', '.join(lost)}"))
        elif not is_right(answer):
            missed.append((0, f"{answer.question.part}: all seen, in another order"))
    if seen <= len(answers):
        return {}, {"whole picture": "cannot tell: the codes of the charts are not read"}
    words = "; ".join(it for _, it in missed) or "all corners and the middle are seen"
    return {"whole_picture": sum(it for it, _ in missed) <= 1}, {"whole picture": words}


def forms(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    found = {}
    for answer in answers:
        part = answer.question.part
        if answer.reply is None:
            found[part] = f"refused: {one_line(answer.error or '', 80)}"
        elif is_right(answer):
            found[part] = "read"
        elif part == "Exif" and marks_in(answer.text, answer.question.truth):
            found[part] = "not turned upright"
        else:
            found[part] = "misread"
    if "read" not in found.values():  # whoever reads no code in any form misreads none
        found = {k: "taken" if v == "misread" else v for k, v in found.items()}
    return {"formats": found}, {"formats": ", ".join(f"{k}: {v}" for k, v in found.items())}


def where(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    located = []
    for answer in answers:
        truth = answer.question.truth
        numbers = fits.numbers_in(answer.text, len(truth))
        if numbers is not None:
            located.append(fits.Located(numbers, truth))
    if len(located) < 3:
        return {}, {"where": "cannot tell: fewer than three answers hold coordinates"}
    in_tokens = any("<loc" in it.text for it in answers)
    found = fits.coordinates(located, *_WHERE_PX, in_tokens=in_tokens)
    if found is None:
        return {}, {"where": "cannot tell: no convention explains the coordinates"}
    words = f"{found.name} explains the answers, {100 * found.error:.1f} % off on average"
    if found.picture_px:
        across, down = found.picture_px
        words += f"; they are pixels of a picture shrunk to about {across} x {down}"
        return {}, {"where": words}
    return {"coordinates": found.name}, {"where": words}


def concurrent(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    right = [is_right(it) for it in answers if it.reply is not None]
    swapped = sum(
        any(says(it.text, code) for code in it.question.truth[1] if code != own)
        for it in answers
        if it.reply is not None and not says(it.text, own := it.question.truth[0])
    )
    if swapped:
        words = f"NO: {swapped} of {len(right)} calls got the answer to another call's picture"
        return {"mixes_up_concurrent_pictures": True}, {"one at a time": words}
    if right and all(right):
        words = f"each of {len(right)} calls made four at a time got its own picture's answer"
        return {"mixes_up_concurrent_pictures": False}, {"one at a time": words}
    return {}, {"one at a time": "cannot tell: codes are not read"}


def several(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    kept = [int(it.question.part) for it in answers if is_right(it)]
    if kept:
        words = f"{max(kept)} pictures in one question are told apart, in their order"
        return {"pictures_per_question": max(kept)}, {"several pictures": words}
    errors = [it.error for it in answers if it.error]
    if errors and len(errors) == len(answers):
        words = f"one picture a question: {one_line(errors[0], 80)}"
        return {"pictures_per_question": 1}, {"several pictures": words}
    others = any(says(it.text, code) for it in answers if it.reply for code in it.question.truth[1])
    words = "another picture's code was named" if others else "cannot tell: codes are not read"
    return {}, {"several pictures": words}


def tally(name: str, label: str, answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    right = [is_right(it) for it in answers if it.reply is not None]
    found = Tally(sum(map(bool, right)), len(right))
    return {name: found}, {label: f"{found.right} of {found.asked} right"}


def colour(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    """Patch by patch; where the list has another length, plain colours still count."""
    truth = answers[0].question.truth
    said = colours_in(answers[0].text)
    right = sum(a == b for a, b in zip(said, truth, strict=False))
    words = f"{right} of {len(truth)} patches named in their order"
    return {"colour": Tally(right, len(truth))}, {"colour": words}


def repeatable(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    said = {it.text.strip() for it in answers if it.reply is not None}
    count = sum(it.reply is not None for it in answers)
    if count < 2:
        return {}, {"repeatability": "cannot tell: fewer than two replies"}
    told = "the same reply" if len(said) == 1 else f"{len(said)} different replies"
    words = f"{count} times the same question at temperature 0: {told}"
    return {"repeatable": len(said) == 1}, {"repeatability": words}


def schema(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    answer = answers[0]
    if answer.reply is None:
        words = f"response_format is refused: {one_line(answer.error or '', 80)}"
        return {"schema": False}, {"schema": words}
    bound = SCHEMA_KEY in answer.text  # which stands in the schema alone
    words = "response_format binds the reply" if bound else "response_format binds nothing"
    return {"schema": bound}, {"schema": words}


def thinking(answers: Sequence[Answer]) -> tuple[Fields, Verdicts]:
    """Over all answers: whether replies think unasked, obey `off`, and keep to a budget."""
    replies = [it.reply for it in answers if it.reply and it.question.thinking is None]
    steered = {it.question.thinking: it for it in answers if it.question.thinking}
    thought = sum(it.thought for it in replies)
    words = (
        f"{thought} of {len(replies)} replies came with reasoning that nobody asked for"
        if thought
        else "no reply came with reasoning unasked"
    )
    fields: dict[str, bool] = {"unasked": bool(thought)}
    off = steered.get("off")
    if off is not None and off.reply is None:
        words += f"; --thinking off failed: {one_line(off.error or '', 80)}"
    elif off is not None and off.reply is not None and thought:
        fields["can_be_switched_off"] = obeys = not off.reply.thought
        words += f"; --thinking off {'stops' if obeys else 'does not stop'} it"
    budgeted = steered.get(str(BUDGET_TOKENS))
    if budgeted is not None:
        kept, told = _budget(budgeted, answers)
        words += f"; {told}"
        if kept is not None:
            fields["keeps_to_budget"] = kept
    return {"thinking": Thinking(**fields)}, {"thinking": words}


def _budget(budgeted: Answer, answers: Sequence[Answer]) -> tuple[bool | None, str]:
    """Whether a reply kept to its budget, told by the same question without one."""
    budget = f"a budget of {BUDGET_TOKENS} tokens"
    if budgeted.reply is None:
        return None, f"{budget} failed: {one_line(budgeted.error or '', 80)}"
    within = _thinking_tokens(budgeted.reply)
    if within > BUDGET_TOKENS * _OVER_BUDGET:
        return False, f"{budget} is not kept ({within})"
    free = [
        _thinking_tokens(it.reply)
        for it in answers
        if it.reply
        and it.question.images == budgeted.question.images
        and it.question.thinking is None
    ]
    if not free or not (within or max(free)):
        return None, f"with {budget} neither"
    if max(free) <= BUDGET_TOKENS * _OVER_BUDGET:
        return None, f"{budget}: cannot tell, it thinks no longer than that without"
    return True, f"{budget} is kept ({within} instead of {max(free)})"


def _thinking_tokens(reply: Reply) -> int:
    """Of reasoning; where the endpoint does not count it, all output tokens: answers are short."""
    if not reply.thought:
        return 0
    return reply.tokens_reasoning or reply.tokens_out or 0


def part(answer: Answer) -> Part:
    question = answer.question
    return Part(
        test=question.test,
        part=question.part,
        asked=question.text,
        said=answer.reply.text if answer.reply else None,
        right=is_right(answer),
        error=answer.error,
    )
