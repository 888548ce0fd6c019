"""A person's verdicts, written by the store as `show --fix` writes them."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from harness import store
from harness.records import Record, Verdict
from tests.report.conftest import Elements, WriteRun
from tests.view.conftest import Pages


def unread(it: Record) -> Record:
    """No rule could read r-01 and c-01."""
    if it.case.id not in ("r-01", "c-01"):
        return it
    verdict = Verdict(passed=False, answer=None, reason="no answer was found")
    return msgspec.structs.replace(it, verdict=verdict)


@pytest.fixture
def path(write_run: WriteRun) -> Path:
    return write_run("a", {"r-02": False}, change=unread)


def address(path: Path) -> str:
    return f"/review/{path.parent.name}/{path.stem}"


def fields(html: str, form: str = "decide") -> dict[str, str]:
    """The hidden fields of a form on the page."""
    inside = html.split(f'class="{form}"', 1)[1].split("</form>", 1)[0]
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', inside))


def corrections(path: Path) -> dict[str, tuple[bool, str]]:
    found = [it for it in store.read(path).records() if it.correction]
    return {it.case.id: (it.correction.passed, it.correction.why) for it in found if it.correction}


def test_runs_say_how_many_replies_wait(pages: Pages, path: Path) -> None:
    text = Elements(pages.get("/review").text).text

    assert "2 replies that no rule could read" in text


def test_a_verdict_is_kept_with_its_reason_and_the_next_reply_comes(
    pages: Pages, path: Path
) -> None:
    first = pages.get(address(path)).text

    after = pages.post(address(path), **fields(first), verdict="pass", why="the plate reads so")

    assert "r-01" in first
    assert corrections(path) == {"r-01": (True, "the plate reads so")}
    assert "c-01" in after.text
    assert "1 left" in Elements(after.text).text
    assert "the rules agree on 0 % of them" in Elements(after.text).text


def test_undo_takes_the_last_verdict_back(pages: Pages, path: Path) -> None:
    first = pages.get(address(path)).text
    after = pages.post(address(path), **fields(first), verdict="pass").text

    undone = pages.post(address(path), **fields(after, "undo"), verdict="undo").text

    assert corrections(path) == {}
    assert "r-01" in undone
    assert "2 left" in Elements(undone).text


def test_undoing_a_second_verdict_brings_back_the_first(pages: Pages, path: Path) -> None:
    one = pages.get(address(path), prompt="r-02").text
    pages.post(address(path), **fields(one), verdict="pass", why="first")
    two = pages.get(address(path), prompt="r-02").text
    after = pages.post(address(path), **fields(two), verdict="fail", why="second").text

    pages.post(address(path), **fields(after, "undo"), verdict="undo")

    assert corrections(path) == {"r-02": (True, "first")}


def test_a_window_that_did_not_see_anothers_verdict_writes_none(pages: Pages, path: Path) -> None:
    seen_by_both = fields(pages.get(address(path)).text)
    pages.post(address(path), **seen_by_both, verdict="pass", why="of one window")

    other = pages.post(address(path), **seen_by_both, verdict="fail", why="of the other")

    assert "Another window decided on this reply meanwhile: pass" in other.text
    assert corrections(path) == {"r-01": (True, "of one window")}


def test_what_cannot_be_written_is_said_in_place(pages: Pages, path: Path) -> None:
    first = pages.get(address(path)).text

    with store.reopen(path):
        answer = pages.post(address(path), **fields(first), verdict="pass")

    assert "Not written:" in answer.text
    assert "r-01" in answer.text
    assert corrections(path) == {}


def test_queues_hold_what_failed_and_what_models_disagree_on(
    pages: Pages, path: Path, write_run: WriteRun
) -> None:
    write_run("b")

    failed = Elements(pages.get(address(path), queue="fail").text).text
    differing = Elements(pages.get(address(path), queue="differ").text).text
    everything = Elements(pages.get(address(path), queue="all").text).text

    assert "3 left" in failed
    assert "3 left" in differing
    assert "5 left" in everything


def test_a_reply_can_be_skipped_and_the_queue_ends(pages: Pages, path: Path) -> None:
    skipped = pages.get(address(path), queue="unread", after="0").text
    ended = pages.get(address(path), queue="unread", after="4").text

    assert "c-01" in skipped
    assert "Nothing is left in this queue" in ended


def test_a_verdict_is_in_the_file_at_once_and_scores_follow(pages: Pages, path: Path) -> None:
    before = Elements(pages.get("/").text).text
    pages.post(address(path), **fields(pages.get(address(path)).text), verdict="pass")

    after = Elements(pages.get("/").text).text

    assert "40.0 % (2/5)" in before
    assert "60.0 % (3/5)" in after
    assert path.read_bytes().splitlines()[-1].startswith(b'{"type":"correction","prompt":"r-01"')


def test_somebody_asks_to_see_a_reply_and_finds_it_in_its_queue(pages: Pages, path: Path) -> None:
    asking = f"{address(path)}/ask"

    button = pages.post(asking, prompt="c-02", repeat="0").text
    queue = pages.get(address(path), queue="asked").text
    run = pages.get(address(path).replace("/review", "/run", 1)).text
    pages.post(asking, prompt="c-02", repeat="0", take_out="1")

    assert "take out" in button
    assert "c-02" in queue
    assert "1 left" in queue
    assert run.count("take out") == 1
    assert "Nothing is left" in pages.get(address(path), queue="asked").text
    assert pages.post(asking, prompt="nobody", repeat="0").status_code == 404


def test_a_deleted_run_takes_its_queue_with_it(pages: Pages, path: Path) -> None:
    pages.post(f"{address(path)}/ask", prompt="c-02", repeat="0")

    store.delete(path)

    assert not path.parent.exists()
