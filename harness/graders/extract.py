"""From what a model sent to sentences in plain text, and how plainly each states an answer.

Every pattern is linear: no nested repetition, and what it may span is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from harness.graders.words import CHARACTERS, PHRASES, TEX, content, kin, pattern, words

_LONGEST_READ, _LONGEST_SCANNED, _MOST_STATEMENTS = 40_000, 1_000_000, 400
"""Characters without and with reasoning, sentences: of more, both ends are read."""
PLAIN, CONCLUSION, ANSWER = range(3)
"""How plainly a sentence states an answer."""
CANNOT_TELL = "refuses or says it cannot tell"
_REFUSALS = ("refused by a content filter", "says it sees no image", CANNOT_TELL)


class Statement(NamedTuple):
    """A sentence, or what follows "the answer is"."""

    text: str
    rank: int
    alone: bool = False  # nothing else stands on its line


class Reply(msgspec.Struct, frozen=True):
    """A reply without reasoning and markup."""

    text: str
    statements: tuple[Statement, ...] = ()
    fault: str | None = None  # why there is nothing to read
    loops: bool = False  # ends in one piece, over and over
    body: str = ""  # the text with its markup

    @property
    def answer(self) -> str | None:
        """What the reply at last says is its answer."""
        return next((it.text for it in reversed(self.statements) if it.rank == ANSWER), None)


class Question(NamedTuple):
    text: str
    words: frozenset[str]
    stems: frozenset[str]
    opposites: frozenset[str]


@lru_cache(maxsize=4096)
def asked(question: str) -> Question:
    """A question in plain text, its words, the stems of those that carry meaning, and the words
    against it: "closed" where it says open."""
    text = without_tex(unicodedata.normalize("NFC", question.translate(CHARACTERS))).strip()
    said = frozenset(words(text))
    opposites = frozenset(other for word in said for other in kin(word)[1]) - said
    return Question(text, said, frozenset(content(text)), opposites)


_OPEN, _CLOSE = (
    rf"(?:<{slash}\s?(?:seed:)?(?:think(?:ing)?|thoughts?|reasoning|reflection|scratchpad|analysis)\s?>|\[{slash}THINK\]|◁{slash}think▷)"
    for slash in ("", "/")
)
_REASONING = pattern(rf"{_OPEN}.*?(?:{_CLOSE}|\Z)", "reasoning is never graded", re.I | re.S)
_UNOPENED = pattern(rf"^.*{_CLOSE}", "reasoning whose opening the template swallowed", re.I | re.S)
_TAG = pattern(
    r"(<(?:final_)?answer>|<\|begin_of_box\|>)|<br\s?/?>|</(?:p|li|(?:final_)?answer)>|<\|end_of_box\|>",
    "tags around an answer or at the end of a line",
)
_NUMBERED = pattern(r"^[ ]{0,12}\**(\d{1,2})[.)]\**[ ]+(?=\S)", "numbered lines", re.MULTILINE)
_MARKUP = pattern(
    r"^[ ]{0,12}(?:(?:#{1,6}[ ]+|>[ ]?|[-*+•‣▪●][ ]+){1,4}|(?:```|~~~)[\w+-]{0,20}[ ]*$)"
    r"|~~[^~\n]{1,200}~~|!?\[([^\[\]\n]{1,200})\]\((?:https?:|#|/)[^()\s]{0,500}\)"
    r"|<\|[^|<>\n]{1,40}\|>|</?[a-zA-Z][^<>\n]{0,80}>|`"
    r"|\*\*+|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|(?<![\w_])_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?![\w_])",
    "headings, quotes, bullets, fences, what is struck out, links, tags, stars, underlines",
    re.MULTILINE,
)
_MARKED = pattern(r"[^a-zA-Z0-9 ,.'!?:;/%()-]|^\W*-", "anything but words: a quick look")
_BOX = pattern(
    r"\$?\\f?box(?:ed)?\s?\{((?:[^{}]|\{(?:[^{}]|\{[^{}]{0,80}\}){0,80}\}){0,300})\}\$?",
    "LaTeX: a box is an answer",
    0,
)
_FRACTION = pattern(r"\\[dt]?frac\s?\{([^{}]{1,40})\}\s?\{([^{}]{1,40})\}", "LaTeX: fractions", 0)
_COMMAND = pattern(r"\\([a-zA-Z]{2,14})(?![a-zA-Z])\s?", "LaTeX: commands", 0)
_SIGN = pattern(r"(\$\$|\\[\\\[\]])|\^(?=\{?°)|\\[,!()]?|[{}~]", "LaTeX: new lines, signs, groups")
_MATH = pattern(r"\$([^$\s][^$\n]{0,200}?)\s?\$(?!\d)", "$mathematics$ is not money", 0)
_CUE = PHRASES["the answer is ..., in several languages; I would choose ..."]
_ANSWER_KEYS = ("final_answer", "finalanswer", "answer", "result", "value", "output", "response")


@lru_cache(maxsize=256)
def take_apart(raw: str) -> Reply:
    if len(raw) < 32 and PHRASES["a short reply without anything to take apart"].match(raw):
        return Reply(raw.strip(), (Statement(raw.strip(), PLAIN, alone=True),), body=raw)
    body = _ends(without_reasoning(_ends(raw, _LONGEST_SCANNED)), _LONGEST_READ)
    text = plain(body)
    if not text.strip(" \n.*_#`"):
        return Reply("", fault="only reasoning, no answer" if raw.strip() else "empty reply")
    return Reply(text, _statements(text), loops=loops(body), body=body)


def _ends(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most // 2]}\n{text[-most // 2 :]}"


def without_reasoning(text: str) -> str:
    """Text outside reasoning blocks; one that never ends swallows the rest."""
    if not {"<", "[", "◁"}.intersection(text):
        return text
    text = text.rsplit("<|channel|>final<|message|>", 1)[-1]
    return _UNOPENED.sub("", _REASONING.sub("\n", text))


def plain(text: str) -> str:
    """The words alone, line by line."""
    if text.isascii() and not _MARKED.search(text):
        return text.strip()
    text = unicodedata.normalize("NFC", text.translate(CHARACTERS))
    bare = text.strip("` \n").removeprefix("json").strip()
    text = without_tex(_out_of_json(bare) if bare[:1] in ("{", "[") else text)
    text = _TAG.sub(lambda m: "\nAnswer: " if m[1] else "\n", text)
    text = _MARKUP.sub(r"\1", text)
    numbers = [int(number) for number in _NUMBERED.findall(text)]
    # "4. Tyres" and "9. Horn" are no first and second line: their numbers say something.
    counted = len(numbers) > 1 and all(number <= at for at, number in enumerate(numbers, 1))
    return (_NUMBERED.sub("", text) if counted else text).strip()


def without_tex(text: str) -> str:
    if "\\" in text or "{,}" in text:
        text = _BOX.sub(r"\nAnswer: \1\n", text.replace("{,}", ","))
        text = _FRACTION.sub(r"\1/\2", text)
        text = _COMMAND.sub(lambda m: TEX.get(m[1], f"{m[1]} "), text)
        text = _SIGN.sub(lambda m: "\n" if m[1] else "", text)
    return _MATH.sub(r"\1", text) if text.count("$") > 1 else text


def _out_of_json(text: str) -> str:
    """The answer field of a JSON reply as an answer line; other replies as they are."""
    try:
        said: Any = msgspec.json.decode(text)
        while isinstance(said, list | dict) and len(said) == 1:
            (said,) = said.values() if isinstance(said, dict) else said
    except (msgspec.DecodeError, RecursionError):
        return text
    if isinstance(said, dict):
        named = {str(key).lower().replace(" ", "_"): value for key, value in said.items()}
        said = next((named[key] for key in _ANSWER_KEYS if key in named), said)
    inner = said if isinstance(said, list) else [said]
    nested = any(isinstance(item, list | dict) for item in inner)
    return text if nested else f"Answer: {spelled_value(said)}"


def spelled_value(value: Any) -> str:
    """A value of JSON as a person writes it."""
    if isinstance(value, list | tuple):
        return ", ".join(map(spelled_value, value))
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "null"}[value]
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def refusal(text: str) -> str | None:
    """Why a text is no answer, in words; None when it may be one."""
    return next((why for why in _REFUSALS if PHRASES[why].search(text[:4000])), None)


def loops(text: str, length: int = 480, longest: int = 160) -> bool:
    """Whether so many characters at a text's end are one piece, no longer than that, repeated."""
    tail = text.rstrip()[-length:]
    before = tail.rfind(tail[-24:], 0, -1)
    period = len(tail) - 24 - before
    repeats = before >= 0 and period <= longest and tail[period:] == tail[:-period]
    return len(tail) == length and repeats


def stated(reply: Reply) -> Reply:
    """Of a reply that was cut, what it says is its answer: the rest may have led elsewhere."""
    kept = [it for it in reply.statements if it.rank == ANSWER] or [
        it
        for it in reply.statements[:1]
        if PHRASES["opens with yes or no"].match(it.text) or (it.alone and it.text.count(" ") < 6)
    ]
    fault = None if kept else reply.fault or "cut before it stated an answer"
    return Reply(reply.text, tuple(kept), fault, body=reply.body)


def _statements(text: str) -> tuple[Statement, ...]:
    """Sentences. A correction takes back what stands before it, and a final answer the answers; an
    answer without text announces the next sentence."""
    found: list[Statement] = []
    announced = False
    for line in text.split("\n"):
        line = PHRASES["politeness is no answer"].sub("", line.strip())
        parts = [it.strip() for it in PHRASES["where a sentence ends"].split(line)]
        parts = [it for it in parts if re.search(r"[^\W_]|[?-]", it)]
        for part in parts:
            if corrections := [
                *PHRASES["the answer that a reply ends up with counts"].finditer(part)
            ]:
                found.clear()
                part = part[corrections[-1].end() :].strip()
            concludes = corrections or PHRASES["a conclusion"].search(part)
            cue = [None, *_CUE.finditer(part)][-1]
            said = part[cue.end() :].strip() if cue else part
            if cue and (concludes or "final" in cue[0].lower()):
                found = [it for it in found if it.rank != ANSWER]
            rank = ANSWER if cue or announced else CONCLUSION if concludes else PLAIN
            announced = bool(cue) and said[-1:] in ("", ":")
            if said and not announced:
                found.append(Statement(said, rank, len(parts) == 1))
        if len(found) > _MOST_STATEMENTS:
            del found[_MOST_STATEMENTS // 2 : -_MOST_STATEMENTS // 2]
    return tuple(found)
