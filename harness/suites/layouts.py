"""Rows that hold their question in a way of their own, and files that hold none.

Chats (LLaVA, messages, inspect, OpenAI evals), promptfoo's tests, questions and answers in two
files (VQA): each becomes plain rows. What is for something else is refused with a way to a CSV.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from harness.errors import SuiteError
from harness.images.files import read_regular, shown
from harness.suites.fields import NAMES, bare

_MAX_JSON_BYTES = 2**31
_CHATS = ("conversations", "conversation", "messages", "input", "prompt", "dialog", "texts")
_NESTED = ("row", "vars", "metadata", "extra_info", "reward_model", "meta")
_PICTURE_PARTS = ("image_url", "image", "url", "path", "source")
_ASKING = ("user", "human")
_ANSWERING = ("assistant", "gpt", "model", "bot")
_IDS = {bare(name) for name in NAMES["id"]}
_ANSWERS = {bare(name) for name in NAMES["answer"]}
_EXPECTED = re.compile(r"(equals|i?contains(?:-any|-all)?|i?starts-with):\s*(.+)", re.DOTALL)
_CSV = "write a questions.csv with file_name,question,answer"
Cells = dict[str, Any]


def unfold(row: Cells) -> Iterator[Cells]:
    """The questions that a row asks, each as a plain row.

    Raises: SuiteError for a row of a format that asks none.
    """
    _refuse_row(row)
    for key in _NESTED:
        inner = row.get(key)
        if isinstance(inner, dict):
            row = {name: value for name, value in row.items() if name != key}
            row |= {f"{key}.{name}" if name in row else name: inner[name] for name in inner}
    row = _tested(row)
    for key in _CHATS:
        chat = row.get(key)
        if isinstance(chat, list) and chat and all(isinstance(turn, dict) for turn in chat):
            yield from _chat({name: row[name] for name in row if name != key}, chat)
            return
    yield row


# --- chats ----------------------------------------------------------------------------------


def _chat(rest: Cells, turns: list[Cells]) -> Iterator[Cells]:
    """A row for every question; the answer is the reply to it, unless a column holds one."""
    answered = any(bare(name) in _ANSWERS and rest[name] not in (None, "", []) for name in rest)
    asked: list[tuple[str, list[Any], list[str]]] = []
    system = ""
    pairs = [turn for turn in turns if "user" in turn and "assistant" in turn]
    if pairs:  # the layout of The Cauldron
        turns = [{"role": who, "content": it[who]} for it in pairs for who in ("user", "assistant")]
    for turn in turns:
        role = str(turn.get("role", turn.get("from", ""))).casefold()
        text, pictures = _content(turn.get("content", turn.get("value", "")))
        if role in _ASKING or not role:
            asked.append((text, pictures, []))
        elif role in _ANSWERING and asked:
            asked[-1][2].append(text)
        elif role == "system":
            system = f"{system}\n{text}".strip()
    for number, (text, pictures, replies) in enumerate(asked, start=1):
        row = dict(rest)
        if number > 1:
            row |= {name: f"{row[name]}-{number}" for name in row if bare(name) in _IDS}
        row["question"] = f"{system}\n{text}".strip()
        if pictures:
            row["images"] = pictures
        if not answered:
            row["answer"] = replies[0] if replies else None
        yield row


def _content(content: Any) -> tuple[str, list[Any]]:
    """The text of a message, and the pictures in it."""
    if not isinstance(content, list):
        return str(content or ""), []
    texts, pictures = [], []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            if isinstance(part.get("text"), str):
                texts.append(part["text"])
            picture = next((part[key] for key in _PICTURE_PARTS if part.get(key)), None)
            pictures += [picture] if picture else []
    return "\n".join(texts), pictures


# --- promptfoo ------------------------------------------------------------------------------


def _tested(row: Cells) -> Cells:
    """The answer that a promptfoo assertion states, as a column or as an object."""
    asserted = row.get("assert")
    if isinstance(asserted, list) and asserted and all(isinstance(it, dict) for it in asserted):
        stated = [f"{it.get('type')}:{_joined(it.get('value'))}" for it in asserted]
        row = {name: value for name, value in row.items() if name != "assert"}
    else:
        columns = [name for name in row if re.fullmatch(r"__expected\d*", name) and row[name]]
        stated = [str(row[name]) for name in columns]
        row = {
            name.removeprefix("__metadata:"): value
            for name, value in row.items()
            if name not in columns
        }
    if not stated:
        return row
    if len(stated) > 1:
        raise SuiteError(f"{len(stated)} assertions on one test", fix=_CSV)
    match = _EXPECTED.fullmatch(stated[0])
    if match is None:
        if re.match(r"[a-z-]+:", stated[0]):
            raise SuiteError(
                f"the assertion {shown(stated[0])} is none that states an answer",
                fix="use equals: or contains:, or " + _CSV,
            )
        return {**row, "answer": stated[0]}
    values = [it.strip() for it in match[2].split(",")] if "-a" in match[1] else [match[2].strip()]
    grader = {"grader": "list"} if match[1].endswith("-all") else {}
    return {**row, "answer": values if len(values) > 1 else values[0], **grader}


def _joined(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


# --- questions and answers in two files -----------------------------------------------------


def questions_with_answers(
    path: Path, document: Mapping[str, msgspec.Raw]
) -> Iterator[tuple[str, Cells]] | None:
    """VQA's questions joined with the annotations that lie beside them; None for other files."""
    mine, other = ("questions", "annotations")
    if (
        "annotations" in document
        and "questions" not in document
        and b"question_id" in bytes(memoryview(document["annotations"])[:4096])
    ):
        mine, other = other, mine
    elif "questions" not in document:
        return None
    rows = _objects(document[mine])
    if not all("question_id" in row for row in rows) or any("answer" in row for row in rows):
        return None
    for beside in sorted(path.parent.glob("*.json")):
        if beside != path and other in beside.name.casefold():
            held = msgspec.json.decode(
                read_regular(beside, limit_bytes=_MAX_JSON_BYTES), type=dict[str, msgspec.Raw]
            )
            if other in held:
                pair = {mine: rows, other: _objects(held[other])}
                return _joined_rows(path, pair["questions"], pair["annotations"])
    if mine == "questions" and all("answers" in row for row in rows):
        return None
    raise SuiteError(
        f"{shown(path)} holds {mine} without {other}",
        fix=f"put the file with the {other} beside it, with {other} in its name",
    )


def _objects(raw: msgspec.Raw) -> list[Cells]:
    try:
        return msgspec.json.decode(raw, type=list[Cells])
    except msgspec.DecodeError:
        return []


def _joined_rows(
    path: Path, questions: list[Cells], annotations: list[Cells]
) -> Iterator[tuple[str, Cells]]:
    answers = {row.get("question_id"): row for row in annotations}
    for number, row in enumerate(questions, start=1):
        found = answers.get(row["question_id"], {})
        if found.get("multiple_choice_answer"):  # what most of the ten people said
            found = {name: value for name, value in found.items() if name != "answers"}
        yield f"{shown(path.name)}, row {number}", {**found, **row}


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


def _refuse_row(row: Cells) -> None:
    if isinstance(row.get("data"), dict) and ("annotations" in row or "predictions" in row):
        raise SuiteError(
            "this is Label Studio's JSON, which nests its answers",
            fix="export the project as CSV instead, name the columns of question and answer in"
            " [columns] of the side file, and give the folder of the pictures with --images",
        )
    if "custom_id" in row and "body" in row:
        raise SuiteError(
            "this is a batch of OpenAI requests, which holds no answers",
            fix=f"{_CSV}: the text and picture of each body, and the right answer",
        )


_RECIPES: Mapping[str, tuple[str, str]] = {
    ".tar": (
        "is a WebDataset shard",
        "unpack it with mkdir set && tar xf {name} -C set; then {csv} from its .json or .txt files",
    ),
    ".yaml": ("is YAML, such as promptfoo's configuration", "{csv}: a row for each of its tests"),
    ".zip": ("is an archive", "unpack it, and name the folder or the file in it"),
    ".gz": ("is compressed", "unpack it: gunzip {name}"),
    ".xls": ("is a workbook of old", "save the sheet as CSV UTF-8 or .xlsx"),
    ".ods": ("is a workbook of LibreOffice", "save the sheet as CSV UTF-8 or .xlsx"),
    ".xml": ("is XML: annotations of pictures, as a rule", "{csv}"),
    ".txt": ("is plain text", "{csv}"),
    ".pkl": ("is a Python pickle, which could run code", "save it with to_csv or to_parquet"),
    ".arrow": ("is an Arrow file", "save it with to_parquet"),
    ".npz": ("holds arrays", "{csv}, and the pictures as PNG"),
    ".pdf": ("is a document", "{csv}, with {name}#1 as file_name for its first page"),
}
_ALIKE = {
    ".yml": ".yaml",
    ".tgz": ".gz",
    ".pickle": ".pkl",
    ".npy": ".npz",
    ".md": ".txt",
    ".7z": ".zip",
    ".rar": ".zip",
    ".bz2": ".gz",
    ".xz": ".gz",
    ".zst": ".gz",
}


def refuse_file(path: Path, readable: str) -> NoReturn:
    """
    Raises: SuiteError that says what the file is, and what to make of it.
    """
    suffix = path.suffix.lower()
    what, fix = _RECIPES.get(
        _ALIKE.get(suffix, suffix),
        ("is not a suite", f"name a folder, or a file that ends in {readable}"),
    )
    raise SuiteError(f"{shown(path)} {what}", fix=fix.format(name=shown(path.name), csv=_CSV))
