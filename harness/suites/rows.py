"""Rows of somebody else's file become cases: ids, options with letters, keys, graders, remarks."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import Struct

from harness import graders
from harness.errors import SuiteError
from harness.images.files import shown
from harness.records import Case
from harness.suites import fields
from harness.suites.fields import LETTERS, SETTINGS, SideFile, bare, line_of, text_of
from harness.suites.layouts import Rows
from harness.suites.pictures import Pictures, RowNumber, with_places
from harness.suites.suite import Difficulty, Findings, Placed, slug

UNCATEGORIZED = "Uncategorized"
ASK_LETTER = "Answer with the letter of the right option."
ASK_LETTERS = "Answer with the letters of all right options."
_SLUG_CHARS = 40
_MAX_KEYS_CHARS = 100
_POLAR = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should)(?:n't)?\b", re.I
)
_COUNTED = re.compile(r"how many\b", re.IGNORECASE)
_KEY = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice) )?\(?([A-Za-z])\)?[.:)]?")
_KEY_AND_TEXT = re.compile(r"\(?([A-Z])\s?[.:)]\s*(.+)", re.DOTALL)
_KEYS = re.compile(r"[A-Z](?:\s*(?:[,;/&]|and)?\s*[A-Z])+")
_TAKERS = {
    "tolerance": ("decimal", ("integer",)),
    "unit": ("decimal", ("integer",)),
    "currency": ("money", ("integer", "decimal")),
    "max_cer": ("transcription", ("text", "code")),
    "schema": ("json", ("text", "list")),
    "fields": ("json", ("text", "list")),
}
"""An option of a grader: who takes it, and which inferred graders give way to that."""
_OF_LISTS = ("list", "json", "point", "box")
"""Graders to which a list in the answer's cell is one answer."""
_NOTHING: dict[str, Any] = {}
"""Shared by all cases that have none; never changed."""
_shared = lru_cache(maxsize=20_000)(str)
"""The first of equal texts: a hundred thousand rows say the same again and again."""


# --- rows -----------------------------------------------------------------------------------


class _Row(Struct, kw_only=True, gc=False):
    """A question as a file of somebody else states it."""

    file: str
    line: int
    number: int
    """Among the rows with content, from 1."""
    id_columns: tuple[str, ...]
    ids: tuple[str, ...]
    pictures: tuple[str, ...]
    question: str
    answer: tuple[str, ...]
    """Each of them is right."""
    raw_answer: str
    """As it is written, where it is a list."""
    options: tuple[str, ...]
    """In the order of their letters; "" for a letter without one."""
    hint: str
    category: str
    difficulty: Difficulty | None
    grader: str
    settings: Mapping[str, tuple[str, Any]]
    """Options of the grader, each with the column that holds it."""

    @property
    def where(self) -> str:
        return f"{self.file} {self.line}"


_READ: Mapping[str, Callable[[Any], Any]] = {
    "question": text_of,
    "answer": lambda cell: tuple(map(_shared, fields.answers_of(cell))),
    "options": lambda cell: tuple(map(_shared, fields.options_of(cell))),
    "hint": lambda cell: _shared(fields.hint_of(cell)),
    "category": lambda cell: _shared(line_of(cell)),
    "difficulty": lambda cell: _DIFFICULTIES.get(text_of(cell).casefold()),
    "grader": lambda cell: _shared(text_of(cell)),
}
"""Field: how its cell is read."""
_DIFFICULTIES: Mapping[str, Difficulty] = {"easy": "easy", "medium": "medium", "hard": "hard"}


_NOTHING_OF = {what: read(None) for what, read in _READ.items()}


class _Reader:
    """Reads rows, and remembers which columns it had no use for."""

    def __init__(self, pictures: Pictures, side: SideFile, findings: Findings) -> None:
        self._pictures, self._findings = pictures, findings
        self._given = tuple(side.columns.items())
        self.seen: dict[str, None] = {}
        """Columns with content, in their order."""
        self.used: set[str] = set()
        self.options_from: int | None = None
        """The first of the numbers that columns of options have."""
        self.first_rivals: dict[tuple[str, str, str], str] = {}
        """Field, the column that was used and one that says something else: the first such row."""
        self.rivals = Counter[tuple[str, str, str]]()

    def read(self, file: str, line: int, number: int, cells: Mapping[str, Any]) -> _Row | None:
        """A row with what was found; None when that is not enough, or wrong."""
        filled = {name: cell for name, cell in cells.items() if not fields.is_empty(cell)}
        self.seen.update(dict.fromkeys(filled))
        plan = fields.plan(tuple(cells), self._given)
        held = {what: tuple(filter(filled.__contains__, names)) for what, names in plan.items()}
        where = f"{file} {line}"
        found = {what: self._first(what, held.get(what, ()), filled, where) for what in _READ}
        found["options"] = found["options"] or self._lettered(held, filled)
        answer = filled[held["answer"][0]] if found["answer"] else None
        if isinstance(answer, str) and bare(held["answer"][0]) == "answers":  # a cell of a table
            found["answer"] = tuple(filter(None, re.split(r"\s*[|;]\s*", *found["answer"])))
        cells_of_pictures = self._of_pictures(held, filled)
        needed = {"picture": cells_of_pictures, **found}
        missing = [what for what in ("picture", "question", "answer") if not needed[what]]
        for what in missing:
            there, fix = f"among {shown(', '.join(cells))}", f"call a column `{what}`, or name it"
            fix += " in [columns] of the side file"
            if what in plan:
                there, fix = f"`{plan[what][0]}` is empty", "fill the cell, or leave the row out"
            self._findings.problem(where, f"no {what}: {there}", fix)
        try:
            pictures = tuple(it for cell in cells_of_pictures for it in self._pictures.names(cell))
        except SuiteError as error:
            self._findings.error(where, error)
            return None
        settings = {it: (held[it][0], filled[held[it][0]]) for it in SETTINGS if held.get(it)}
        return (
            None
            if missing
            else _Row(
                file=file,
                line=line,
                number=number,
                id_columns=held.get("id", ()),
                ids=tuple(text_of(filled[name]) for name in held.get("id", ())),
                pictures=pictures,
                raw_answer="" if fields.listed(answer) is None else text_of(answer),
                settings=settings or _NOTHING,
                **found,
            )
        )

    def _first(self, what: str, held: Sequence[str], cells: Mapping[str, Any], where: str) -> Any:
        """What the first column holds that can be read; the others are its rivals where they say
        something else."""
        read, used = _READ[what], ""
        found = _NOTHING_OF[what]
        for name in held:
            if not used:
                found = read(cells[name])
                used = name if found else ""
            elif text_of(cells[name]) != text_of(cells[used]):
                if not bare(name).endswith(("idx", "index")):  # which says it by a number
                    self.rivals[what, used, name] += 1
                    self.first_rivals.setdefault((what, used, name), where)
                continue
            self.used.update([name] if used else [])
        return found

    def _lettered(self, held: fields.Plan, cells: Mapping[str, Any]) -> tuple[str, ...]:
        """The options of columns A to Z, or option_1 and so on."""
        lettered = held.get("lettered options", ())
        self.used.update(lettered)
        places = {fields.place_of(name) or 0: line_of(cells[name]) for name in lettered}
        first = 0 if 0 in places else 1
        if any(name[-1].isdigit() for name in lettered):
            self.options_from = first
        return tuple(places.get(at, "") for at in range(first, max(places, default=0) + 1))

    def _of_pictures(self, held: fields.Plan, cells: Mapping[str, Any]) -> tuple[Any, ...]:
        """The column that holds the most, before one whose file is not there, then those that are
        numbered: image, image_2..."""
        names = held.get("picture", ())
        if not any(what == "picture" for what, _ in self._given):
            if len(names) > 1:
                held_by = {it: fields.several(cells[it]) for it in names}
                there = self._pictures.has
                names = (max(names, key=lambda it: (len(held_by[it]), there(cells[it]))),)
            names = (*names, *held.get("numbered pictures", ()))
        pictures = tuple(it for name in names for it in fields.several(cells[name]))
        alike = (it for it in held.get("picture", ()) if cells[it] in (cells[names[0]], *pictures))
        self.used.update(names, alike)
        return pictures


def cases_of(
    rows: Rows, pictures: Pictures, side: SideFile, findings: Findings
) -> Iterator[Placed]:
    """The case of each row that has a picture, a question and an answer, with its place."""
    reader = _Reader(pictures, side, findings)
    numbered = ((*it[:2], number, it[2]) for number, it in enumerate(rows, start=1))
    held = deque(row for it in numbered if (row := reader.read(*it)))
    id_at = _id_column(held)
    if id_at is not None:
        reader.used.add(held[0].id_columns[id_at])
    first_index = _first_index(held, reader.options_from, findings)
    by_id: dict[str, tuple[str, ...]] = {}
    if any(map(_refers, held)):
        by_id = {value: row.pictures for row in held for value in row.ids if not _refers(row)}
    _remark(reader, held, findings)
    while held:  # a row goes as its case comes: large suites fill the memory once
        row = held.popleft()
        try:
            row.pictures = tuple(map(_shared, pictures.followed(row.pictures, by_id)))
            row.question = with_places(row.question, len(row.pictures))
            yield row.where, _case(row, id_at, first_index, reader.used, side)
        except SuiteError as error:
            findings.error(row.where, error)
    if unused := [name for name in reader.seen if name not in reader.used]:
        findings.note("columns", f"not used: {shown(', '.join(unused))}")
    if reader.seen:
        side.report_unused(reader.seen)


def _refers(row: _Row) -> bool:
    return any(isinstance(name, RowNumber) for name in row.pictures)


def _remark(reader: _Reader, rows: Sequence[_Row], findings: Findings) -> None:
    """What could have been read otherwise."""
    for (what, used, other), times in reader.rivals.items():
        if what in ("question", "answer") or other in reader.used:
            too = f" (and {times - 1:,} more rows)" if times > 1 else ""
            two = f"two columns may be its {what}: {shown(used)} is used, {shown(other)} differs"
            fix = f'say which in the side file: [columns] {what} = "{shown(other)}"'
            findings.warning(reader.first_rivals[what, used, other], two + too, fix)
    if several := sum(len(row.answer) > 1 and not row.options for row in rows):
        what = f"several in {several:,} {'row' if several == 1 else 'rows'}, of which any passes"
        findings.note("answers", f'{what}; where all count, set grader = "list" in the side file')


# --- ids and keys ---------------------------------------------------------------------------


def _id_column(rows: Sequence[_Row]) -> int | None:
    """The place of the first id column whose values tell all rows apart."""
    for at, name in enumerate(rows[0].id_columns if rows else ()):
        same = all(len(row.ids) > at and row.id_columns[at] == name for row in rows)
        if same and len({row.ids[at] for row in rows}) == len(rows):
            return at
    return None


def _is_index(answers: Sequence[str]) -> bool:
    return len(answers) == 1 and answers[0].isdecimal() and len(answers[0]) < 3


def _first_index(rows: Sequence[_Row], options_from: int | None, findings: Findings) -> int | None:
    """What the first option's number is where keys are numbers; None: they are the texts."""
    keyed = [row for row in rows if row.options and _is_index(row.answer)]
    if all(str(int(row.answer[0])) in row.options for row in keyed):
        return None
    numbers = {int(row.answer[0]) for row in keyed}
    if 0 not in numbers and (
        options_from or any(int(row.answer[0]) == len(row.options) for row in keyed)
    ):
        return 1
    if 0 not in numbers:
        findings.warning(
            keyed[0].where,
            "its answer is taken for the number of an option, counted from 0: no answer tells",
            "write letters as answers",
        )
    return 0


def _keys(row: _Row, first_index: int | None) -> tuple[str, ...]:
    """The letters of the right options.

    Raises: SuiteError when an answer is no option.
    """
    found: dict[str, None] = {}
    for answer in row.answer:
        letters = _key(answer, row.options, first_index if _is_index(row.answer) else None)
        if not letters:
            pairs = zip(LETTERS, row.options, strict=False)
            listed = ", ".join(f"{letter}. {text}" for letter, text in pairs if text)
            raise SuiteError(
                f"{answer!r} is none of the options {shown(listed)}",
                fix="write the letter of the right option as the answer",
            )
        found.update(dict.fromkeys(letters))
    return tuple(found)


def _key(answer: str, options: Sequence[str], first_index: int | None) -> str:
    """The letters that an answer names: one as a rule; empty when it names none."""
    letters = "".join(it for it, text in zip(LETTERS, options, strict=False) if text)
    letter = match[1] if (match := _KEY.fullmatch(answer)) else "-"
    if letter in letters:  # a key that is a letter is a letter first
        return letter
    if first_index is not None:
        at = int(answer) - first_index
        return LETTERS[at] if 0 <= at < len(options) and options[at] else ""
    by_text = {_folded(text): it for text, it in zip(options, LETTERS, strict=False) if text}
    if found := by_text.get(_folded(answer)) or (letter.upper() in letters and letter.upper()):
        return found
    if (match := _KEY_AND_TEXT.fullmatch(answer)) and match[1] in letters:
        return match[1] if by_text.get(_folded(match[2])) == match[1] else ""
    named = re.findall("[A-Z]", answer) if len(answer) < _MAX_KEYS_CHARS else []
    if set(named) <= set(letters) and _KEYS.fullmatch(answer[:_MAX_KEYS_CHARS]):
        return "".join(named)
    polar = {"yes": "true", "no": "false", "true": "yes", "false": "no"}
    return by_text.get(polar.get(answer.casefold(), ""), "")


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


# --- cases ----------------------------------------------------------------------------------


def _case(
    row: _Row, id_at: int | None, first_index: int | None, used: set[str], side: SideFile
) -> Case:
    inline = re.match(r"[0-9a-f]{64}\.", row.pictures[0])
    about = row.question if inline else row.pictures[0].rpartition("/")[2].partition(".")[0]
    stem = slug(about)[:_SLUG_CHARS].strip("-") or "case"
    case_id = f"{row.number:04d}-{stem}" if id_at is None else row.ids[id_at]
    category = row.category or UNCATEGORIZED
    question, expected, grader, options = (
        _multiple_choice(row, first_index) if row.options else _open(row)
    )
    grader, options = side.apply(grader, options, case_id=case_id, category=category)
    if grader in _OF_LISTS and row.raw_answer and not row.options:
        expected = tuple(row.answer) if grader == "list" else row.raw_answer
        expected = row.raw_answer.strip("[]") if grader in ("point", "box") else expected
    if "aliases" in row.settings and (grader == "text" or not row.options):
        used.add(row.settings["aliases"][0])
    for name, (column, value) in row.settings.items():
        taker, givers = _TAKERS.get(name, ("", ()))
        if not row.grader and grader in givers:
            grader, options = taker, {}
        known = graders.GRADERS[grader].options if grader in graders.GRADERS else {}
        if name in known and name != "aliases":
            options = {**options, name: _converted(value, known[name])}
            used.add(column)
    return Case(
        id=case_id,
        category=category,
        question=f"{row.hint}\n{question}" if row.hint else question,
        image=row.pictures[0],
        expected=expected,
        grader=grader,
        options=options or _NOTHING,
        images=row.pictures if len(row.pictures) > 1 else (),
        difficulty=row.difficulty,
    )


_Chosen = tuple[str, str | tuple[str, ...], str, dict[str, Any]]
"""Question, expected answer, grader and its options."""


def _multiple_choice(row: _Row, first_index: int | None) -> _Chosen:
    keys = _keys(row, first_index)
    question = row.question
    options = {it: text for it, text in zip(LETTERS, row.options, strict=False) if text}
    if not all(  # the question itself lists them with their letters
        text in question and re.search(rf"(?:^|[\s(\[]){letter}\s?[.:)\]]", question)
        for letter, text in options.items()
    ):
        lines = [f"{letter}. {text}" for letter, text in options.items()]
        asked = ASK_LETTER if len(keys) == 1 else ASK_LETTERS
        question = "\n".join([question, *lines, asked])
    if len(keys) > 1:
        return question, keys, row.grader or "list", {}
    return question, keys[0], row.grader or "choice", _choices(tuple(options.values()))


@lru_cache(maxsize=4096)
def _choices(options: tuple[str, ...]) -> dict[str, Any]:
    """Shared by all cases with these options; never changed."""
    return {"choices": list(options)}


def _open(row: _Row) -> _Chosen:
    """A question without options; of several answers each is right."""
    answers = list(row.answer)
    if "aliases" in row.settings:
        answers += _converted(row.settings["aliases"][1], list)
    first, *others = dict.fromkeys(answers)
    if "<loc" in first:
        raise SuiteError(
            f"its answer {shown(first)} is a box in units of a model's own",
            fix="write it as x1, y1, x2, y2 with grader = box, or leave the row out",
        )
    question = row.question
    polar = _POLAR.match(question) and " or " not in question and not re.search(r"\d", question)
    if polar and {first, *others} <= {"0", "1"}:
        first, *others = ("yes" if answer == "1" else "no" for answer in (first, *others))
    grader, options = row.grader, _NOTHING
    if not grader:
        grader, options = _inferred(question, first)
        others = [it for it in others if not _passes(question, first, grader, options, it)]
        grader = "text" if others else grader
    if others and grader == "text":
        options = {"aliases": others}
    return question, first, grader, options


@lru_cache(maxsize=4096)
def _inferred(question: str, answer: str) -> tuple[str, dict[str, Any]]:
    """Large suites ask the same again and again, and ask for counts more than for all else."""
    if answer.isdecimal() and answer.isascii() and answer[0] != "0" and _COUNTED.match(question):
        return "integer", _NOTHING
    return graders.infer(question, answer)


def _passes(question: str, first: str, grader: str, options: dict[str, Any], other: str) -> bool:
    try:
        return graders.grade(graders.field_case(grader, first, options, question), other).passed
    except SuiteError:
        return False


def _converted(value: Any, kind: type | tuple[type, ...]) -> Any:
    """A cell as the option it holds; what is none stays as it is, and the grader says so."""
    kinds = kind if isinstance(kind, tuple) else (kind,)
    if not isinstance(value, str):
        return [value] if kind is list and not isinstance(value, list) else value
    text = value.strip()
    if text[:1] in ("{", "["):
        return fields.literal(text) or value
    if list in kinds:
        return [it.strip() for it in re.split(r"[;|]", text) if it.strip()]
    plain = {"yes": "true", "no": "false"}.get(text.casefold(), text.casefold())
    wanted = next((it for it in (bool, float) if it in kinds), None)
    try:
        return msgspec.convert(plain.replace(",", "."), wanted, strict=False) if wanted else value
    except msgspec.ValidationError:
        return value
