"""Rows that hold their question in a way of their own, and files that hold none.

Chats (LLaVA, messages, inspect, OpenAI evals, Gemini), promptfoo's tests, questions and answers in
two files (VQA): each becomes plain rows. What is for something else is refused with a recipe.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from harness.errors import SuiteError
from harness.images.files import read_regular, shown
from harness.suites.fields import NAMES, bare, is_empty

_MAX_JSON_BYTES = 2**31
_CHATS = (
    *("conversations", "conversation", "messages", "input", "prompt", "dialog", "texts"),
    "contents",
)
_NESTED = ("row", "vars", "metadata", "extra_info", "reward_model", "meta", "question")
_PICTURE_PARTS = (
    *("image_url", "image", "url", "path", "source"),
    *("inlineData", "inline_data", "fileData", "file_data"),
)
_IDS = {bare(name) for name in NAMES["id"]}
_ANSWERS = {bare(name) for name in NAMES["answer"]}
_EXPECTED = re.compile(r"(equals|i?contains(?:-any|-all)?|i?starts-with):\s*(.+)", re.DOTALL)
_IMAGE_TOKEN = re.compile(r"^\s*<image>|<image>\s*$", re.IGNORECASE)
_CSV = "write a questions.csv with file_name,question,answer"
Cells = dict[str, Any]


def unfold(row: Cells) -> Iterator[Cells]:
    """The questions that a row asks, each as a plain row.

    Raises: SuiteError for a row of a format that asks none.
    """
    if isinstance(row.get("data"), dict) and ("annotations" in row or "predictions" in row):
        raise SuiteError(
            "this is Label Studio's JSON, which nests its answers",
            fix="export the project as CSV instead, name the columns of question and answer in"
            " [columns] of the side file, and give the folder of the pictures with --images",
        )
    if "request" in row or ("custom_id" in row and "body" in row):
        raise SuiteError(
            "this is a batch of requests to a model, which holds no answers",
            fix=f"{_CSV}: the text and picture of each request, and the right answer",
        )
    for key in _NESTED:
        if isinstance(inner := row.get(key), dict):
            row = {name: value for name, value in row.items() if name != key}
            row |= {f"{key}.{name}" if name in row else name: inner[name] for name in inner}
    row = _tested(row)
    for key in _CHATS:
        chat = row.get(key)
        if isinstance(chat, list) and chat and all(isinstance(turn, dict) for turn in chat):
            yield from _chat({name: row[name] for name in row if name != key}, chat)
            return
    yield row


def _chat(rest: Cells, turns: list[Cells]) -> Iterator[Cells]:
    """A row for every question, with the turns before it as its context; the answer is the reply
    to it, unless a column holds one."""
    answered = any(bare(name) in _ANSWERS and not is_empty(rest[name]) for name in rest)
    number, system, before = 0, "", ""
    pictures: list[Any] = []
    row: Cells | None = None
    for role, text, shown_there in _messages(turns):
        if role == "system":
            system = f"{system}\n{text}".strip()
        elif role == "user":
            if row is not None:
                yield row
            number += 1
            pictures += shown_there
            row = dict(rest)
            if number > 1:
                row |= {name: f"{row[name]}-{number}" for name in row if bare(name) in _IDS}
                row["hint"] = f"{row.get('hint') or ''}\n{before}".strip()
            row["question"] = f"{system}\n{text}".strip()
            row |= {"images": list(pictures)} if pictures else {}
            before += f"Question: {_IMAGE_TOKEN.sub('', text).strip()}\n"
            if not answered:
                row["answer"] = None
        elif row is not None:
            before += f"Answer: {text}\n"
            if not answered and row["answer"] is None:
                row["answer"] = text
    if row is not None:
        yield row


def _messages(turns: list[Cells]) -> Iterator[tuple[str, str, list[Any]]]:
    """Role (user, assistant or system), text and pictures of each message."""
    for turn in turns:
        if "user" in turn and "assistant" in turn:  # the layout of The Cauldron
            yield "user", str(turn["user"]), []
            yield "assistant", str(turn["assistant"]), []
            continue
        role = str(turn.get("role", turn.get("from", ""))).casefold()
        role = _ROLES.get(role, role)
        content = next((turn[it] for it in ("content", "value", "parts") if it in turn), "")
        parts = content if isinstance(content, list) else [str(content or "")]
        texts = [it if isinstance(it, str) else it.get("text") for it in parts if it]
        pictures = [
            next((it[key] for key in _PICTURE_PARTS if it.get(key)), None)
            for it in parts
            if isinstance(it, dict)
        ]
        if role in ("user", "assistant", "system"):
            yield role, "\n".join(filter(None, texts)), [it for it in pictures if it]


_ROLES = {"human": "user", "": "user", "gpt": "assistant", "model": "assistant", "bot": "assistant"}


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
    rows = _objects(document.get(mine))
    there = {"answer", "answers"} if mine == "questions" else {"question"}
    if not rows or not all("question_id" in it and not there & it.keys() for it in rows):
        return None
    for beside in sorted(path.parent.glob("*.json")):
        if beside != path and other in beside.name.casefold():
            held = msgspec.json.decode(
                read_regular(beside, limit_bytes=_MAX_JSON_BYTES), type=dict[str, msgspec.Raw]
            )
            found = {mine: rows, other: _objects(held.get(other))}
            answers = {it.get("question_id"): it for it in found["annotations"]}
            return (
                _joined(it, answers.get(it.get("question_id"), {})) for it in found["questions"]
            )
    raise SuiteError(
        f"{shown(path)} holds {mine} without {other}",
        fix=f"put the file with the {other} beside it, with {other} in its name",
    )


def _objects(raw: msgspec.Raw | None) -> list[Cells]:
    try:
        return msgspec.json.decode(raw or b"[]", type=list[Cells])
    except msgspec.DecodeError:
        return []


def _joined(question: Cells, annotation: Cells) -> Cells:
    if annotation.get("multiple_choice_answer"):  # what most of the ten people said
        annotation = {name: it for name, it in annotation.items() if name != "answers"}
    return {**annotation, **question}


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
