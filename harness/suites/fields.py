"""What a column or key is called, and how a cell is read, in whatever file it stands."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any

import msgspec

from harness.errors import SuiteError

NAMES: Mapping[str, Sequence[str]] = {
    what: names.split()
    for what, names in {
        "id": "id question_id qid index idx sample_id uid pid item_id prompt_id case_id _key",
        "picture": "decoded_image file_name image images image_path image_file filename img"
        " img_path imgname image_name image_filename image_local_name image_paths"
        " picture pictures photo image_url image_id data_id",
        "question": "question query prompt text problem prefix question_text stem instruction input"
        " user_prompt",
        "answer": "answer answers expected gt_answer multiple_choice_answer label target"
        " correct_answer ground_truth gt gold ideal suffix reference_answer expected_answer"
        " answer_key correct_option solution output response reference expected_output answer_idx"
        " answer_index correct_idx correct_index",
        "options": "options choices option choice candidates answer_options",
        "hint": "hint context passage system",
        "category": "category subject topic type task task_type sub_task domain subset skill"
        " l2_category subfield question_type",
        "difficulty": "difficulty level",
        "grader": "grader",
    }.items()
}
"""Field: the names of columns that hold it, the best known first."""
SETTINGS = (
    *("aliases", "tolerance", "unit", "currency", "ordered", "max_cer", "iou"),
    *("case_sensitive", "fields", "schema", "coordinates", "format"),
)
"""Columns that hold an option of the grader."""
LETTERED, NUMBERED = "lettered options", "numbered pictures"
"""Fields whose parts have a column each."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBERED = re.compile(r"(?:image|img|picture|photo)s?(\d{1,2})")
_LETTERED = re.compile(r"(?:option|choice|opt)?([a-z])|(?:option|choice|opt)(\d\d?)")
"""A, Option A, optionA, option_a, choice_3."""
_OPTION_START = re.compile(r"(?:^|[\s;,|])\(?([A-Z])\s?[.):]\s*")
_IMAGE_TOKEN = re.compile(r"<image>|<\|image\|>|\[image\]|<image_placeholder>", re.IGNORECASE)
_IMAGE_PLACE = re.compile(r"<image[ _]?(\d{1,2})>", re.IGNORECASE)

Plan = Mapping[str, tuple[str, ...]]
"""Field: the columns of a row that may hold it, the best first."""


@lru_cache(maxsize=4096)
def bare(name: str) -> str:
    """As names are compared: Question ID, question_id and questionId are one."""
    return re.sub(r"[\W_]", "", name.casefold()) or name


_KNOWN = {bare(name): (name, 0) for name in SETTINGS} | {
    bare(name): (what, rank)
    for what, names in NAMES.items()
    for rank, name in reversed(list(enumerate(names)))
}


@lru_cache(maxsize=4096)
def field_of(name: str) -> tuple[str, int]:
    """The field that a column holds, and its rank among those that do; "" for none."""
    key = bare(name)
    if match := _NUMBERED.fullmatch(key):
        return NUMBERED, int(match[1])
    if key not in _KNOWN and (match := _LETTERED.fullmatch(key)):
        return LETTERED, int(match[2]) if match[2] else LETTERS.index(match[1].upper()) + 1
    return _KNOWN.get(key, ("", 0))


@lru_cache(maxsize=512)
def plan(names: tuple[str, ...], given: tuple[tuple[str, tuple[str, ...]], ...]) -> Plan:
    """Which columns hold which field; `given` is what the owner of the file says of it."""
    by_hand = {bare(it): (what, at) for what, held in given for at, it in enumerate(held)}
    taken = {what for what, _ in given}
    taken |= {NUMBERED} if "picture" in taken else set()
    taken |= {LETTERED} if "options" in taken else set()
    ranked = defaultdict[str, list[tuple[int, str]]](list)
    for name in names:
        what, rank = field_of(name)
        if bare(name) in by_hand:
            what, rank = by_hand[bare(name)]
        elif what in taken:
            continue
        ranked[what].append((rank, name))
    lettered = ranked[LETTERED]
    if len(lettered) < 2 or min(lettered)[0] > 1:  # x and y are no options
        del ranked[LETTERED]
    return {what: tuple(name for _, name in sorted(held)) for what, held in ranked.items() if what}


def is_empty(value: object) -> bool:
    """Nothing, or what spreadsheets and data frames write for nothing."""
    if isinstance(value, str):
        return len(value) < 8 and value.strip().casefold() in ("", "nan", "<na>")
    if isinstance(value, dict):
        return all(map(is_empty, value.values()))
    return value is None or value != value or value in ([], ())


def text_of(value: object) -> str:
    """A scalar as an answer is written; what is none is empty, or JSON.

    >>> text_of(True), text_of(7.5), text_of(" a "), text_of(None), text_of({"a": 1})
    ('yes', '7.5', 'a', '', '{"a": 1}')
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def line_of(value: object) -> str:
    return " ".join(text_of(value).split())


def hint_of(value: object) -> str:
    text = text_of(value)
    return "" if text.casefold() in ("none", "null", "n/a", "-") else text


def literal(text: str) -> Any:
    """A list or an object that is written as JSON or Python would; None for anything else."""
    with suppress(msgspec.DecodeError, RecursionError):
        return msgspec.json.decode(text)
    try:
        with warnings.catch_warnings(action="ignore"):  # of backslashes that mean nothing
            return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def listed(value: object) -> list[Any] | None:
    """A list, also one that is written as JSON or Python would; None for anything else.

    >>> listed('["a", "b"]'), listed("['a', 'b']"), listed("a, b"), listed((1, 2))
    (['a', 'b'], ['a', 'b'], None, [1, 2])
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = literal(value)
    return list(value) if isinstance(value, list | tuple) else None


def several(value: object) -> tuple[Any, ...]:
    """The pictures in one cell."""
    return tuple(it for it in listed(value) or [value] if not is_empty(it))


def answers_of(value: object) -> tuple[str, ...]:
    """The answers of which each is right; of what many people said, what three of them did, as the
    VQA score has it.

    >>> answers_of('["1"]'), answers_of([{"answer": 3}, 4]), answers_of(["a", "a", "a", "b", "b"])
    (('1',), ('3', '4'), ('a',))
    """
    if isinstance(value, dict):
        held = (value.get(key) for key in ("answer", "value", "text", "label"))
        if (found := next((it for it in held if not is_empty(it)), None)) is not None:
            return answers_of(found)
    either = isinstance(value, str) and "<OR>" in value  # as MM-Vet writes it
    parts = str(value).split("<OR>") if either else listed(value)
    if not parts or any(isinstance(part, list) for part in parts):
        return tuple(filter(None, [text_of(value)]))
    counted = Counter(answer for part in parts for answer in answers_of(part))
    most = max(counted.values(), default=1)
    if counted.total() < 5 or most == 1:
        return tuple(counted)
    return tuple(it for it, times in counted.most_common() if times >= min(3, most))


def options_of(value: object) -> tuple[str, ...]:
    """The options that one cell lists, in the order of their letters; "" for a letter without one.

    >>> options_of("A. red; B. green"), options_of({"B": "green", "A": "red"})
    (('red', 'green'), ('red', 'green'))
    >>> options_of(["(A) red", "(B) green"]), options_of("red; green"), options_of("red")
    (('red', 'green'), ('red', 'green'), ())
    """
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = literal(value)
    if isinstance(value, dict):
        filled = {str(key).strip().upper(): it for key, it in value.items() if not is_empty(it)}
        if not all(key in LETTERS and len(key) == 1 for key in filled):
            texts = value.get("text")
            return options_of(texts if isinstance(texts, list) else list(value.values()))
        places = range(LETTERS.index(max(filled, default="A")) + 1)
        return tuple(line_of(filled.get(LETTERS[at])) for at in places)
    parts = listed(value)
    if parts is None and isinstance(value, str):
        parts = list(_split(value))
    texts = [line_of(_content(part)) for part in parts or ()]
    if sum(map(bool, texts)) < 2 or len(texts) > len(LETTERS):
        return ()
    lettered = [
        re.match(rf"\(?{it}\s?[.):]\s*(?=\S)", text)
        for it, text in zip(LETTERS, texts, strict=False)
    ]
    return tuple(
        text[it.end() :] if it and all(lettered) else text
        for text, it in zip(texts, lettered, strict=True)
    )


def _content(part: object) -> object:
    if not isinstance(part, dict):
        return None if is_empty(part) else part
    return next((part[key] for key in ("text", "value", "content") if key in part), part)


def _split(text: str) -> Iterator[str]:
    """A text that lists options: by their letters, else by lines, `;`, `|` or commas."""
    starts = [
        match
        for match, letter in zip(_OPTION_START.finditer(text), LETTERS, strict=False)
        if match[1] == letter
    ]
    if len(starts) >= 2 and not text[: starts[0].start()].strip():
        ends = [*(it.start() for it in starts[1:]), len(text)]
        for start, end in zip(starts, ends, strict=True):
            yield text[start.end() : end].strip(" \t\n;,|")
        return
    if mark := next((it for it in "\n;|," if it in text.strip()), None):
        yield from (part.strip() for part in text.strip().split(mark) if part.strip())


def with_places(question: str, pictures: int) -> str:
    """The question with its marks for pictures: `<image 1>` where they matter, else none.

    Raises: SuiteError when it speaks of more pictures than there are.

    >>> with_places("<image>\\nHow many?", 1), with_places("Is <image> or <image> older?", 2)
    ('How many?', 'Is <image 1> or <image 2> older?')
    """
    if "<" not in question and "[" not in question:
        return question
    tokens = len(_IMAGE_TOKEN.findall(question))
    spoken_of = max(tokens, *map(int, _IMAGE_PLACE.findall(question)), 0)
    if spoken_of > pictures:
        raise SuiteError(
            f"the question speaks of {spoken_of} pictures, and the row has {pictures}",
            fix="give the row all of its pictures, or leave it out",
        )
    parts = [part.strip() for part in _IMAGE_TOKEN.split(question)]
    if not tokens or sum(map(bool, parts)) <= 1:  # all before the text, or behind it
        return "".join(parts) if tokens else question
    numbers = iter(range(1, tokens + 1))
    return _IMAGE_TOKEN.sub(lambda _: f"<image {next(numbers)}>", question).strip()
