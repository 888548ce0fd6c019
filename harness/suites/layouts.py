"""Rows that hold their question in a way of their own, and files that hold none.

Chats (LLaVA, messages, inspect, OpenAI evals, Gemini), promptfoo's tests, questions and answers in
two files (VQA): each becomes plain rows. What is for something else is refused with a recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from harness.errors import SuiteError
from harness.images.files import read_regular, shown
from harness.suites.fields import NAMES, bare, is_empty

MAX_JSON_BYTES = 2**31
_CHATS = (
    *("conversations", "conversation", "messages", "input", "prompt", "dialog", "texts"),
    "contents",
)
_NESTED = ("row", "vars", "metadata", "extra_info", "reward_model", "meta", "question")
_ABOUT, _HINTS = ("metadata", "extra_info", "meta"), NAMES["hint"]
"""What tells of a row is not shown to the model, even where it is called its context."""
_ROLES = {"": "user", "user": "user", "human": "user", "system": "system"} | dict.fromkeys(
    ("assistant", "gpt", "model", "bot"), "assistant"
)
_PICTURES = (
    *("image_url", "image", "url", "path", "source"),
    *("inlineData", "inline_data", "fileData", "file_data"),
)
"""Keys of a part of a message that hold its picture."""
_IDS = {bare(name) for name in NAMES["id"]}
_ANSWERS = {bare(name) for name in NAMES["answer"]}
_EXPECTED = re.compile(r"(equals|i?contains(?:-any|-all)?|i?starts-with):\s*(.+)", re.DOTALL)
_IMAGE_TOKEN = re.compile(r"^\s*<image>|<image>\s*$", re.IGNORECASE)
_CSV = "write a questions.csv with file_name,question,answer"
Cells = dict[str, Any]
Rows = Iterator[tuple[str, int, Cells]]
"""The file, with what its rows are counted in; a number; and cells by column."""


def unfolded(rows: Rows) -> Rows:
    """The questions that rows ask, each as a plain row.

    Raises: SuiteError for a row of a format that asks none.
    """
    for file, line, row in rows:
        try:
            yield from ((file, line, it) for it in _questions(row))
        except SuiteError as error:
            raise SuiteError(f"{file} {line}: {error.problem}", fix=error.fix) from None


def _questions(row: Cells) -> list[Cells]:
    if isinstance(row.get("data"), dict) and ("annotations" in row or "predictions" in row):
        raise SuiteError(
            "this is Label Studio's JSON, which nests its answers",
            fix="export the project as CSV instead, name the columns of question and answer in"
            " [columns] of the side file, and give the folder of the pictures with --images",
        )
    if isinstance(row.get("request"), dict) or ("custom_id" in row and "body" in row):
        raise SuiteError(
            "this is a batch of requests to a model, which holds no answers",
            fix=f"{_CSV}: the text and picture of each request, and the right answer",
        )
    for key in _NESTED:
        if isinstance(inner := row.get(key), dict):
            row = {name: value for name, value in row.items() if name != key}
            about = _HINTS if key in _ABOUT else ()
            row |= {f"{key}.{it}" if it in row or it in about else it: inner[it] for it in inner}
    row = _tested(row)
    for key in _CHATS:
        chat = row.get(key)
        if isinstance(chat, list) and chat and all(isinstance(turn, dict) for turn in chat):
            return _chat({name: row[name] for name in row if name != key}, chat)
    return [row]


def _chat(rest: Cells, turns: list[Cells]) -> list[Cells]:
    """A row for every question, with the turns before it as its context, and the reply to it as
    the answer; for the last alone, where a column holds the answer."""
    answered = any(bare(name) in _ANSWERS and not is_empty(rest[name]) for name in rest)
    rows: list[Cells] = []
    system, before, last, pictures = "", "", "", list[Any]()
    for role, text, new in _messages(turns):
        if role == "system":
            system = f"{system}\n{text}".strip()
            continue
        if role == "user":
            pictures = [*pictures, *new]
            if last != "user":
                row = rest if answered else {**rest, "answer": None}
                hint = f"{rest.get('hint') or ''}\n{before}".strip() if before else rest.get("hint")
                rows.append(row | {"question": system, "hint": hint})
            question = f"{rows[-1]['question']}\n{text}".strip()
            rows[-1] |= {"question": question, **({"images": pictures} if pictures else {})}
            before += f"Question: {_IMAGE_TOKEN.sub('', text).strip()}\n"
        elif rows:
            before += f"Answer: {text}\n"
            if not answered and last == "user":
                rows[-1]["answer"] = text
        last = role
    if answered:
        return rows[-1:]
    for number, row in enumerate(rows[1:], start=2):
        row |= {name: f"{row[name]}-{number}" for name in row if bare(name) in _IDS}
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


def _tested(row: Cells) -> Cells:
    """The answer that a promptfoo assertion states, as a column or as an object."""
    asserted = row.get("assert")
    stated = [str(row[name]) for name in row if name.startswith("__expected") and row[name]]
    if isinstance(asserted, list) and asserted and all(isinstance(it, dict) for it in asserted):
        for it in asserted:
            value = it.get("value")
            text = ",".join(map(str, value)) if isinstance(value, list) else value
            stated.append(f"{it.get('type')}:{text}")
    row = {
        name.removeprefix("__metadata:"): value
        for name, value in row.items()
        if not name.startswith("__expected") and not (stated and name == "assert")
    }
    if not stated:
        return row
    match = _EXPECTED.fullmatch(stated[0])
    if len(stated) > 1 or (match is None and re.match(r"[a-z-]+:", stated[0])):
        raise SuiteError(
            f"the assertions {shown(', '.join(stated))} do not state one answer",
            fix=f"use one equals: or contains:, or {_CSV}",
        )
    if match is None:
        return {**row, "answer": stated[0]}
    values = re.split(r"\s*,\s*", match[2].strip()) if "-a" in match[1] else [match[2].strip()]
    grader = {"grader": "list"} if match[1].endswith("-all") else {}
    return {**row, "answer": values if len(values) > 1 else values[0], **grader}


def pair(path: Path, document: Mapping[str, msgspec.Raw]) -> Iterator[Cells] | None:
    """VQA's questions joined with the annotations that lie beside them; None for other files.

    Raises: SuiteError when one of the two is missing.
    """
    mine, other = "questions", "annotations"
    if mine not in document:
        mine, other = other, mine
    rows = _objects(document, mine)
    there = {"answer", "answers"} if mine == "questions" else {"question"}
    if not rows or not all("question_id" in it and not there & it.keys() for it in rows):
        return None
    for beside in sorted(path.parent.glob("*.json")):
        if beside == path or other not in beside.name.casefold():
            continue
        with suppress(msgspec.DecodeError):
            held = msgspec.json.decode(
                read_regular(beside, limit_bytes=MAX_JSON_BYTES), type=dict[str, msgspec.Raw]
            )
            found = {mine: rows, other: _objects(held, other)}
            annotations = {it.get("question_id"): it for it in found["annotations"]}
            return (annotations.get(it["question_id"], {}) | it for it in found["questions"])
    raise SuiteError(
        f"{shown(path)} holds {mine} without {other}",
        fix=f"put the file with the {other} beside it, with {other} in its name",
    )


def _objects(document: Mapping[str, msgspec.Raw], key: str) -> list[Cells]:
    with suppress(msgspec.DecodeError):
        rows = msgspec.json.decode(document.get(key, b"[]"), type=list[Cells])
        for row in rows:
            if row.get("multiple_choice_answer"):  # what most of the ten people said
                row.pop("answers", None)
        return rows
    return []


# --- what is refused ------------------------------------------------------------------------


def refuse_document(path: Path, document: Mapping[str, msgspec.Raw]) -> None:
    """
    Raises: SuiteError for annotations of pictures, which ask no question.
    """
    if {"images", "annotations", "categories"} <= document.keys():
        raise SuiteError(
            f"{shown(path)} is COCO: boxes and classes, without questions",
            fix=f"{_CSV}: for each of its images a question such as How many cars are there?, "
            "and the count of its annotations as the answer",
        )


_RECIPES = {
    ".tar": (
        "is a WebDataset shard",
        "unpack it with mkdir set && tar xf {name} -C set; then {csv} from its .json or .txt files",
    ),
    ".yaml .yml": (
        "is YAML, such as promptfoo's configuration",
        "{csv}: a row for each of its tests",
    ),
    ".zip .7z .rar": ("is an archive", "unpack it, and name the folder or the file in it"),
    ".gz .tgz .bz2 .xz .zst": ("is compressed", "unpack it: gunzip {name}"),
    ".xls .ods": ("is a workbook that cannot be read", "save the sheet as CSV UTF-8 or .xlsx"),
    ".xml .txt .md": ("is text that is no table", "{csv}"),
    ".pkl .pickle .npz .npy": ("is Python's own, and could run code", "save it with to_parquet"),
    ".pdf": ("is a document", "{csv}, with {name}#1 as file_name for its first page"),
}


def refuse_file(path: Path, readable: str) -> NoReturn:
    """
    Raises: SuiteError that says what the file is, and what to make of it.
    """
    kind = next((it for it in _RECIPES if path.suffix.lower() in it.split()), "")
    what, fix = _RECIPES.get(
        kind, ("is not a suite", f"name a folder, or a file that ends in {readable}")
    )
    raise SuiteError(f"{shown(path)} {what}", fix=fix.format(name=shown(path.name), csv=_CSV))
