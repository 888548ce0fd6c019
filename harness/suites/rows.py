"""Rows of somebody else's file become cases: ids, options with letters, keys, graders, remarks."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from harness import graders
from harness.errors import SuiteError
from harness.images.files import shown
from harness.records import Case
from harness.suites import fields
from harness.suites.fields import LETTERS, Row
from harness.suites.findings import Findings
from harness.suites.pictures import Pictures
from harness.suites.sidefile import SideFile
from harness.suites.suite import slug

UNCATEGORIZED = "Uncategorized"
ASK_LETTER = "Answer with the letter of the right option."
ASK_LETTERS = "Answer with the letters of all right options."
_SLUG_CHARS = 40
_NO_BASE64 = 64
"""No picture is as short as this in base64, and no index of another row longer."""
_MAX_PATHS_CHARS = 2000
_MAX_KEYS_CHARS = 100
_IMAGE_TOKEN = re.compile(r"<image>|<\|image\|>|\[image\]|<image_placeholder>", re.IGNORECASE)
_IMAGE_PLACE = re.compile(r"<image[ _]?(\d{1,2})>", re.IGNORECASE)
_LIST_OF_PATHS = re.compile(r"[^;,|]+\.\w{3,4}(?:\s*[;,|]\s*[^;,|]+\.\w{3,4})+")
_POLAR = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should)(?:n't)?\b", re.I
)
_COUNTED = re.compile(r"how many\b", re.IGNORECASE)
_KEY = re.compile(r"\(?([A-Za-z])\)?[.:)]?")
_KEY_AND_TEXT = re.compile(r"\(?([A-Z])\s?[.:)]\s*(.+)", re.DOTALL)
_KEYS = re.compile(r"[A-Z](?:\s*(?:[,;/&]|and)?\s*[A-Z])+")
_SETTING_OF = {
    "tolerance": ("integer", "decimal"),
    "unit": ("integer", "decimal"),
    "currency": ("integer", "decimal"),
    "max_cer": ("text", "code"),
    "schema": ("text", "list"),
    "fields": ("text", "list"),
}
"""An option of a grader: the inferred graders that give way to the one that takes it."""
_TAKEN_BY = {
    "tolerance": "decimal",
    "unit": "decimal",
    "currency": "money",
    "max_cer": "transcription",
    "schema": "json",
    "fields": "json",
}


class _RowNumber(str):
    """A picture cell that names another row, or a picture by its number."""

    __slots__ = ()


def cases_of(
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    pictures: Pictures,
    side: SideFile,
    findings: Findings,
) -> Iterator[tuple[str, Case]]:
    """The case of each row that has a picture, a question and an answer, with its place."""
    reader = fields.Reader(columns=side.columns)
    held: deque[Row] = deque()
    count = 0
    for count, (where, cells) in enumerate(rows, start=1):
        row = reader.read(where, count, cells)
        if _whole(row, reader, cells, pictures, findings):
            held.append(row)
    ids = _id_column(held)
    if ids:
        reader.used.add(ids)
    first_index = _first_index(held, findings)
    by_id = {}
    if any(map(_refers, held)):
        by_id = {value: it.pictures for it in held for _, value in it.ids if not _refers(it)}
    _remarks(reader, held, findings)
    while held:  # a row goes as its case comes: large suites fill the memory once
        row = held.popleft()
        try:
            row.pictures = _followed(row, by_id, pictures)
            row.question = _with_places(row.question, len(row.pictures))
            yield row.where, _case(row, ids, first_index, reader, side)
        except SuiteError as error:
            findings.error(row.where, error)
    if unused := reader.unused():
        findings.note("columns", f"not used: {shown(', '.join(unused))}")
    side.report_unused(reader.seen if count else None)


def _whole(
    row: Row,
    reader: fields.Reader,
    cells: Mapping[str, Any],
    pictures: Pictures,
    findings: Findings,
) -> bool:
    """Whether nothing is missing; the pictures become names."""
    found = {"picture": row.pictures, "question": row.question, "answer": row.answers}
    for what in (what for what, value in found.items() if not value):
        known = reader.plan(cells).get(what)
        there = f"`{known[0]}` is empty" if known else f"among {shown(', '.join(cells))}"
        fix = "fill the cell, or leave the row out"
        if not known:
            fix = f"call a column `{what}`, or name it in [columns] of the side file"
        findings.problem(row.where, f"no {what}: {there}", fix)
    try:
        row.pictures = tuple(name for it in row.pictures for name in _named(it, pictures))
    except SuiteError as error:
        findings.error(row.where, error)
        return False
    return all(found.values())


# --- pictures -------------------------------------------------------------------------------


def _named(value: Any, pictures: Pictures) -> Iterator[str]:
    """The pictures' names in the suite; those that a cell itself holds are unpacked."""
    if isinstance(value, dict):
        for key in ("bytes", "path", "file_name", "url", "image_url", "image", "src", "data"):
            if not fields.is_empty(value.get(key)):
                yield from _named(value[key], pictures)
                return
        raise SuiteError(
            f"its picture is an object with {shown(', '.join(map(str, value)))}",
            fix="give the picture as a path, as base64, or as {bytes, path}",
        )
    if isinstance(value, bytes):
        yield pictures.unpack(value)
        return
    text = str(value).strip()
    if text.startswith("data:"):
        yield pictures.unpack(pictures.decoded(text))
        return
    path = text.replace("\\", "/").removeprefix("./")
    if path.startswith("file://") and not path.startswith("file:///"):
        path = path.removeprefix("file://").removeprefix("./")
    beside = _there(path, pictures)
    if beside:
        yield beside
    elif len(text) > _NO_BASE64 and "." not in text:
        yield pictures.unpack(pictures.decoded(text))
    elif len(path) < _MAX_PATHS_CHARS and _LIST_OF_PATHS.fullmatch(path):
        for part in re.split(r"\s*[;,|]\s*", path):
            yield from _named(part, pictures)
    elif "." not in path and "/" not in path:
        yield _RowNumber(path)
    else:
        yield path


def _there(path: str, pictures: Pictures) -> str | None:
    """The file that is meant: in `images/` or not, however its characters are spelled."""
    spelled = [path]
    if not path.isascii():
        spelled += [unicodedata.normalize(form, path) for form in ("NFC", "NFD")]
    if "%" in path:
        spelled.append(unquote(path))
    for name in spelled:
        for it in (f"images/{name}", name):
            if pictures.has(it):
                return it
    return None


def _refers(row: Row) -> bool:
    return any(isinstance(name, _RowNumber) for name in row.pictures)


def _followed(
    row: Row, by_id: Mapping[str, tuple[str, ...]], pictures: Pictures
) -> tuple[str, ...]:
    """The names with those of other rows' pictures put in."""
    names: list[str] = []
    for name in row.pictures:
        if not isinstance(name, _RowNumber):
            names.append(name)
        elif name in by_id:
            names.extend(by_id[name])
        elif numbered := pictures.by_number(name):
            names.append(numbered)
        else:
            raise SuiteError(
                "its picture is neither a file nor base64 nor the index of a row:"
                f" {shown(name) or 'nothing'}",
                fix="name a file, or the row that holds the picture",
            )
    return tuple(names)


def _with_places(question: str, pictures: int) -> str:
    """The question with its marks for pictures: `<image 1>` where they matter, else none.

    Raises: SuiteError when it speaks of more pictures than there are.

    >>> _with_places("<image>\\nHow many?", 1), _with_places("Is <image> or <image> older?", 2)
    ('How many?', 'Is <image 1> or <image 2> older?')
    """
    tokens = len(_IMAGE_TOKEN.findall(question))
    places = [int(it) for it in _IMAGE_PLACE.findall(question)]
    spoken_of = max(tokens, *places, 0)
    if spoken_of > pictures:
        raise SuiteError(
            f"the question speaks of {spoken_of} pictures, and the row has {pictures}",
            fix="give the row all of its pictures, or leave it out",
        )
    if not tokens:
        return question
    parts = [part.strip() for part in _IMAGE_TOKEN.split(question)]
    if sum(map(bool, parts)) <= 1:  # all before the text, or behind it
        return "".join(parts)
    numbers = iter(range(1, tokens + 1))
    return _IMAGE_TOKEN.sub(lambda _: f"<image {next(numbers)}>", question).strip()


# --- ids and keys ---------------------------------------------------------------------------


def _id_column(rows: Sequence[Row]) -> str | None:
    """The first column whose values tell all rows apart."""
    for name, _ in rows[0].ids if rows else ():
        values = {dict(row.ids).get(name) for row in rows}
        if len(values) == len(rows) and None not in values:
            return name
    return None


def _first_index(rows: Sequence[Row], findings: Findings) -> int | None:
    """What the first option's number is where keys are numbers; None: they are the texts."""
    keyed = [(int(row.answers[0]), row) for row in rows if row.options and _is_index(row)]
    if not keyed or all(str(number) in row.options.values() for number, row in keyed):
        return None
    numbers = {number for number, _ in keyed}
    if 0 in numbers:
        return 0
    if any(number == len(row.options) for number, row in keyed):
        return 1
    findings.warning(
        keyed[0][1].where,
        "its answer is taken for the number of an option, counted from 0: no answer tells",
        "write letters as answers",
    )
    return 0


def _is_index(row: Row) -> bool:
    return len(row.answers) == 1 and row.answers[0].isdecimal() and len(row.answers[0]) < 3


def _keys(row: Row, first_index: int | None) -> tuple[str, ...]:
    """The letters of the right options.

    Raises: SuiteError when an answer is no option.
    """
    found: dict[str, None] = {}
    for answer in row.answers:
        letters = _key(answer, row, first_index)
        if not letters:
            listed = ", ".join(f"{key}. {text}" for key, text in row.options.items())
            raise SuiteError(
                f"{answer!r} is none of the options {shown(listed)}",
                fix="write the letter of the right option as the answer",
            )
        found.update(dict.fromkeys(letters))
    return tuple(found)


def _key(answer: str, row: Row, first_index: int | None) -> list[str]:
    by_text = {_folded(text): letter for letter, text in reversed(row.options.items())}
    letter = match[1] if (match := _KEY.fullmatch(answer)) else ""
    if letter in row.options:  # a key that is a letter is a letter first
        return [letter]
    if first_index is not None and _is_index(row):
        place = int(answer) - first_index
        return [LETTERS[place]] if 0 <= place < 26 and LETTERS[place] in row.options else []
    if _folded(answer) in by_text:
        return [by_text[_folded(answer)]]
    if letter.upper() in row.options:
        return [letter.upper()]
    if (match := _KEY_AND_TEXT.fullmatch(answer)) and match[1] in row.options:
        same = _folded(match[2]) == _folded(row.options[match[1]])
        return [match[1]] if same else []
    if (
        len(answer) < _MAX_KEYS_CHARS
        and _KEYS.fullmatch(answer)
        and set(re.findall("[A-Z]", answer)) <= set(row.options)
    ):
        return re.findall("[A-Z]", answer)
    polar = {"yes": "true", "no": "false", "true": "yes", "false": "no"}.get(answer.casefold())
    return [by_text[polar]] if polar in by_text else []


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


# --- cases ----------------------------------------------------------------------------------


def _case(
    row: Row, ids: str | None, first_index: int | None, reader: fields.Reader, side: SideFile
) -> Case:
    inline = re.match(r"[0-9a-f]{64}\.", row.pictures[0])
    about = row.question if inline else row.pictures[0].rpartition("/")[2].partition(".")[0]
    case_id = dict(row.ids)[ids] if ids else _numbered(row.number, about)
    category = sys.intern(row.category or UNCATEGORIZED)
    chosen = _multiple_choice(row, first_index) if row.options else _open(row)
    question, expected, grader, options = chosen
    grader, options = side.apply((grader, options), case_id=case_id, category=category)
    if grader in ("list", "json") and row.raw_answer and not row.options:
        expected = tuple(row.answers) if grader == "list" else row.raw_answer
    grader, options = _set(row, grader, options, reader)
    return Case(
        id=case_id,
        category=category,
        question="\n".join(filter(None, [row.hint, question])),
        image=row.pictures[0],
        expected=expected,
        grader=grader,
        options=options,
        images=row.pictures if len(row.pictures) > 1 else (),
        difficulty=row.difficulty,
    )


_Chosen = tuple[str, str | tuple[str, ...], str, dict[str, Any]]
"""Question, expected answer, grader and its options."""


def _numbered(number: int, about: str) -> str:
    return f"{number:04d}-{slug(about)[:_SLUG_CHARS].strip('-') or 'case'}"


def _multiple_choice(row: Row, first_index: int | None) -> _Chosen:
    keys = _keys(row, first_index)
    question = row.question
    if not _shows_options(question, row.options):
        lines = [f"{letter}. {text}" for letter, text in row.options.items()]
        asked = ASK_LETTER if len(keys) == 1 else ASK_LETTERS
        question = "\n".join([question, *lines, asked])
    if len(keys) > 1:
        return question, keys, row.grader or "list", {}
    return question, keys[0], row.grader or "choice", {"choices": list(row.options.values())}


def fits(case: Case) -> bool:
    """Whether the answer plainly fits the grader: large suites need not wait for it to say so."""
    if case.grader == "integer" and not case.options and isinstance(case.expected, str):
        return case.expected.isdecimal() and case.expected.isascii()
    return (
        case.grader == "choice"
        and case.options.keys() == {"choices"}
        and isinstance(case.expected, str)
        and case.question.endswith(ASK_LETTER)
        and f"\n{case.expected}. " in case.question
    )


def _shows_options(question: str, options: Mapping[str, str]) -> bool:
    """Whether the question itself lists them with their letters."""
    return all(
        re.search(rf"(?:^|[\s(\[]){letter}\s?[.:)\]]", question) and text in question
        for letter, text in options.items()
    )


def _open(row: Row) -> _Chosen:
    """A question without options; of several answers each is right."""
    first, *others = _answers(row)
    if "<loc" in first:
        raise SuiteError(
            f"its answer {shown(first)} is a box in units of a model's own",
            fix="write it as x1, y1, x2, y2 with grader = box, or leave the row out",
        )
    if row.grader:
        options = {"aliases": others} if others and row.grader == "text" else {}
        return row.question, first, row.grader, options
    grader, options = _inferred(row.question, first)
    others = [it for it in others if not _passes(row.question, first, grader, options, it)]
    if others:
        grader, options = "text", {"aliases": others}
    return row.question, first, grader, options


def _answers(row: Row) -> list[str]:
    answers = list(row.answers)
    if "aliases" in row.settings:
        answers += _converted(row.settings["aliases"][1], list)
    question = row.question
    polar = _POLAR.match(question) and " or " not in question and not re.search(r"\d", question)
    if polar and set(answers) <= {"0", "1"}:
        return ["yes" if answer == "1" else "no" for answer in answers]
    return list(dict.fromkeys(answers))


@lru_cache(maxsize=4096)
def _inferred(question: str, answer: str) -> tuple[str, dict[str, Any]]:
    """Large suites ask the same again and again, and ask for counts more than for all else. The
    options are never changed in place."""
    if answer.isdecimal() and answer.isascii() and answer[0] != "0" and _COUNTED.match(question):
        return "integer", fields.NOTHING
    return graders.infer(question, answer)


def _passes(question: str, first: str, grader: str, options: dict[str, Any], other: str) -> bool:
    try:
        return graders.try_out(grader, first, other, question, **options).passed
    except SuiteError:
        return False


def _set(
    row: Row, grader: str, options: dict[str, Any], reader: fields.Reader
) -> tuple[str, dict[str, Any]]:
    """The grader with the options that columns hold, where it takes them."""
    if "aliases" in row.settings and (grader == "text" or not row.options):
        reader.used.add(row.settings["aliases"][0])
    for name, (column, value) in row.settings.items():
        if not row.grader and grader in _SETTING_OF.get(name, ()):
            options = options if grader == _TAKEN_BY[name] else {}
            grader = _TAKEN_BY[name]
        known = graders.GRADERS[grader].options if grader in graders.GRADERS else {}
        if name in known and name != "aliases":
            options = {**options, name: _converted(value, known[name])}
            reader.used.add(column)
    return grader, options


def _converted(value: Any, kind: type | tuple[type, ...]) -> Any:
    """A cell as the option it holds; what is none stays as it is, and the grader says so."""
    if not isinstance(value, str):
        return [value] if kind is list and not isinstance(value, list) else value
    text = value.strip()
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if bool in kinds:
        known = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
        return known.get(text.casefold(), value)
    if text[:1] in ("{", "["):
        return fields.literal(text) or value
    if list in kinds:
        return [it.strip() for it in re.split(r"[;|]", text) if it.strip()]
    if float in kinds:
        with suppress(ValueError):
            return float(text.replace(",", "."))
    return value


# --- remarks --------------------------------------------------------------------------------


def _remarks(reader: fields.Reader, rows: Sequence[Row], findings: Findings) -> None:
    """What was read and not used, and what could have been read otherwise."""
    for (what, used, other), times in reader.rivals.items():
        if what in ("question", "answer") or other in reader.used:
            where = reader.first_rival[what, used, other]
            rows_too = f" (and {times - 1:,} more rows)" if times > 1 else ""
            findings.warning(
                where,
                f"two columns may be its {what}: {shown(used)} is used, {shown(other)} differs"
                f"{rows_too}",
                f'say which in the side file: [columns] {what} = "{shown(other)}"',
            )
    several = sum(len(row.answers) > 1 and not row.options for row in rows)
    if several:
        findings.note(
            "answers",
            f"{several:,} rows have several, of which any passes; where all must be named,"
            ' set grader = "list" in the side file',
        )
