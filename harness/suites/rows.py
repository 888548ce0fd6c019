"""Rows of somebody else's file become cases: ids, options with letters, keys, graders, remarks."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from harness import graders
from harness.errors import SuiteError
from harness.images import shown
from harness.records import Case
from harness.suites import UNCATEGORIZED, Findings, Placed, fields, parse_toml, slug
from harness.suites.fields import LETTERED, LETTERS, NAMES, NUMBERED, SETTINGS, bare, text_of
from harness.suites.files import table_of
from harness.suites.formats import read_rows
from harness.suites.layouts import Cells, questions_of
from harness.suites.pictures import Pictures, refers

_ASK_LETTER = "Answer with the letter of the right option."
_ASK_LETTERS = "Answer with the letters of all right options."
_SLUG_CHARS, _MAX_KEYS_CHARS = 40, 100
_DIFFICULTIES = {it: it for it in ("easy", "medium", "hard")}
_POLAR = re.compile(
    r"(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should)(?:n't)?\b"
    r"(?!.*(?: or |\d)).*",
    re.I | re.DOTALL,
)
_KEY = re.compile(r"(?:(?:[Oo]ption|[Cc]hoice) )?\(?([A-Za-z])\)?[.:)]?")
_KEY_AND_TEXT = re.compile(r"\(?([A-Z])\s?[.:)]\s*(.+)", re.DOTALL)
_KEYS = re.compile(r"[A-Z](?:\s*(?:[,;/&]|and)?\s*[A-Z])+")
_OF_LISTS = ("list", "json", "point", "box")
"""Graders to which a list in the answer's cell is one answer."""
_NOTHING: dict[str, Any] = {}
"""Shared by all cases that have none; never changed."""
_inferred = lru_cache(maxsize=4096)(graders.infer)
_shared = lru_cache(maxsize=4096)(str)
"""The first of equal texts: a hundred thousand rows say the same again and again."""


class _Row(Struct, kw_only=True, gc=False):
    """A question as a file of somebody else states it."""

    where: str
    number: int
    """Among the rows with content, from 1."""
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
    difficulty: Literal["easy", "medium", "hard"] | None
    grader: str
    settings: Mapping[str, tuple[str, Any]]
    """Options of the grader, each with the column that holds it."""


_READ: Mapping[str, Callable[[Any], Any]] = {
    "question": text_of,
    "answer": lambda cell: tuple(map(_shared, fields.answers_of(cell))),
    "options": lambda cell: tuple(map(_shared, fields.options_of(cell))),
    "hint": lambda cell: _shared(fields.hint_of(cell)),
    "category": lambda cell: _shared(fields.line_of(cell)),
    "difficulty": lambda cell: _DIFFICULTIES.get(text_of(cell).casefold()),
    "grader": lambda cell: _shared(text_of(cell)),
}
"""Field: how its cell is read."""
_NOTHING_OF = {what: read(None) for what, read in _READ.items()}


def cases_of(paths: Sequence[Path], pictures: Pictures, findings: Findings) -> Iterator[Placed]:
    """The case of each row that has a picture, a question and an answer, with its place.

    Raises: SuiteError when a file cannot be read, or holds no questions at all.
    """
    side = _SideFile(paths[0].with_name(f"{table_of(paths[0])}.graders.toml"), findings)
    reader = _Reader(pictures, findings, tuple(side.columns.items()))
    held = deque(reader.rows(paths))
    any_read = bool(held)
    by_column = {it: ids for it, ids in reader.ids.items() if len(ids) == len(held)}
    id_column = next((it for it, ids in by_column.items() if len(set(ids)) == len(ids)), "")
    first_index = _first_index(held, reader.first_option, findings)
    by_id = {
        value: row.pictures
        for ids in by_column.values()
        for value, row in zip(ids, held, strict=True)
        if reader.refers and not any(map(refers, row.pictures))
    }
    if several := sum(len(row.answer) > 1 and not row.options for row in held):
        what = f"several in {several:,} {'row' if several == 1 else 'rows'}, of which any passes"
        findings.note("answers", f'{what}; where all count, set grader = "list" in the side file')
    for case_id in by_column.get(id_column) or [""] * len(held):
        row = held.popleft()  # a row goes as its case comes: large suites fill the memory once
        try:
            followed = (pictures.followed(it, by_id) for it in row.pictures)
            row.pictures = tuple(it for names in followed for it in names)
            row.question = fields.with_places(row.question, len(row.pictures))
            yield row.where, _case(row, case_id, first_index, reader.used, side)
        except SuiteError as error:
            findings.error(row.where, error)
    reader.report(id_column, any_read=any_read)
    if reader.seen:
        side.report_unused(reader.seen)


class _Rival(Struct):
    """A column that says something else than the one that was used, and where it does first."""

    what: str
    used: str
    where: str
    rows: int = 0


class _Reader(Struct):
    """Reads rows, and remembers which columns it had no use for."""

    pictures: Pictures
    findings: Findings
    given: tuple[tuple[str, tuple[str, ...]], ...]
    """What the side file says: a field, and the columns that hold it."""
    ids: dict[str, list[str]] = {}
    """Columns of ids, with what the rows hold there."""
    seen: dict[str, None] = {}
    """Columns with content, in their order."""
    used: set[str] = set()
    rivals: dict[str, _Rival] = {}
    first_option: int = 0
    """The number of the first option, where columns of options are numbered from 1."""
    refers: bool = False
    """Whether a picture is named by the number of another row, or of a file."""

    def rows(self, paths: Iterable[Path]) -> Iterator[_Row]:
        """Those with a picture, a question and an answer; what others lack is a problem."""
        number = 0
        for path in paths:
            for file, line, cells in read_rows(path, self.findings):
                where = f"{file} {line}"
                for plain in questions_of(cells, where):
                    number += 1
                    if row := self._row(where, number, plain):
                        yield row

    def _row(self, where: str, number: int, cells: Cells) -> _Row | None:
        filled = {name: cell for name, cell in cells.items() if not fields.is_empty(cell)}
        if not filled.keys() <= self.seen.keys():
            self.seen.update(dict.fromkeys(filled))
        plan = fields.plan(tuple(cells), self.given)
        held = plan
        if len(filled) < len(cells):
            held = {it: tuple(filter(filled.__contains__, names)) for it, names in plan.items()}
        found = {what: self._first(what, held.get(what, ()), filled, where) for what in _READ}
        found["options"] = found["options"] or self._lettered(held, filled)
        answer = filled[held["answer"][0]] if found["answer"] else None
        if isinstance(answer, str) and bare(held["answer"][0]) == "answers":  # a cell of a table
            found["answer"] = tuple(filter(None, re.split(r"\s*[|;]\s*", *found["answer"])))
        pictures = self._of_pictures(held, filled, where)
        needed = {"picture": pictures, "question": found["question"], "answer": found["answer"]}
        if self._lacks(needed, plan, cells, where) or pictures is None:
            return None
        self.refers = self.refers or any(map(refers, pictures))
        for name in held.get("id", ()):
            self.ids.setdefault(name, []).append(text_of(filled[name]))
        settings = {it: (held[it][0], filled[held[it][0]]) for it in SETTINGS if held.get(it)}
        return _Row(
            where=where,
            number=number,
            pictures=pictures,
            raw_answer="" if fields.listed(answer) is None else text_of(answer),
            settings=settings or _NOTHING,
            **found,
        )

    def _lacks(self, needed: Cells, plan: fields.Plan, cells: Cells, where: str) -> bool:
        """Whether something is missing, which is a problem; what is None is one already."""
        missing = [what for what, it in needed.items() if it is not None and not it]
        for what in missing:
            there, fix = f"among {shown(', '.join(cells))}", f"call a column `{what}`, or name it"
            fix += " in [columns] of the side file"
            if what in plan:
                there, fix = f"`{plan[what][0]}` is empty", "fill the cell, or leave the row out"
            self.findings.problem(where, f"no {what}: {there}", fix)
        return bool(missing)

    def _first(self, what: str, held: Sequence[str], cells: Cells, where: str) -> Any:
        """What the first column holds that can be read; the others are its rivals where they say
        something else."""
        used, found = "", _NOTHING_OF[what]
        for name in held:
            if not used:
                found = _READ[what](cells[name])
                used = name if found else ""
            elif text_of(cells[name]) != text_of(cells[used]):
                if not bare(name).endswith(("idx", "index")):  # which says the same
                    self.rivals.setdefault(name, _Rival(what, used, where)).rows += 1
                continue
            if used:
                self.used.add(name)
        return found

    def _lettered(self, held: fields.Plan, cells: Cells) -> tuple[str, ...]:
        """The options of columns A to Z, or option_1 and so on."""
        lettered = held.get(LETTERED, ())
        self.used.update(lettered)
        places = {fields.field_of(name)[1]: fields.line_of(cells[name]) for name in lettered}
        first = 0 if 0 in places else 1
        if any(name[-1].isdigit() for name in lettered):
            self.first_option = first
        return tuple(places.get(at, "") for at in range(first, max(places, default=0) + 1))

    def _of_pictures(self, held: fields.Plan, cells: Cells, where: str) -> tuple[str, ...] | None:
        """Those in the column that holds the most, before one whose file is not there, then in
        those that are numbered: image, image_2... None where one is a problem."""
        names = held.get("picture", ())
        if not any(what == "picture" for what, _ in self.given):
            if len(names) > 1:
                count = {it: len(fields.several(cells[it])) for it in names}
                there = self.pictures.has
                names = (max(names, key=lambda it: (count[it], there(cells[it]))),)
            names = (*names, *held.get(NUMBERED, ()))
        given = tuple(it for name in names for it in fields.several(cells[name]))
        alike = (it for it in held.get("picture", ()) if cells[it] in (cells[names[0]], *given))
        self.used.update(names, alike)
        try:
            return tuple(_shared(name) for it in given for name in self.pictures.names(it))
        except SuiteError as error:
            self.findings.error(where, error)
            return None

    def report(self, id_column: str, *, any_read: bool) -> None:
        """Say which columns may have been meant, and which were not used."""
        for name, it in self.rivals.items():
            if it.what in ("question", "answer"):
                more = f" (and {it.rows - 1:,} more rows)" if it.rows > 1 else ""
                both = f"{shown(it.used)} is used, {shown(name)} differs{more}"
                fix = f'say which in the side file: [columns] {it.what} = "{shown(name)}"'
                self.findings.warning(it.where, f"two columns may be its {it.what}: {both}", fix)
        used = (self.used - self.rivals.keys()) | {id_column}
        if any_read and (unused := [it for it in self.seen if it not in used]):
            self.findings.note("columns", f"not used: {shown(', '.join(unused))}")


def _is_index(answers: Sequence[str]) -> bool:
    return len(answers) == 1 and answers[0].isdecimal() and len(answers[0]) < 3


def _first_index(rows: Iterable[_Row], first_option: int, findings: Findings) -> int | None:
    """What the first option's number is where keys are numbers; None: they are the texts."""
    keyed = [row for row in rows if row.options and _is_index(row.answer)]
    if all(str(int(row.answer[0])) in row.options for row in keyed):
        return None
    if any(int(row.answer[0]) == 0 for row in keyed):
        return 0
    if first_option or any(int(row.answer[0]) == len(row.options) for row in keyed):
        return 1
    what = "its answer is taken for the number of an option, counted from 0: no answer tells"
    findings.warning(keyed[0].where, what, "write letters as answers")
    return 0


_Graded = tuple[str, str | tuple[str, ...], str, dict[str, Any]]
"""Question, expected answer, grader and its options."""


def _case(
    row: _Row, case_id: str, first_index: int | None, used: set[str], side: _SideFile
) -> Case:
    if not case_id:
        inline = re.match(r"[0-9a-f]{64}\.", row.pictures[0])
        about = row.question if inline else row.pictures[0].rpartition("/")[2].partition(".")[0]
        case_id = f"{row.number:04d}-{slug(about)[:_SLUG_CHARS].strip('-') or 'case'}"
    category = row.category or UNCATEGORIZED
    chosen = _multiple_choice(row, first_index) if row.options else _open(row, used)
    question, expected, grader, options = chosen
    grader, options = side.apply(grader, options, category, case_id)
    if grader in _OF_LISTS and row.raw_answer and not row.options:
        expected = row.answer if grader == "list" else row.raw_answer
        expected = row.raw_answer.strip("[]") if grader in ("point", "box") else expected
    if row.settings:
        grader, options = _with_settings(row, grader, options, used)
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


def _multiple_choice(row: _Row, first_index: int | None) -> _Graded:
    options = {it: text for it, text in zip(LETTERS, row.options, strict=False) if text}
    index = first_index if _is_index(row.answer) else None
    keys = tuple(dict.fromkeys(it for answer in row.answer for it in _key(answer, options, index)))
    question = row.question
    if not all(  # the question itself lists them with their letters
        text in question and re.search(rf"(?:^|[\s(\[]){letter}\s?[.:)\]]", question)
        for letter, text in options.items()
    ):
        lines = [f"{letter}. {text}" for letter, text in options.items()]
        question = "\n".join([question, *lines, _ASK_LETTER if len(keys) == 1 else _ASK_LETTERS])
    if len(keys) > 1:
        return question, keys, row.grader or "list", {}
    return question, keys[0], row.grader or "choice", _choices(tuple(options.values()))


def _key(answer: str, options: Mapping[str, str], first_index: int | None) -> str:
    """The letters that an answer names: one as a rule."""
    letter = match[1] if (match := _KEY.fullmatch(answer)) else "-"
    if letter in options:  # a key that is a letter is a letter first
        return letter
    if first_index is None:
        by_text = {_folded(text): it for it, text in options.items()}
        polar = {"yes": "true", "no": "false", "true": "yes", "false": "no"}.get(answer.casefold())
        pair = _KEY_AND_TEXT.fullmatch(answer)
        named = re.findall("[A-Z]", answer[:_MAX_KEYS_CHARS])
        found = by_text.get(_folded(answer)) or by_text.get(polar or "") or letter.upper()
        if pair and by_text.get(_folded(pair[2])) == pair[1]:
            found = pair[1]
        elif _KEYS.fullmatch(answer[:_MAX_KEYS_CHARS]) and options.keys() >= set(named):
            return "".join(named)
    else:
        found = dict(enumerate(LETTERS, start=first_index)).get(int(answer), "-")
    if found in options:
        return found
    listed = ", ".join(f"{letter}. {text}" for letter, text in options.items())
    what = f"{answer!r} is none of the options {shown(listed)}"
    raise SuiteError(what, fix="write the letter of the right option as the answer")


def _folded(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(".")


@lru_cache(maxsize=4096)
def _choices(options: tuple[str, ...]) -> dict[str, Any]:
    """Shared by all cases with these options; never changed."""
    return {"choices": list(options)}


def _open(row: _Row, used: set[str]) -> _Graded:
    """A question without options; of several answers each is right."""
    answers, question = list(row.answer), row.question
    if "aliases" in row.settings:
        column, aliases = row.settings["aliases"]
        answers += aliases if isinstance(aliases, list) else _converted(str(aliases), list)
        used.add(column)
    first, *others = dict.fromkeys(answers)
    if "<loc" in first:
        raise SuiteError(
            f"its answer {shown(first)} is a box in units of a model's own",
            fix="write it as x1, y1, x2, y2 with grader = box, or leave the row out",
        )
    if {first, *others} <= {"0", "1"} and _POLAR.fullmatch(question):
        first, *others = ("yes" if answer == "1" else "no" for answer in (first, *others))
    grader, options = row.grader, _NOTHING
    if not grader:
        grader, options = _inferred(question, first)
        others = [it for it in others if not _passes(question, first, grader, options, it)]
        grader = "text" if others else grader
    if others and grader == "text":
        options = {"aliases": others}
    return question, first, grader, options


def _passes(question: str, first: str, grader: str, options: dict[str, Any], other: str) -> bool:
    try:
        return graders.grade(graders.field_case(grader, first, options, question), other).passed
    except SuiteError:
        return False


def _with_settings(
    row: _Row, grader: str, options: dict[str, Any], used: set[str]
) -> tuple[str, dict[str, Any]]:
    """With the options that columns of their own hold. An inferred grader that does not take one
    gives way to the first that does, where the answer fits that."""
    for name, (column, value) in row.settings.items():
        takers = [it for it, known in graders.GRADERS.items() if name in known.options]
        taker = grader if grader in takers or row.grader or row.options else takers[0]
        if taker not in takers or name == "aliases":  # which are among the answers
            continue
        kept = options if taker == grader else {}
        changed = {**kept, name: _converted(value, graders.GRADERS[taker].options[name])}
        case = graders.field_case(taker, row.answer[0], changed, row.question)
        if taker == grader or not graders.problems(case):
            grader, options = taker, changed
            used.add(column)
    return grader, options


def _converted(value: Any, kinds: type | tuple[type, ...]) -> Any:
    """A cell as the option it holds; what is none stays as it is, and the grader says so."""
    if not isinstance(value, str):
        return value
    for text in (value.strip(), value.strip().casefold().replace(",", ".")):
        if isinstance(found := fields.literal(text), kinds):
            return found
    parts = [it.strip() for it in re.split(r"[;|]", value) if it.strip()]
    return parts if isinstance(parts, kinds) else value.strip()


class _Tables(Struct, forbid_unknown_fields=True):
    columns: dict[str, str | list[str]] = {}
    all: dict[str, Any] = {}
    category: dict[str, dict[str, Any]] = {}
    case: dict[str, dict[str, Any]] = {}


class _SideFile:
    """`<suite>.graders.toml`: what no rule can guess of somebody else's suite; of its tables
    `all`, `category` and `case` the later win."""

    def __init__(self, path: Path, findings: Findings) -> None:
        self._name, self._findings, tables = shown(path.name), findings, _Tables()
        try:
            if os.path.lexists(path):
                tables = msgspec.convert(parse_toml(path), _Tables)
        except msgspec.ValidationError as exc:
            self._problem(str(exc), f"its tables are {', '.join(_Tables.__struct_fields__)}")
        self.columns: dict[str, tuple[str, ...]] = {}
        for key, value in tables.columns.items():
            what = "picture" if key in ("image", "images", "pictures") else key
            self.columns[what] = (value,) if isinstance(value, str) else tuple(value)
            if what not in (*NAMES, *SETTINGS):
                self._problem(f"columns: {shown(key)} is not a field", f"use {', '.join(NAMES)}")
        self._tables = {("category", it): table for it, table in tables.category.items()}
        self._tables |= {("case", it): table for it, table in tables.case.items()}
        self._all, self._unused = tables.all, set(self._tables)

    def _problem(self, what: str, fix: str) -> None:
        self._findings.problem(self._name, what, fix)

    def apply(
        self, grader: str, options: dict[str, Any], category: str, case_id: str
    ) -> tuple[str, dict[str, Any]]:
        """The grader and options that hold for a case; options of another grader fall away."""
        places = (("category", category), ("case", case_id))
        self._unused.difference_update(places)
        for table in (self._all, *(self._tables.get(it) for it in places)):
            if table:
                named = str(table.get("grader", grader))
                options = (options if named == grader else {}) | table
                options.pop("grader", None)
                grader = named
        return grader, options

    def report_unused(self, columns: Iterable[str]) -> None:
        """Name what the suite does not have; `columns` are those with content."""
        there = set(map(bare, columns))
        named = (name for held in self.columns.values() for name in held)
        unused = [f"{section} {shown(name)}" for section, name in sorted(self._unused)]
        unused += [f"column {shown(it)} with content" for it in named if bare(it) not in there]
        for what in unused:
            self._problem(f"the suite has no {what}", "correct the name, or delete it")
