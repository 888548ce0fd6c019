"""Changes or removes a case of a TOML suite of one's own; everything else in the file stays."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from harness import graders
from harness.errors import SuiteError
from harness.images.files import shown
from harness.records import Case
from harness.suites import toml
from harness.suites.append import case_table
from harness.suites.suite import write_whole

_CASE = re.compile(r"^\[\[case\]\][ \t]*(?:#.*)?$", re.MULTILINE)


def replace_case(folder: Path, id_: str, case: Case) -> Path:
    """Put `case` where the one called `id_` stands; return the file.

    Raises: SuiteError when there is none, it is not sound, or the file cannot be changed safely.
    """
    if wrong := graders.problems(case):
        raise SuiteError(f"{shown(case.id)}: {wrong[0]}", fix="name another answer or grader")
    return _rewrite(folder, id_, case)


def remove_case(folder: Path, id_: str) -> Path:
    """Take the case called `id_` out; its picture stays. Raises: SuiteError as `replace_case`."""
    return _rewrite(folder, id_, None)


def _rewrite(folder: Path, id_: str, case: Case | None) -> Path:
    for path in sorted(folder.glob("prompts/*.toml")):
        before = toml.parsed(path)
        ids = [it.get("id") for it in before.get("case", [])]
        if id_ not in ids:
            continue
        at = ids.index(id_)
        text = path.read_text("utf-8-sig")
        starts = [it.start() for it in _CASE.finditer(text)]
        if len(starts) != len(ids):
            raise _by_hand(path)
        end = starts[at + 1] if at + 1 < len(starts) else len(text)
        new = case_table(case, before.get("category")) + "\n" if case else ""
        changed = (text[: starts[at]] + new + text[end:]).rstrip("\n") + "\n"
        if not _is_only_change(before, changed, at, replaced=case is not None):
            raise _by_hand(path)
        write_whole(path, changed.encode())
        return path
    raise SuiteError(f"{shown(folder)} has no case {shown(id_)}", fix="reload the page")


def _is_only_change(before: dict[str, Any], text: str, at: int, *, replaced: bool) -> bool:
    """Whether all other cases, and all that stands beside them, read as they did."""
    after = tomllib.loads(text)
    cases, now = list(before["case"]), list(after.get("case", []))
    del cases[at]
    if replaced:
        del now[at]
    rest = {name: value for name, value in before.items() if name != "case"}
    return cases == now and rest == {it: after[it] for it in after if it != "case"}


def _by_hand(path: Path) -> SuiteError:
    return SuiteError(
        f"{shown(path)} is written in a way that cannot be changed here without risk",
        fix="change it in a text editor",
    )
