"""The pictures and questions of a suite, with what `check` says; a TOML suite can be edited."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from harness import suites
from harness.errors import SuiteError, UsageError
from harness.graders import infer, problems
from harness.images import shown
from harness.records import Case
from harness.suites import Finding, parse_toml, slug
from harness.suites.lint import lint
from harness.suites.pictures import write_whole
from harness.suites.writing import append_case, case_text, check_case, with_free_id
from harness.view.library import Library, Missing
from harness.view.pages import form, library, number, page
from harness.view.trying import bench

PAGE = 40
_CASE_LINE = re.compile(r"^\[\[case\]\][ \t]*(?:#.*)?$", re.MULTILINE)


def show(request: Request) -> HTMLResponse:
    """A page of the suite's cases."""
    shelf, query = library(request), request.query_params
    if shelf.suite is not None and not shelf.suite.exists():
        return page(request, "suite.html", title="Suite", suite=None, own=True)
    suite, found = shelf.read_suite()
    category = query.get("category", "")
    cases = [it for it in suite.cases if category in ("", it.category)]
    start = number(query.get("start"))
    listed: dict[str, Any] = {
        "cases": cases[start : start + PAGE],
        "more": start + PAGE if start + PAGE < len(cases) else 0,
        "category": category,
        "own": is_own(shelf),
    }
    if start and request.headers.get("hx-request"):
        return page(request, "_cases.html", **listed)
    return page(request, "suite.html", title=suite.name, suite=suite, problems=found, **listed)


def findings(request: Request) -> HTMLResponse:
    """What `evalrun check` says; it looks at every picture, so it comes after the page."""
    shelf = library(request)
    report = lint(shelf.suite or suites.builtin())
    by_level = defaultdict[str, list[Finding]](list)
    for it in report.findings:
        by_level[it.level].append(it)
    return page(request, "_findings.html", report=report, by_level=dict(by_level))


def picture(request: Request) -> Response:
    image = library(request).suite_picture(request.query_params.get("name", ""))
    return Response(image.data, media_type=image.media_type)


async def check(request: Request) -> HTMLResponse:
    """What is wrong with a case while it is typed, and how its answer will be graded."""
    fields = await form(request)
    case = _case(fields, None)
    wrong = problems(case) if case.question and case.expected else ["question or answer is missing"]
    return page(request, "_checked.html", case=case, wrong=wrong)


async def save(request: Request) -> HTMLResponse:
    """Add a case, or change one."""
    fields = await form(request)
    return await run_in_threadpool(_save, request, fields)


async def delete(request: Request) -> HTMLResponse:
    fields = await form(request)
    shelf = library(request)
    rewrite_case(_own_folder(shelf), fields.get("id", ""), None)
    return page(request, "_deleted.html", id=fields.get("id", ""))


def is_own(shelf: Library) -> bool:
    """Whether the suite is a folder of TOML files, or a new one, that `--suite` names."""
    folder = shelf.suite
    if folder is None:
        return False
    return not folder.exists() or (folder.is_dir() and any(folder.glob("prompts/*.toml")))


def _own_folder(shelf: Library) -> Path:
    if not is_own(shelf) or shelf.suite is None:
        raise UsageError(
            "this suite is not a TOML suite of your own",
            fix="start `evalrun view --suite DIR` with a folder that holds prompts/*.toml",
        )
    return shelf.suite


def _save(request: Request, fields: dict[str, str]) -> HTMLResponse:
    shelf, id_ = library(request), fields.get("id", "")
    folder = _own_folder(shelf)
    if id_:
        known = {it.id: it for it in shelf.read_suite()[0].cases}
        if id_ not in known:
            raise Missing(f"the suite has no case {id_!r}", fix="reload the page")
        case = _case(fields, known[id_])
        rewrite_case(folder, id_, case)
    else:
        taken = bench(request).pictures.get(fields.get("picture", ""))
        if taken is None:
            raise SuiteError("there is no picture", fix="drop one on the page, or choose a file")
        case = with_free_id(folder, _case(fields, None))
        append_case(folder, case, taken.file)
        case = {it.id: it for it in shelf.read_suite()[0].cases}[case.id]
    return page(request, "_case.html", case=case, own=True, saved=True)


def rewrite_case(folder: Path, id_: str, case: Case | None) -> Path:
    """Put `case` where the one called `id_` stands, None: nothing; return the file. Everything
    else in it stays; pictures stay, too.

    Raises: SuiteError when there is none, it is not sound, or the file cannot be changed safely.
    """
    if case:
        check_case(case)
    for path in sorted(folder.glob("prompts/*.toml")):
        before = parse_toml(path)
        ids = [it.get("id") for it in before.get("case", [])]
        if id_ not in ids:
            continue
        at, text = ids.index(id_), path.read_text("utf-8-sig")
        starts = [*(it.start() for it in _CASE_LINE.finditer(text)), len(text)]
        changed = ""
        if len(starts) == len(ids) + 1:
            new = case_text(case, before.get("category")) + "\n" if case else ""
            changed = text[: starts[at]] + new + text[starts[at + 1] :]
        after = tomllib.loads(changed)
        before["case"].pop(at)
        if case and after:
            after["case"].pop(at)
        if {"case": [], **after} != before:
            what = f"{shown(path)} is written in a way that cannot be changed here without risk"
            raise SuiteError(what, fix="change it in a text editor")
        write_whole(path, (changed.rstrip("\n") + "\n").encode())
        return path
    raise SuiteError(f"{shown(folder)} has no case {shown(id_)}", fix="reload the page")


def _case(fields: dict[str, str], before: Case | None) -> Case:
    """The case that a form describes; what the form does not show stays as it was."""
    question, answer = fields.get("question", "").strip(), fields.get("expected", "").strip()
    if before is None:
        grader, options = infer(question, answer)
        return Case(
            id=slug(question)[:60] or "case",
            category=fields.get("category", "").strip() or "Mine",
            question=question,
            image="",
            expected=answer,
            grader=grader,
            options=options,
        )
    expected: str | tuple[str, ...] = answer
    if isinstance(before.expected, tuple):
        expected = tuple(it.strip() for it in answer.split(";") if it.strip())
    changes: dict[str, Any] = {"question": question, "expected": expected}
    return msgspec.structs.replace(before, **changes)


ROUTES = [
    Route("/suite", show),
    Route("/suite/findings", findings),
    Route("/suite/picture", picture),
    Route("/suite/check", check, methods=["POST"]),
    Route("/suite/case", save, methods=["POST"]),
    Route("/suite/delete", delete, methods=["POST"]),
]
