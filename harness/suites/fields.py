"""What a row of anybody's file means: by which names each field goes, and how values are read.

A row: column -> cell, as any reader gives it  --Reader.read-->  Row, the fields we know
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct, field

NAMES: Mapping[str, tuple[str, ...]] = {
    "id": (
        *("id", "question_id", "qid", "index", "idx", "sample_id", "uid", "pid"),
        *("item_id", "prompt_id", "case_id", "_key"),
    ),
    "picture": (
        *("decoded_image", "file_name", "image", "images", "image_path", "image_file", "filename"),
        *("img", "img_path", "imgname", "image_name", "image_filename", "image_paths"),
        *("picture", "pictures", "photo", "image_url", "image_id", "data_id"),
    ),
    "question": (
        *("question", "query", "prompt", "text", "problem", "prefix", "question_text"),
        *("instruction", "input", "user_prompt"),
    ),
    "answer": (
        *("answer", "answers", "expected", "gt_answer", "multiple_choice_answer", "label"),
        *("target", "correct_answer", "ground_truth", "gt", "gold", "ideal", "suffix"),
        *("reference_answer", "expected_answer", "answer_key", "correct_option", "solution"),
        *("output", "response", "reference", "expected_output"),
    ),
    "options": ("options", "choices", "option", "choice", "candidates", "answer_options"),
    "hint": ("hint", "context", "passage", "system"),
    "category": (
        *("category", "subject", "topic", "type", "task", "task_type", "domain", "subset"),
        *("skill", "l2_category", "subfield", "question_type"),
    ),
    "difficulty": ("difficulty", "level"),
    "grader": ("grader",),
}
"""Field: the names of columns that hold it, the best known first."""

SETTINGS = (
    *("aliases", "tolerance", "unit", "currency", "ordered", "max_cer", "iou"),
    *("case_sensitive", "fields", "schema", "coordinates", "format"),
)
"""Columns that hold an option of the grader."""
Difficulty = Literal["easy", "medium", "hard"]
DIFFICULTIES: tuple[Difficulty, ...] = get_args(Difficulty)

_NUMBERED = re.compile(r"(?:image|img|picture|photo)s?(\d{1,2})$")
_OPTION = r"(?:option|choice|opt)[ _-]?"
_LETTERED = re.compile(
    rf"(?i:{_OPTION})?([A-Z])$|(?i:{_OPTION}(\d\d?))$|(?i:{_OPTION[:-1]}([a-z]))$"
)
"""A, Option A, optionA, choice_3, option_a."""
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_OPTION_STARTS = re.compile(r"(?:^|[\s;,|])\(?([A-Z])\s?[.):]\s*")
_EMPTY = ("", "nan", "<na>")
_NO_HINT = ("none", "null", "n/a", "-")


NOTHING: dict[str, Any] = {}
"""Shared by all rows that have none; never changed."""


class Row(Struct, kw_only=True, gc=False):
    """A question as a file of somebody else states it."""

    where: str
    number: int
    """Among the rows with content, from 1."""
    ids: tuple[tuple[str, str], ...] = ()
    """Columns that may hold its id, and what they hold."""
    pictures: tuple[Any, ...] = ()
    """Paths, base64, bytes, or objects that hold one of them."""
    question: str = ""
    answers: tuple[str, ...] = ()
    """Each of them is right."""
    raw_answer: str = ""
    """As it is written, where that is not one answer."""
    is_number: bool = False
    """The answer is a number, not the text of one."""
    options: dict[str, str] = {}
    """By their letters."""
    hint: str = ""
    category: str = ""
    difficulty: Difficulty | None = None
    grader: str = ""
    settings: dict[str, tuple[str, Any]] = {}
    """Options of the grader, each with the column that holds it."""


class Reader(Struct, kw_only=True):
    """Reads rows, and remembers which columns it had no use for."""

    columns: Mapping[str, tuple[str, ...]] = {}
    """Field: the columns that the owner of the file says hold it."""
    seen: dict[str, None] = field(default_factory=dict)
    """Columns with content, in their order."""
    used: set[str] = field(default_factory=set)
    rivals: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Field, the column that was used and one that says something else: in how many rows."""
    first_rival: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def read(self, where: str, number: int, cells: Mapping[str, Any]) -> Row:
        """A row with what was found; whether that is enough, the caller knows."""
        filled = {name: cell for name, cell in cells.items() if not is_empty(cell)}
        self.seen.update(dict.fromkeys(filled))
        plan = {
            what: held
            for what, names in self.plan(cells).items()
            if (held := [name for name in names if name in filled])
        }

        def pick(what: str) -> Any:
            return self._pick(what, plan[what], filled, where) if what in plan else None

        answers, raw, is_number = answers_of(pick("answer"))
        if len(answers) == 1 and bare(plan["answer"][0]) == "answers":  # a cell of a table
            answers = tuple(it.strip() for it in re.split(r"[|;]", answers[0]) if it.strip())
        ids = ((name, text_of(filled[name])) for name in plan.get("id", ()))
        return Row(
            where=where,
            number=number,
            ids=tuple((name, held) for name, held in ids if held),
            pictures=self._pictures(plan, filled, pick),
            question=text_of(pick("question")),
            answers=answers,
            raw_answer=raw,
            is_number=is_number,
            options=self._options(plan, filled) or NOTHING,
            hint=_hint(text_of(pick("hint"))),
            category=_line(text_of(pick("category"))),
            difficulty=self._difficulty(plan, filled),
            grader=text_of(pick("grader")),
            settings={
                what: (plan[what][0], filled[plan[what][0]]) for what in SETTINGS if what in plan
            }
            or NOTHING,
        )

    def plan(self, cells: Mapping[str, Any]) -> dict[str, list[str]]:
        return _plan(tuple(cells), tuple(self.columns.items()))

    def unused(self) -> list[str]:
        return [name for name in self.seen if name not in self.used]

    def _pick(self, what: str, held: Sequence[str], cells: Mapping[str, Any], where: str) -> Any:
        """The first of the columns; the others are its rivals where they say something else."""
        first = held[0]
        self.used.add(first)
        for other in held[1:]:
            if text_of(cells[other]) == text_of(cells[first]):
                self.used.add(other)
            else:
                rival = (what, first, other)
                self.rivals[rival] += 1
                self.first_rival.setdefault(rival, where)
        return cells[first]

    def _pictures(
        self,
        plan: Mapping[str, Sequence[str]],
        cells: Mapping[str, Any],
        pick: Callable[[str], Any],
    ) -> tuple[Any, ...]:
        """One column that may hold several, then those that are numbered: image, image_2..."""
        if "picture" in self.columns:
            held = plan.get("picture", ())
            self.used.update(held)
            return tuple(it for name in held for it in several(cells[name]))
        numbered = plan.get("numbered pictures", ())
        self.used.update(numbered)
        first = several(pick("picture")) if "picture" in plan else ()
        return (*first, *(it for name in numbered for it in several(cells[name])))

    def _options(
        self, plan: Mapping[str, Sequence[str]], cells: Mapping[str, Any]
    ) -> dict[str, str]:
        for name in plan.get("options", ()):
            if options := options_of(cells[name]):
                self.used.add(name)
                return options
        lettered = plan.get("lettered options", ())
        self.used.update(lettered)
        first = min(map(_place, plan.get("all options", ())), default=0)
        return {LETTERS[_place(it) - first]: _line(text_of(cells[it])) for it in lettered}

    def _difficulty(
        self, plan: Mapping[str, Sequence[str]], cells: Mapping[str, Any]
    ) -> Difficulty | None:
        for name in plan.get("difficulty", ()):
            said = text_of(cells[name]).casefold()
            for known in DIFFICULTIES:
                if said == known:
                    self.used.add(name)
                    return known
        return None


def bare(name: str) -> str:
    """
    >>> bare("Question ID"), bare("questionId"), bare("A")
    ('questionid', 'questionid', 'a')
    """
    return re.sub(r"[^0-9a-z]", "", name.casefold())


_FIELDS = {
    **{bare(name): (name, 0) for name in SETTINGS},
    **{
        bare(name): (what, rank)
        for what, names in NAMES.items()
        for rank, name in reversed(list(enumerate(names)))
    },
}


@lru_cache(maxsize=512)
def _plan(
    names: tuple[str, ...], columns: tuple[tuple[str, tuple[str, ...]], ...]
) -> dict[str, list[str]]:
    """Field: the columns of a row that hold it, the best first."""
    given = {bare(name): what for what, held in columns for name in held}
    by_hand = dict(columns)
    ranked: dict[str, list[tuple[int, str]]] = {}
    for name in names:
        key = bare(name)
        if key in given:
            what = given[key]
            rank = [bare(it) for it in by_hand[what]].index(key)
        elif key in _FIELDS:
            what, rank = _FIELDS[key]
        elif numbered := _NUMBERED.match(key):
            what, rank = "numbered pictures", int(numbered[1])
        elif (place := _place(name)) >= 0:
            what, rank = "lettered options", place
        else:
            continue
        if key in given or _OWNERS.get(what, what) not in by_hand:
            ranked.setdefault(what, []).append((rank, name))
    plan = {what: [name for _, name in sorted(held)] for what, held in ranked.items()}
    lettered = plan.get("lettered options", [])
    if len(lettered) < 2 or min(map(_place, lettered)) > 1:  # x and y are no options
        plan.pop("lettered options", None)
    plan["all options"] = plan.get("lettered options", [])
    return plan


_OWNERS = {"numbered pictures": "picture", "lettered options": "options"}


def _place(name: str) -> int:
    """Which option a column holds: A or option_b is 1 and 2, Choice 3 is 3; else -1."""
    match = _LETTERED.match(name.strip())
    if match is None:
        return -1
    letter = match[1] or match[3]
    return LETTERS.index(letter.upper()) + 1 if letter else int(match[2])


def is_empty(value: object) -> bool:
    """Nothing, or what spreadsheets and data frames write for nothing."""
    if isinstance(value, str):
        return len(value) < 8 and value.strip().casefold() in _EMPTY
    if isinstance(value, float):
        return value != value
    if isinstance(value, dict):
        return all(is_empty(it) for it in value.values())
    return value is None or value in ([], ())


def text_of(value: object) -> str:
    """A scalar as an answer is written; what is none is empty, or JSON.

    >>> text_of(True), text_of(7.5), text_of(" a "), text_of(None), text_of({"a": 1})
    ('yes', '7.5', 'a', '', '{"a": 1}')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return "" if value is None else str(value)


def _line(text: str) -> str:
    return " ".join(text.split())


def _hint(text: str) -> str:
    return "" if text.casefold() in _NO_HINT else text


def listed(value: object) -> list[Any] | None:
    """A list, also one that is written as JSON or Python would; None for anything else.

    >>> listed('["a", "b"]'), listed("['a', 'b']"), listed("a, b"), listed((1, 2))
    (['a', 'b'], ['a', 'b'], None, [1, 2])
    """
    if isinstance(value, list | tuple):
        return list(value)
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return None
    found = literal(value)
    return found if isinstance(found, list) else None


def several(value: object) -> tuple[Any, ...]:
    """The pictures in one cell."""
    return tuple(it for it in listed(value) or [value] if not is_empty(it))


def answers_of(value: object) -> tuple[tuple[str, ...], str, bool]:
    """The answers of which each is right; the cell as it is written; whether it is a number.

    >>> answers_of('["1"]'), answers_of(3)
    ((('1',), '["1"]', False), (('3',), '', True))
    """
    if isinstance(value, dict):
        for key in ("answer", "value", "text", "label"):
            if key in value and not is_empty(value[key]):
                return answers_of(value[key])
    parts = listed(value)
    if parts is None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return tuple(filter(None, [text_of(value)])), "", is_number
    if not parts or any(isinstance(part, list) for part in parts):
        return tuple(filter(None, [text_of(value)])), "", False
    answers = [answer for part in parts for answer in answers_of(part)[0]]
    is_number = all(type(part) in (int, float) for part in parts)
    return tuple(_agreed(answers)), text_of(value), is_number


def _agreed(answers: Sequence[str]) -> list[str]:
    """Of what many people said, what three of them did, as the VQA score has it."""
    counted = Counter(answers)
    if len(answers) < 5 or len(counted) == len(answers):
        return list(counted)
    common = [answer for answer, times in counted.most_common() if times >= 3]
    return common or [counted.most_common(1)[0][0]]


def options_of(value: object) -> dict[str, str]:
    """The options that one cell lists, by their letters.

    >>> options_of("A. red; B. green"), options_of({"A": "red", "B": "green"})
    ({'A': 'red', 'B': 'green'}, {'A': 'red', 'B': 'green'})
    >>> options_of(["(A) red", "(B) green"]), options_of("red; green"), options_of("red")
    ({'A': 'red', 'B': 'green'}, {'A': 'red', 'B': 'green'}, {})
    """
    if isinstance(value, str) and value.strip().startswith("{"):
        value = literal(value)
    if isinstance(value, dict):
        if isinstance(value.get("text"), list):
            return options_of(value["text"])
        filled = {str(key).strip(): it for key, it in value.items() if not is_empty(it)}
        if not all(len(key) == 1 and key.upper() in LETTERS for key in filled):
            return options_of(list(filled.values()))
        return {key.upper(): _line(text_of(filled[key])) for key in sorted(filled)}
    parts = listed(value)
    if parts is None and isinstance(value, str):
        parts = list(_split(value))
    texts = [_line(text_of(_content(part))) for part in parts or ()]
    if len([text for text in texts if text]) < 2 or len(texts) > len(LETTERS):
        return {}
    texts = _without_letters(texts)
    return {letter: text for letter, text in zip(LETTERS, texts, strict=False) if text}


def _content(part: object) -> object:
    if not isinstance(part, dict):
        return None if is_empty(part) else part
    return next((part[key] for key in ("text", "value", "content") if key in part), part)


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


def _split(text: str) -> Iterator[str]:
    starts = [
        match
        for at, match in enumerate(_OPTION_STARTS.finditer(text))
        if match[1] == LETTERS[at : at + 1]
    ]
    if len(starts) >= 2 and not text[: starts[0].start()].strip():
        ends = [*(it.start() for it in starts[1:]), len(text)]
        for start, end in zip(starts, ends, strict=True):
            yield text[start.end() : end].strip(" \t\n;,|")
        return
    for mark in ("\n", ";", "|", ","):
        if mark in text.strip():
            yield from (part.strip() for part in text.strip().split(mark) if part.strip())
            return


def _without_letters(texts: Sequence[str]) -> list[str]:
    """ "A. red", "B. green": the letters are ours to give."""
    matches = [re.match(r"\(?([A-Z])\s?[.):]\s*(?=\S)", text) for text in texts]
    if all(it and it[1] == LETTERS[at : at + 1] for at, it in enumerate(matches)):
        return [text[it.end() :] for text, it in zip(texts, matches, strict=True) if it]
    return list(texts)
