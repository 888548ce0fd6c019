"""From what a model sent to plain text: no reasoning, no markup, one kind of quote and dash.

Every pattern is linear: no nested repetition, and what it may span is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec

from harness.graders.words import CHARACTERS, TEX, pattern

_THINK = r"(?:think|thinking|thoughts?|reasoning|reflection|scratchpad|analysis|seed:think)"
_REASONING = pattern(
    rf"(?P<open><\s?{_THINK}\s?>|\[THINK\]|◁think▷)|</\s?{_THINK}\s?>|\[/THINK\]|◁/think▷",
    "reasoning is never graded",
)
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_ANSWER_TAG = pattern(r"<(?:final_)?answer>|<\|begin_of_box\|>", "tags that models are taught")
_BREAK_TAG = pattern(r"<br\s?/?>|</(?:p|li|(?:final_)?answer)>|<\|end_of_box\|>", "markup")
_NUMBERED = pattern(r"^[ ]{0,12}\**\d{1,2}[.)]\**[ ]+(?=\S)", "numbered lines", re.MULTILINE)
_MARKUP = pattern(
    r"^[ ]{0,12}(?:(?:#{1,6}[ ]+|>[ ]?|[-*+•‣▪●][ ]+){1,4}|(?:```|~~~)[\w+-]{0,20}[ ]*$)"
    r"|~~[^~\n]{1,200}~~|!?\[([^\[\]\n]{1,200})\]\((?:https?:|#|/)[^()\s]{0,500}\)"
    r"|<\|[^|<>\n]{1,40}\|>|</?[a-zA-Z][^<>\n]{0,80}>|`"
    r"|\*\*+|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|(?<![\w_])_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?![\w_])",
    "headings, quotes, bullets, fences, what is struck out, links, tags, stars, underlines",
    re.MULTILINE,
)
_MARKED = pattern(r"[^a-zA-Z0-9 ,.'!?:;/%()-]|^\W*-", "anything but words: a quick look")
_BOX = pattern(r"\\(?:boxed|fbox)\s?\{", "LaTeX: a box is an answer", 0)
_FRACTION = pattern(r"\\[dt]?frac\s?\{([^{}]{1,40})\}\s?\{([^{}]{1,40})\}", "LaTeX fractions", 0)
_COMMAND = pattern(r"\\([a-zA-Z]{2,14})(?![a-zA-Z])\s?", "LaTeX commands", 0)
_MATH = pattern(r"\$([^$\s](?:[^$\n]{0,200}[^$\s])?)\$(?!\d)", "$mathematics$ is not money", 0)
_SIGN = pattern(r"\\([*_#$%&`~\[\]{}()>.!,;: -])|(?<!\\)[{}]", "LaTeX signs and groups", 0)
_ANSWER_KEYS = ("final_answer", "finalanswer", "answer", "result", "value", "output", "response")


def without_reasoning(text: str) -> str:
    r"""Text outside reasoning blocks; one that never ends swallows the rest.

    >>> without_reasoning("<think>3? no, 4</think>4"), without_reasoning("so 3</think> 4")
    ('\n4', ' 4')
    >>> without_reasoning("<think>hm, 4 or 5")
    ''
    """
    text = text.rsplit(_FINAL_CHANNEL, 1)[-1]
    if "<" not in text and "[" not in text and "◁" not in text:
        return text
    kept: list[str] = []
    start, inside = 0, False
    for mark in _REASONING.finditer(text):
        if not mark["open"] and not inside:
            kept.clear()  # the template swallowed the opening tag
        elif mark["open"] and not inside:
            kept.append(text[start : mark.start()])
        inside, start = bool(mark["open"]), mark.end()
    if not inside:
        kept.append(text[start:])
    return "\n".join(kept)


def plain(text: str) -> str:
    r"""The words alone, line by line.

    >>> plain("**Answer:** `4`"), plain("It is $\\boxed{4}$.")
    ('Answer: 4', 'It is \nAnswer: 4\n.')
    >>> plain('{"answer": 4}'), plain(r"$\frac{1}{2} \mathrm{~cm}$")
    ('Answer: 4', '1/2 cm')
    """
    if text.isascii() and not _MARKED.search(text):
        return text.strip()
    text = usual_characters(text)
    bare = text.strip("` \n").removeprefix("json").strip()
    text = without_tex(_out_of_json(bare) if bare[:1] in ("{", "[") else text)
    if "<" in text:
        text = _BREAK_TAG.sub("\n", _ANSWER_TAG.sub("\nAnswer: ", text))
    text = _MARKUP.sub(r"\1", text)
    if len(_NUMBERED.findall(text)) > 1:
        text = _NUMBERED.sub("", text)
    return text.strip()


def usual_characters(text: str) -> str:
    """Typographic and full-width characters as their plain ones."""
    text = text.translate(CHARACTERS)
    if text.isascii():
        return text
    wide = re.sub("[\uff01-\uff5e]+", lambda m: unicodedata.normalize("NFKC", m[0]), text)
    return unicodedata.normalize("NFC", wide)


def without_tex(text: str) -> str:
    r"""
    >>> without_tex(r"$16 \sqrt { 5 }$ and 12{,}000, $55^{\circ}$")
    '16 √ 5  and 12,000, 55°'
    """
    if "\\" not in text and "{,}" not in text:
        return _MATH.sub(r"\1", text) if text.count("$") > 1 else text
    text = text.replace("{,}", ",").replace("$$", "\n").replace("\\\\", "\n").replace("\\,", "")
    for opening in ("\\(", "\\)", "\\!", "~"):
        text = text.replace(opening, "")
    text = _FRACTION.sub(r"\1/\2", text.replace("\\[", "\n").replace("\\]", "\n"))
    text = _boxes_as_answers(text)
    text = _COMMAND.sub(lambda m: TEX.get(m[1], f"{m[1]} "), text)
    text = _MATH.sub(r"\1", text.replace("^{°}", "°").replace("^°", "°"))
    return _SIGN.sub(r"\1", text.replace("$\nAnswer:", "\nAnswer:").replace("\n$", "\n"))


def _boxes_as_answers(text: str) -> str:
    out: list[str] = []
    start = 0
    for box in _BOX.finditer(text):
        if box.start() >= start:
            depth, end = 1, box.end()
            while depth and end < min(len(text), box.end() + 500):
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
            out += [text[start : box.start()], "\nAnswer: ", text[box.end() : end - 1], "\n"]
            start = end
    return "".join([*out, text[start:]])


def _out_of_json(text: str) -> str:
    """The answer field of a JSON reply as an answer line; other replies as they are."""
    try:
        said: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
    while isinstance(said, list | dict) and len(said) == 1:
        said = said[0] if isinstance(said, list) else next(iter(said.values()))
    if isinstance(said, dict):
        named = {str(key).lower().replace(" ", "_"): value for key, value in said.items()}
        said = next((named[key] for key in _ANSWER_KEYS if key in named), said)
    inner = said if isinstance(said, list) else [said]
    if any(isinstance(item, list | dict) for item in inner):
        return text
    return f"Answer: {spelled_value(said)}"


def spelled_value(value: Any) -> str:
    """A value of JSON as a person writes it.

    >>> spelled_value(True), spelled_value(4.0), spelled_value(["a", 2]), spelled_value(None)
    ('yes', '4', 'a, 2', 'null')
    """
    if isinstance(value, list | tuple):
        return ", ".join(map(spelled_value, value))
    if value is None or isinstance(value, bool):
        return {True: "yes", False: "no", None: "null"}[value]
    return f"{value:.12g}" if isinstance(value, float) else str(value)
