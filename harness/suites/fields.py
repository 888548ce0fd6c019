"""What a column or key is called, and how a cell is read, in whatever file it stands."""

from __future__ import annotations

import ast
import json
import os
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from harness.images.files import shown
from harness.suites.own import parsed
from harness.suites.suite import Findings

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
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NUMBERED = re.compile(r"(?:image|img|picture|photo)s?(\d{1,2})")
_LETTERED = re.compile(r"(?:option|choice|opt)?([a-z])|(?:option|choice|opt)(\d\d?)")
"""A, Option A, optionA, option_a, choice_3."""
_PARTS = {"numbered pictures": "picture", "lettered options": "options"}
_OPTION_START = re.compile(r"(?:^|[\s;,|])\(?([A-Z])\s?[.):]\s*")
_EMPTY = ("", "nan", "<na>")
_NO_HINT = ("none", "null", "n/a", "-")

Plan = Mapping[str, tuple[str, ...]]
"""Field: the columns of a row that may hold it, the best first."""


@lru_cache(maxsize=4096)
def bare(name: str) -> str:
    """
    >>> bare("Question ID"), bare("questionId"), bare("A")
    ('questionid', 'questionid', 'a')
    """
    return re.sub(r"[^0-9a-z]", "", name.casefold())


_KNOWN = {bare(name): (name, 0) for name in SETTINGS} | {
    bare(name): (what, rank)
    for what, names in NAMES.items()
    for rank, name in reversed(list(enumerate(names)))
}


@lru_cache(maxsize=512)
def plan(names: tuple[str, ...], given: tuple[tuple[str, tuple[str, ...]], ...]) -> Plan:
    """Which columns hold which field; `given` is what the owner of the file says of it."""
    by_hand = {bare(it): (what, at) for what, held in given for at, it in enumerate(held)}
    taken = {what for what, _ in given}
    ranked = defaultdict[str, list[tuple[int, str]]](list)
    for name in names:
        key = bare(name)
        what, rank = by_hand.get(key) or _KNOWN.get(key) or ("", 0)
        if not what and (match := _NUMBERED.fullmatch(key)):
            what, rank = "numbered pictures", int(match[1])
        elif not what and (place := place_of(name)) is not None:
            what, rank = "lettered options", place
        if what and (key in by_hand or _PARTS.get(what, what) not in taken):
            ranked[what].append((rank, name))
    lettered = ranked["lettered options"]
    if len(lettered) < 2 or min(lettered)[0] > 1:  # x and y are no options
        del ranked["lettered options"]
    return {what: tuple(name for _, name in sorted(held)) for what, held in ranked.items()}


@lru_cache(maxsize=4096)
def place_of(name: str) -> int | None:
    """Which option a column holds: A or option_b is 1 and 2, Choice 3 is 3."""
    match = _LETTERED.fullmatch(bare(name))
    if match is None:
        return None
    return int(match[2]) if match[2] else LETTERS.index(match[1].upper()) + 1


# --- cells ----------------------------------------------------------------------------------


def is_empty(value: object) -> bool:
    """Nothing, or what spreadsheets and data frames write for nothing."""
    if isinstance(value, str):
        return len(value) < 8 and value.strip().casefold() in _EMPTY
    if isinstance(value, float):
        return value != value
    if isinstance(value, dict):
        return all(map(is_empty, value.values()))
    return value is None or value in ([], ())


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
    return "" if text.casefold() in _NO_HINT else text


def literal(text: str) -> Any:
    """A list or an object that is written as JSON or Python would; None for anything else."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        pass
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
    """The answers of which each is right.

    >>> answers_of('["1"]'), answers_of([{"answer": 3}, 4])
    (('1',), ('3', '4'))
    """
    if isinstance(value, dict):
        held = (value.get(key) for key in ("answer", "value", "text", "label"))
        if (found := next((it for it in held if not is_empty(it)), None)) is not None:
            return answers_of(found)
    parts = listed(value)
    if not parts or any(isinstance(part, list) for part in parts):
        return tuple(filter(None, [text_of(value)]))
    return _agreed([answer for part in parts for answer in answers_of(part)])


def _agreed(answers: Sequence[str]) -> tuple[str, ...]:
    """Of what many people said, what three of them did, as the VQA score has it."""
    counted = Counter(answers)
    if len(answers) < 5 or len(counted) == len(answers):
        return tuple(counted)
    common = [answer for answer, times in counted.most_common() if times >= 3]
    return tuple(common) or (counted.most_common(1)[0][0],)


def options_of(value: object) -> tuple[str, ...]:
    """The options that one cell lists, in the order of their letters; "" for a letter without one.

    >>> options_of("A. red; B. green"), options_of({"B": "green", "A": "red"})
    (('red', 'green'), ('red', 'green'))
    >>> options_of(["(A) red", "(B) green"]), options_of("red; green"), options_of("red")
    (('red', 'green'), ('red', 'green'), ())
    """
    if isinstance(value, str) and value.strip().startswith("{"):
        value = literal(value)
    if isinstance(value, dict):
        if isinstance(value.get("text"), list):
            return options_of(value["text"])
        filled = {str(key).strip().upper(): it for key, it in value.items() if not is_empty(it)}
        if not all(len(key) == 1 and key in LETTERS for key in filled):
            return options_of(list(value.values()))
        places = range(LETTERS.index(max(filled, default="A")) + 1)
        return tuple(line_of(filled.get(LETTERS[at])) for at in places)
    parts = listed(value)
    if parts is None and isinstance(value, str):
        parts = list(_split(value))
    texts = [line_of(_content(part)) for part in parts or ()]
    if sum(map(bool, texts)) < 2 or len(texts) > len(LETTERS):
        return ()
    lettered = [re.match(r"\(?([A-Z])\s?[.):]\s*(?=\S)", text) for text in texts]
    if all(it and it[1] == letter for it, letter in zip(lettered, LETTERS, strict=False)):
        texts = [text[it.end() :] for text, it in zip(texts, lettered, strict=True) if it]
    return tuple(texts)


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
    mark = next((it for it in "\n;|," if it in text.strip()), None)
    if mark:
        yield from (part.strip() for part in text.strip().split(mark) if part.strip())


# --- the side file --------------------------------------------------------------------------


class _Tables(Struct, forbid_unknown_fields=True):
    columns: dict[str, str | list[str]] = {}
    all: dict[str, Any] = {}
    category: dict[str, dict[str, Any]] = {}
    case: dict[str, dict[str, Any]] = {}


class SideFile:
    """`<suite>.graders.toml`: what no rule can guess of somebody else's suite.

    [columns]                    # field = column, or a list of them
    question = "ask"
    [all]                        # every case
    [category."Serial numbers"]  # the cases of a category; wins over [all]
    [case.0003-plate]            # one case; wins over both
    grader = "decimal"
    tolerance = 0.5
    """

    def __init__(self, path: Path, findings: Findings) -> None:
        self._problem = partial(findings.problem, shown(path.name))
        self._tables = _Tables()
        try:
            if os.path.lexists(path):
                self._tables = msgspec.convert(parsed(path), _Tables)
        except msgspec.ValidationError as exc:
            self._problem(str(exc), f"its tables are {', '.join(_Tables.__struct_fields__)}")
        self.columns: dict[str, tuple[str, ...]] = {}
        for key, value in self._tables.columns.items():
            what = "picture" if key in ("image", "images", "pictures") else key
            self.columns[what] = (value,) if isinstance(value, str) else tuple(value)
            if what not in (*NAMES, *SETTINGS):
                self._problem(f"columns: {shown(key)} is not a field", f"use {', '.join(NAMES)}")
        self._unused = {("category", it) for it in self._tables.category}
        self._unused |= {("case", it) for it in self._tables.case}

    def apply(
        self, grader: str, options: dict[str, Any], *, case_id: str, category: str
    ) -> tuple[str, dict[str, Any]]:
        """The grader and options that hold for a case; options of another grader fall away."""
        self._unused -= {("category", category), ("case", case_id)}
        tables = self._tables
        for table in (tables.all, tables.category.get(category), tables.case.get(case_id)):
            changed = dict(table or {})
            named = str(changed.pop("grader", grader))
            options = (options if named == grader else {}) | changed if table else options
            grader = named
        return grader, options

    def report_unused(self, columns: Iterable[str]) -> None:
        """Name what the suite does not have; `columns` are those with content."""
        unused = [f"{section} {shown(name)}" for section, name in sorted(self._unused)]
        there = set(map(bare, columns))
        named = (name for held in self.columns.values() for name in held)
        unused += [
            f"column {shown(name)} with content" for name in named if bare(name) not in there
        ]
        for what in unused:
            self._problem(f"the suite has no {what}", "correct the name, or delete it")
