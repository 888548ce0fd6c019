"""From what a model sent to plain text: no reasoning, no markup, one kind of quote and dash.

Every pattern here is linear: it has no nested repetition, and what it may span is bounded.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import msgspec

from harness.graders.patterns import pattern, regex

LONGEST_READ = 40_000
"""Characters. Of a longer reply the first and the last half of this are read."""
LONGEST_SCANNED = 1_000_000
"""Characters. Of a longer one, reasoning included, the rest is not looked at."""

_ODD = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»″〝〞＂", '"'),
        **dict.fromkeys("‘’‚‛ʼ′´＇", "'"),
        **dict.fromkeys("‐‑‒–−﹣－", "-"),
        **dict.fromkeys("—―", " - "),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u3000\t\f\v", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u0000\ufe0f", ""),
        **dict.fromkeys("\u2028\u2029\x85\r", "\n"),
        **dict.fromkeys("×✕", "x"),
        "…": "...",
        "。": ". ",
        "、": ", ",
        "⁄": "/",
        "º": "°",
        "℃": "°C",
        "℉": "°F",
        "½": " 1/2",
        "¼": " 1/4",
        "¾": " 3/4",
    }
)
_REASONING = pattern("reasoning tags")
_FINAL_CHANNEL = "<|channel|>final<|message|>"
_ANSWER_TAG = pattern("answer tags")
_BREAK_TAG = pattern("line break tags")
_TAG = pattern("other tags")
_FENCE = pattern("code fences")
_STRUCK = pattern("struck out")
_LINK = pattern("links")
_LINE_MARK = pattern("line marks")
_NUMBERED = pattern("numbered lines")
_STARS = pattern("stars")
_UNDERLINES = pattern("underlines")
_BOLD = pattern("bold")
_TEX_TEXT = pattern("TeX text")
_TEX_FRACTION = pattern("TeX fractions")
_TEX_ROOT = pattern("TeX roots")
_TEX_MATH = pattern("TeX math")
_TEX_BOX = pattern("TeX boxes")
_TEX_SIGN = pattern("TeX signs")
_TEX_WORD = pattern("TeX words")
_SIGNS = {"times": "x", "cdot": "x", "approx": "~", "sim": "~", "circ": "°", "pounds": "£"}
_SIGNS |= {"quad": " ", "displaystyle": "", "left": "", "right": "", "pi": "π", "theta": "θ"}
_ANSWER_KEYS = ("final_answer", "finalanswer", "answer", "result", "value", "output", "response")
_PLAIN = regex(r"(?!-)[a-zA-Z0-9 ,.'!?:;/%-]*\Z")


def without_reasoning(text: str) -> str:
    r"""Text outside reasoning blocks; one that never ends swallows the rest.

    >>> without_reasoning("<think>3? no, 4</think>4"), without_reasoning("so 3</think> 4")
    ('\n4', ' 4')
    >>> without_reasoning("<think>hm, 4 or 5")
    ''
    """
    if _FINAL_CHANNEL in text:
        text = text.rsplit(_FINAL_CHANNEL, 1)[1]
    if "<" not in text and "[" not in text and "◁" not in text:
        return text
    kept: list[str] = []
    start, inside = 0, False
    for mark in _REASONING.finditer(text):
        if mark["open"]:
            if not inside:
                kept.append(text[start : mark.start()])
            inside = True
        else:
            if not inside:  # the template swallowed the opening tag
                kept.clear()
            inside = False
        start = mark.end()
    if not inside:
        kept.append(text[start:])
    return "\n".join(kept) if len(kept) > 1 else "".join(kept)


def clipped(text: str, longest: int = LONGEST_READ) -> str:
    """Head and tail of a reply that is far too long to be an answer."""
    if len(text) <= longest:
        return text
    return text[: longest // 2] + "\n" + text[-(longest // 2) :]


def plain(text: str) -> str:
    r"""The words alone, line by line.

    >>> plain("**Answer:** `4`"), plain("It is $\\boxed{4}$.")
    ('Answer: 4', 'It is \nAnswer: 4\n.')
    >>> plain('{"answer": 4}'), plain(r"$\frac{1}{2} \mathrm{~cm}$")
    ('Answer: 4', '1/2 cm')
    """
    if _PLAIN.match(text):
        return text.strip()
    text = unusual_characters(text)
    text = _FENCE.sub("", text).strip()
    if text[:1] in ("{", "["):
        text = _out_of_json(text)
    if "\\" in text or "√{" in text or "{,}" in text or text.count("$") > 1:
        text = without_tex(text)
    if "<" in text:
        text = _TAG.sub("", _BREAK_TAG.sub("\n", _ANSWER_TAG.sub("\nAnswer: ", text)))
    return _without_markdown(text).strip()


def unusual_characters(text: str) -> str:
    """Typographic and full-width characters as their plain ones."""
    if text.isascii():
        return text.replace("\r", "\n").replace("\t", " ").replace("\0", "")
    text = unicodedata.normalize("NFC", text.translate(_ODD))
    return "".join(
        unicodedata.normalize("NFKC", c) if "\uff01" <= c <= "\uff5e" else c for c in text
    )


def emphasised(text: str) -> tuple[str, ...]:
    """What stands in bold or code, in order.

    >>> emphasised("The **Fiji** bottle, not `Evian`")
    ('Fiji', 'Evian')
    """
    if "**" not in text and "`" not in text:
        return ()
    return tuple((m[1] or m[2]).strip(" .:,;") for m in _BOLD.finditer(text))


def without_tex(text: str) -> str:
    r"""
    >>> without_tex(r"$16 \sqrt { 5 }$ and 12{,}000, $55^{\circ}$")
    '16 √(5) and 12,000, 55°'
    """
    if "\\" not in text and "√" not in text and "{,}" not in text:
        return _TEX_MATH.sub(r"\1", text) if text.count("$") > 1 else text
    text = text.replace("{,}", ",").replace("$$", "\n").replace("\\\\", "\n")
    text = _TEX_ROOT.sub(r"√(\1)", _TEX_TEXT.sub(r"\1", text))
    text = _TEX_FRACTION.sub(r"\1/\2", text)
    text = _boxes_as_answers(text)
    text = text.replace("^\\circ", "°").replace("^{\\circ}", "°")
    for opening in ("\\(", "\\)", "\\!"):
        text = text.replace(opening, "")
    text = text.replace("\\[", "\n").replace("\\]", "\n").replace("\\,", "").replace("~", "")
    text = _TEX_MATH.sub(r"\1", text).replace("$\nAnswer:", "\nAnswer:").replace("\n$", "\n")
    return _TEX_SIGN.sub(r"\1", _TEX_WORD.sub(lambda m: _SIGNS.get(m[1], m[1]), text))


def _boxes_as_answers(text: str) -> str:
    out: list[str] = []
    start = 0
    for box in _TEX_BOX.finditer(text):
        if box.start() < start:
            continue
        end = _closing_brace(text, box.end())
        out += [text[start : box.start()], "\nAnswer: ", text[box.end() : end], "\n"]
        start = end + 1
    return "".join([*out, text[start:]])


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for at in range(start, min(len(text), start + 500)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return min(len(text), start + 500)


def _without_markdown(text: str) -> str:
    text = _LINE_MARK.sub("", _STRUCK.sub("", text))
    if len(list(_NUMBERED.finditer(text))) > 1:
        text = _NUMBERED.sub("", text)
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "*" in text:
        text = _STARS.sub("", text)
    if "_" in text:
        text = _UNDERLINES.sub("", text)
    return text.replace("`", "")


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
    if isinstance(said, bool):
        return "Answer: yes" if said else "Answer: no"
    if said is None:
        return "Answer: null"
    if isinstance(said, list) and all(isinstance(item, str | int | float) for item in said):
        return "Answer: " + ", ".join(str(item) for item in said)
    return text if isinstance(said, list | dict) else f"Answer: {said}"
