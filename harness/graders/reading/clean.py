"""From what a model sent to plain text: no reasoning, no markup, one kind of quote and dash.

Every pattern here is linear: it has no nested repetition, and what it may span is bounded.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import msgspec

from harness.graders.lazily import lazy

LONGEST_READ = 40_000
"""Characters. Of a longer reply the first and the last half of this are read."""

LONGEST_HELD = 1_000_000
"""Characters. Of a longer one, reasoning included, the rest is not even looked at."""

_REASONING = lazy(
    r"<\s?(?P<close>/?)\s?(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad"
    r"|analysis"
    r"|seed:think)\s?>"
    r"|(?P<open_box>\[THINK\]|◁think▷)|(?P<close_box>\[/THINK\]|◁/think▷)",
    re.IGNORECASE,
)
_FINAL_CHANNEL = "<|channel|>final<|message|>"

_ODD_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»″〝〞＂", '"'),
        **dict.fromkeys("‘’‚‛ʼ′´＇", "'"),
        **dict.fromkeys("‐‑‒–−﹣－", "-"),
        **dict.fromkeys("—―", " - "),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f\u3000\t\f\v", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u0000\ufe0f", ""),
        **dict.fromkeys("\u2028\u2029\x85\r", "\n"),
        "×": "x",
        "✕": "x",
        "…": "...",
        "。": ". ",
        "、": ", ",
        "⁄": "/",
        "º": "°",
        "½": " 1/2",
        "¼": " 1/4",
        "¾": " 3/4",
    }
)

_TAG_ANSWER = lazy(r"<answer>|<final_answer>|<\|begin_of_box\|>", re.IGNORECASE)
_TAG_OTHER = lazy(r"<\|[^|<>\n]{1,40}\|>|</?[a-zA-Z][^<>\n]{0,80}>")
_BREAK = lazy(r"<br\s?/?>|</p>|</li>|</answer>|</final_answer>|<\|end_of_box\|>", re.I)
_FENCE = lazy(r"^[ ]{0,8}(?:```|~~~)[\w+-]{0,20}[ ]*$", re.MULTILINE)
_STRUCK = lazy(r"~~[^~\n]{1,200}~~")
_LINK = lazy(r"!?\[([^\[\]\n]{1,200})\]\((?:https?:|#|/)[^()\s]{0,500}\)")
_LINE_MARK = lazy(r"^[ ]{0,12}(?:#{1,6}[ ]+|(?:>[ ]?){1,4}|[-*+•‣▪●][ ]+)", re.MULTILINE)
_STARS = lazy(r"\*\*+|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)")
_UNDERLINES = lazy(r"(?<![\w_])_{1,3}(?=[^\s_])|(?<=[^\s_])_{1,3}(?![\w_])")
_ESCAPED = lazy(r"\\([*_#$%&`~\[\]{}()>.!-])")
_EMPHASIS = lazy(r"(?<!\*)\*\*([^*\n]{1,120})\*\*(?!\*)|`([^`\n]{1,120})`")

_TEX_WRAP = lazy(
    r"\\(?:text|mathrm|mathbf|mathit|mathsf|textbf|textit|texttt|operatorname|mbox|displaystyle)"
    r"\s?\{([^{}]{0,200})\}"
)
_TEX_FRACTION = lazy(r"\\[dt]?frac\s?\{([^{}]{1,20})\}\s?\{([^{}]{1,20})\}")
_TEX_MATH = lazy(r"\$([^$\s](?:[^$\n]{0,80}[^$\s])?)\$(?!\d)")
_TEX_WORDS = (
    (r"\times", "x"),
    (r"\approx", "~"),
    (r"\sim", "~"),
    (r"^\circ", "°"),
    (r"^{\circ}", "°"),
    (r"\circ", "°"),
    (r"\pounds", "£"),
    (r"\quad", " "),
    (r"\,", ""),
    (r"\;", " "),
    (r"\:", " "),
    (r"\!", ""),
    (r"\(", ""),
    (r"\)", ""),
    (r"\[", "\n"),
    (r"\]", "\n"),
    ("$$", "\n"),
)
_BOXED = lazy(r"\\(?:boxed|fbox)\s?\{")
_ANSWER_KEYS = ("final_answer", "finalanswer", "answer", "result", "value", "output", "response")
_PLAIN = lazy(r"(?!-)[a-zA-Z0-9 ,.'!?:;/%-]*\Z")


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
    start, depth = 0, 0
    for mark in _REASONING.finditer(text):
        closes = bool(mark["close"] or mark["close_box"])
        if not closes and depth == 0:
            kept.append(text[start : mark.start()])
        elif closes and depth == 0:  # the template swallowed the opening tag
            kept.clear()
        depth = max(0, depth - 1) if closes else 1
        start = mark.end()
    if depth == 0:
        kept.append(text[start:])
    return "\n".join(kept) if len(kept) > 1 else "".join(kept)


def clipped(text: str, longest: int = LONGEST_READ) -> str:
    """Head and tail of a reply that is far too long to be an answer."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return text[:half] + "\n" + text[-half:]


def plain(text: str) -> str:
    r"""The words alone, line by line.

    >>> plain("**Answer:** `4`"), plain("It is $\\boxed{4}$.")
    ('Answer: 4', 'It is \nAnswer: 4\n.')
    >>> plain('{"answer": 4}'), plain("```json\n[4]\n```")
    ('Answer: 4', 'Answer: 4')
    """
    if _PLAIN.match(text):
        return text.strip()
    text = unusual_characters(text)
    text = _FENCE.sub("", text).strip()
    if text[:1] in ("{", "["):
        text = _out_of_json(text)
    if "\\" in text or text.count("$") > 1:
        text = _without_tex(text)
    if "<" in text:
        text = _TAG_OTHER.sub("", _BREAK.sub("\n", _TAG_ANSWER.sub("\nAnswer: ", text)))
    return _without_markdown(text).strip()


def unusual_characters(text: str) -> str:
    """Typographic and full-width characters as their plain ones."""
    if text.isascii():
        return text.replace("\r", "\n").replace("\t", " ").replace("\0", "")
    text = text.translate(_ODD_CHARACTERS)
    return "".join(
        unicodedata.normalize("NFKC", c) if "\uff01" <= c <= "\uff5e" else c
        for c in unicodedata.normalize("NFC", text)
    )


def lowered(text: str) -> str:
    """Lower case, every character in its place.

    >>> lowered("\u0130ABC"), lowered("ABC")
    ('\u0130abc', 'abc')
    """
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(c if len(low := c.lower()) > 1 else low for c in text)


def emphasised(text: str) -> tuple[str, ...]:
    """What stands in bold or code, in order.

    >>> emphasised("The **Fiji** bottle, not `Evian`")
    ('Fiji', 'Evian')
    """
    if "**" not in text and "`" not in text:
        return ()
    return tuple((bold or code).strip(" .:,;") for bold, code in _EMPHASIS.findall(text))


def _without_markdown(text: str) -> str:
    text = _LINE_MARK.sub("", _STRUCK.sub("", text))
    if "](" in text:
        text = _LINK.sub(r"\1", text)
    if "*" in text:
        text = _STARS.sub("", text)
    if "_" in text:
        text = _UNDERLINES.sub("", text)
    text = text.replace("`", "")
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text


def _without_tex(text: str) -> str:
    text = _boxes_as_answers(_TEX_FRACTION.sub(r"\1/\2", _TEX_WRAP.sub(r"\1", text)))
    for word, meaning in _TEX_WORDS:
        text = text.replace(word, meaning)
    return _TEX_MATH.sub(r"\1", text).replace("$\nAnswer:", "\nAnswer:").replace("\n$", "\n")


def _boxes_as_answers(text: str) -> str:
    out: list[str] = []
    start = 0
    for box in _BOXED.finditer(text):
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
