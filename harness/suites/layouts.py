"""Arrangements of rows: what a JSON document holds, and rows that nest their question.

Chats (LLaVA, messages, inspect, OpenAI evals, Gemini), promptfoo's tests, questions and answers in
two files (VQA): each becomes plain rows. What is for something else is refused with a recipe.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from harness.errors import SuiteError
from harness.images import shown
from harness.suites.fields import LETTERED, NUMBERED, field_of, is_empty

Cells = dict[str, Any]
_ROWS_KEYS = ("data", "rows", "questions", "examples", "samples", "items", "instances", "test")
_ROLES = {"user": "user", "human": "user", "": "user", "system": "system"} | dict.fromkeys(
    ("assistant", "gpt", "model", "bot"), "assistant"
)
_PICTURES = (
    *("image_url", "image", "url", "path", "source"),
    *("inlineData", "inline_data", "fileData", "file_data"),
)
"""Keys of a part of a message that hold its picture."""
_WHOLE = ("picture", NUMBERED, "answer", "options", "aliases", "fields", "schema")
"""Fields in which an object is a value; in any other column it holds columns."""
_EXPECTED = re.compile(r"(?:equals|i?contains(-any)?|i?starts-with):\s*(.+)", re.DOTALL)
_IMAGE_TOKEN = re.compile(r"^\s*<image>|<image>\s*$", re.IGNORECASE)
_CSV = "write a questions.csv with file_name,question,answer"
_LABEL_STUDIO = "Label Studio's JSON, which nests its answers"
_EXPORT = "export it as CSV, name the columns of question and answer in [columns] of the side file"
_BATCH = "a batch of requests to a model, which holds no answers"
_ASKED = f"{_CSV}: the text and picture of each request, and the right answer"
_COCO = "COCO: boxes and classes, without questions"
_COUNTS = f"{_CSV}: How many cars are there? of each image, and the count of its annotations"
_OF_ELSE = (
    ({"images", "annotations", "categories"}, _COCO, _COUNTS),
    ({"data", "annotations"}, _LABEL_STUDIO, f"{_EXPORT}, and the pictures' folder with --images"),
    ({"data", "predictions"}, _LABEL_STUDIO, f"{_EXPORT}, and the pictures' folder with --images"),
    ({"custom_id", "body"}, _BATCH, _ASKED),
    ({"request"}, _BATCH, _ASKED),
)
"""Keys of what holds no question with a right answer, what it is, and what to make of it."""


def _refuse(cells: Cells, name: str) -> None:
    for keys, what, fix in _OF_ELSE:
        if keys <= cells.keys() and any(_is_nested(cells[it]) for it in keys):
            raise SuiteError(f"{name} is {what}", fix=fix)


def _is_nested(value: Any) -> bool:
    return isinstance(value[0] if isinstance(value, list) and value else value, dict)


def rows_of_document(
    document: Any, name: str, beside: Callable[[str], Any]
) -> tuple[Iterable[Any], list[str]]:
    """The rows of a JSON document: an array, an array under a key, an object of rows by their ids,
    of columns, or one row; and the keys of arrays that were not read. `beside` gives what a file
    in the same folder holds under a key that is in its name.

    Raises: SuiteError when it holds none.
    """
    if isinstance(document, list):
        return document, []
    if not isinstance(document, dict):
        return [document], []
    if "categories" in document:
        _refuse(document, name)
    arrays = [key for key, it in document.items() if it and _is_objects(it) and not _is_chat(it)]
    known = [key for key in _ROWS_KEYS if key in arrays]
    if held := next(iter(known), arrays[0] if len(arrays) == 1 else None):
        rows = document[held]
        if held in ("questions", "annotations") and all("question_id" in it for it in rows):
            return _paired(rows, held, name, beside), []
        return rows, [key for key in arrays if key != held]
    return _by_key(document, name), []


def _is_objects(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(it, dict) for it in value)


def _by_key(document: Cells, name: str) -> Iterable[Cells]:
    """An object whose values are the rows, or the columns; or that is the one row."""
    held = list(document.values())
    first = held[0] if held else None
    if isinstance(first, dict) and _is_objects(held):
        if len(held) == 1 and _is_objects(list(first.values())):
            return _by_key(first, name)
        if len(held) > 1 and "0" in first and all(it.keys() == first.keys() for it in held):
            return ({key: it[at] for key, it in document.items()} for at in first)  # pandas
        return ({"_key": key, **value} for key, value in document.items())
    if len(held) > 1 and all(isinstance(it, list) and len(it) == len(held[0]) for it in held):
        return (dict(zip(document, cells, strict=True)) for cells in zip(*held, strict=True))
    if any(field_of(key)[0] == "question" or _is_chat(it) for key, it in document.items()):
        return [document]
    if document:
        what = f"{name} holds no rows: an object with {shown(', '.join(document))}"
        raise SuiteError(what, fix="make it an array of objects with image, question and answer")
    return []


def _paired(rows: list[Cells], mine: str, name: str, beside: Callable[[str], Any]) -> list[Cells]:
    """Rows that hold question and answer both; VQA's are joined with those in the other file."""
    there = {field_of(key)[0] for row in rows[:1] for key in row}
    if {"question", "answer"} <= there:
        return rows
    other = "annotations" if mine == "questions" else "questions"
    if not _is_objects(found := beside(other)):
        fix = f"put the file with the {other} beside it, with {other} in its name"
        raise SuiteError(f"{name} holds {mine} without {other}", fix=fix)
    questions, annotations = (rows, found) if mine == "questions" else (found, rows)
    by_id = {it.get("question_id"): it for it in annotations}
    joined = [{**by_id.get(it.get("question_id"), {}), **it} for it in questions]
    for row in joined:
        if row.get("multiple_choice_answer"):  # what most of the ten people said
            row.pop("answers", None)
    return joined


def questions_of(row: Cells, where: str) -> list[Cells]:
    """The questions that a row asks, each as a plain row.

    Raises: SuiteError for a row of a format that asks none.
    """
    if not any(key.startswith("__") or _is_nested(it) for key, it in row.items()):
        return [row]
    _refuse(row, f"{where}: this")
    row = _tested(_unfolded(row), where)
    for key, chat in row.items():
        if _is_chat(chat):
            return _chat({name: row[name] for name in row if name != key}, chat)
    return [row]


def _unfolded(row: Cells) -> Cells:
    """With the columns that objects in it hold; the row's own go before them. What holds neither
    question nor picture tells of the row: its context is not shown, its letters are no options."""
    nested = {
        key: it
        for key, it in row.items()
        if isinstance(it, dict) and "bytes" not in it and field_of(key)[0] not in _WHOLE
    }
    if not nested:
        return row
    row = {key: it for key, it in row.items() if key not in nested}
    for key, inner in nested.items():
        held = {it: field_of(it)[0] for it in inner}
        is_row = not {"question", "picture"}.isdisjoint(held.values())
        apart = () if is_row else ("hint", LETTERED)
        row |= {f"{key}.{it}" if it in row or held[it] in apart else it: inner[it] for it in inner}
    return _unfolded(row)


def _is_chat(value: Any) -> bool:
    said = {"role", "from", "user", "parts"}
    return _is_nested(value) and _is_objects(value) and all(said & turn.keys() for turn in value)


def _chat(rest: Cells, turns: list[Cells]) -> list[Cells]:
    """A row for every question, with the turns before it as its context, and the reply to it as
    the answer; for the last alone, where a column holds the answer."""
    answered = any(field_of(name)[0] == "answer" and not is_empty(rest[name]) for name in rest)
    rows: list[Cells] = []
    system, before, last, pictures = "", "", "", list[Any]()
    for role, text, new in _messages(turns):
        if role == "system":
            system = f"{system}\n{text}".strip()
            continue
        if role == "user":
            pictures = [*pictures, *new]
            if last != "user":
                hint = f"{rest.get('hint') or ''}\n{before}".strip()
                rows.append({**rest, "question": system, "hint": hint})
            rows[-1]["question"] = f"{rows[-1]['question']}\n{text}".strip()
            if pictures:
                rows[-1]["images"] = pictures
            before += f"Question: {_IMAGE_TOKEN.sub('', text).strip()}\n"
        elif rows:
            before += f"Answer: {text}\n"
            if not answered and last == "user":
                rows[-1]["answer"] = text
        last = role
    if answered:
        return rows[-1:]
    for number, row in enumerate(rows[1:], start=2):
        row |= {name: f"{row[name]}-{number}" for name in row if field_of(name)[0] == "id"}
    return rows


def _messages(turns: list[Cells]) -> Iterator[tuple[str, str, list[Any]]]:
    """Role (user, assistant or system), text and pictures of each message."""
    for turn in turns:
        if "user" in turn and "assistant" in turn:  # the layout of The Cauldron
            yield "user", str(turn["user"]), []
            yield "assistant", str(turn["assistant"]), []
            continue
        role = str(turn.get("role", turn.get("from", ""))).casefold()
        content = next((turn[it] for it in ("content", "value", "parts") if it in turn), "")
        given = content if isinstance(content, list) else [str(content or "")]
        parts = [{"text": it} if isinstance(it, str) else it for it in given]
        parts = [it for it in parts if isinstance(it, dict)]
        text = "\n".join(str(it["text"]) for it in parts if it.get("text"))
        pictures = (next((it[key] for key in _PICTURES if it.get(key)), None) for it in parts)
        if role in _ROLES:
            yield _ROLES[role], text, [it for it in pictures if it]


def _tested(row: Cells, where: str) -> Cells:
    """The answer that a promptfoo assertion states, as a column or as an object."""
    stated = [str(it) for name, it in row.items() if name.startswith("__expected") and it]
    asserted = row.get("assert") or ()
    for it in asserted if _is_objects(asserted) else ():
        value = it.get("value")
        text = ",".join(map(str, value)) if isinstance(value, list) else value
        stated.append(f"{it.get('type')}:{text}")
    if not stated:
        return row
    match = _EXPECTED.fullmatch(stated[0])
    if len(stated) > 1 or (match is None and re.match(r"[a-z-]+:", stated[0])):
        what = f"{where}: the assertions {shown(', '.join(stated))} do not state one answer"
        raise SuiteError(what, fix=f"use one equals: or contains:, or {_CSV}")
    answer: Any = match[2].strip() if match else stated[0]
    if match and match[1]:
        answer = re.split(r"\s*,\s*", answer)
    kept = (name for name in row if not name.startswith("__expected") and name != "assert")
    return {**{name.removeprefix("__metadata:"): row[name] for name in kept}, "answer": answer}
