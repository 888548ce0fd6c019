"""A walk through every page in a real browser; see `tests/browser.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import store, suites
from tests.browser import axe_violations, browser, needs_axe, needs_chromium  # noqa: F401
from tests.conftest import VisionServer, stream
from tests.report.conftest import HOSTILE, QUESTIONS, WriteRun
from tests.view.conftest import Pages, Serve
from tests.view.test_review import unread
from tests.view.test_try import pieces

pytestmark = needs_chromium
PHONE = {"width": 390, "height": 800}


@pytest.fixture
def runs(write_run: WriteRun) -> list[Path]:
    """Two runs with every kind of verdict and hostile words."""
    hostile = {"r-02": HOSTILE, "c-02": "w" * 5_000}
    return [
        write_run("one", {"c-03": None}, texts=hostile, change=unread, reply={"cost_usd": 0.01}),
        write_run("</title><script>window.hit=5</script>", {"c-01": False}, texts=hostile),
    ]


@pytest.fixture
def window(browser: Any, runs: list[Path], pages: Pages) -> Iterator[Any]:  # noqa: F811
    """A window that has entered; nothing it says to the console or asks of others is missed."""
    context, said, asked = browser.new_context(base_url=pages.url), list[str](), list[str]()
    shown = context.new_page()
    shown.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    shown.on("pageerror", lambda error: said.append(str(error)))
    shown.on("dialog", lambda dialog: (said.append(dialog.message), dialog.accept()))
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(f"/?token={pages.token}")
    yield shown
    hit = shown.evaluate("window.hit")
    context.close()
    assert hit is None
    assert said == []
    assert [it for it in asked if not it.startswith((pages.url, "data:", "blob:"))] == []


def everywhere(runs: list[Path]) -> list[str]:
    folder, stem = runs[0].parent.name, runs[0].stem
    return [
        *("/", "/compare?m=one&m=" + f"{runs[1].parent.name}/{runs[1].stem}&force=1"),
        *(f"/run/{folder}/{stem}", "/prompt?id=r-02", "/review", f"/review/{folder}/{stem}"),
        *("/try", "/suite"),
    ]


def test_no_page_needs_sideways_scrolling_on_a_phone(window: Any, runs: list[Path]) -> None:
    window.set_viewport_size(PHONE)

    for address in everywhere(runs):
        window.goto(address)
        width = window.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], address


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(window: Any, runs: list[Path], scheme: str) -> None:
    window.emulate_media(color_scheme=scheme)

    for address in everywhere(runs):
        window.goto(address)
        if address == "/suite":
            window.get_by_text("Check:").wait_for()
        assert axe_violations(window) == [], address


def test_arrow_keys_go_through_the_records_of_a_run(window: Any, runs: list[Path]) -> None:
    window.goto(f"/run/{runs[0].parent.name}/{runs[0].stem}")

    focused = "document.activeElement.getAttribute('aria-label')"
    window.keyboard.press("ArrowRight")
    first = window.evaluate(focused)
    window.keyboard.press("ArrowRight")
    second = window.evaluate(focused)
    window.keyboard.press("ArrowLeft")

    assert first != second
    assert window.evaluate(focused) == first


def test_filters_narrow_a_run(window: Any, runs: list[Path]) -> None:
    window.goto(f"/run/{runs[0].parent.name}/{runs[0].stem}")

    window.get_by_label("Verdict").select_option("error")
    window.get_by_role("button", name="Filter").click()

    assert window.locator(".prompt").count() == 1
    assert "verdict=error" in window.url


def test_pictures_come_as_thumbnails_and_can_be_enlarged(window: Any, runs: list[Path]) -> None:
    window.goto(f"/run/{runs[0].parent.name}/{runs[0].stem}")
    picture = window.locator(".photo").first

    before = picture.get_attribute("src")
    picture.click()
    window.locator(".photo:not([data-whole])").first.wait_for()

    assert before.endswith("&thumb")
    assert not picture.get_attribute("src").endswith("&thumb")


def test_review_works_by_keys_alone(window: Any, runs: list[Path]) -> None:
    window.goto(f"/review/{runs[0].parent.name}/{runs[0].stem}")

    window.keyboard.press("p")
    window.get_by_text("was written").wait_for()
    window.keyboard.press("u")
    window.get_by_text("2 left").wait_for()
    window.keyboard.press("Space")
    window.get_by_role("heading", name="c-01").wait_for()
    window.keyboard.press("f")
    window.get_by_text("Nothing is left").wait_for()

    written = {it.case.id: it.correction for it in store.read(runs[0]).records() if it.correction}
    assert list(written) == ["c-01"]
    assert written["c-01"].passed is False


def test_try_shows_answers_side_by_side_as_they_come(
    window: Any, own: suites.Suite, vision_server: VisionServer
) -> None:
    vision_server.default = stream(*pieces("There ", "are 5."), "data: [DONE]\n\n", wait_s=0.2)
    window.goto("/try")

    window.locator("#file").set_input_files(own.root / "images" / "bolts.png")
    window.locator("#preview").wait_for()
    window.get_by_role("textbox", name="Question").fill("How many bolts are there?")
    for at, name in enumerate(("one", "two")):
        window.locator(f"[name=model{at}]").fill(name)
        window.locator(f"[name=url{at}]").fill(vision_server.url)
    window.get_by_role("button", name="Ask", exact=True).click()
    window.get_by_text("They agree: 5").wait_for()

    assert window.locator(".trial .said").count() == 2
    assert window.locator(".trial .facts").first.inner_text().startswith("first token")


def test_a_case_is_edited_in_place(window: Any, own: suites.Suite) -> None:
    window.goto("/suite")
    card = window.locator(".prompt").filter(has_text="c-03")

    card.get_by_text("Edit").click()
    card.get_by_label("Right answer").fill("12")
    card.get_by_text("graded as integer").last.wait_for()
    card.get_by_role("button", name="Save").click()
    window.get_by_text("saved").wait_for()

    assert {it.id: it.expected for it in suites.load(own.root).cases}["c-03"] == "12"
    assert len(QUESTIONS) == len(suites.load(own.root).cases)


def test_a_growing_run_shows_by_itself(window: Any, runs: list[Path], write_run: WriteRun) -> None:
    window.goto("/")
    before = window.locator("#runs tbody tr").count()

    write_run("three")
    window.locator("#runs tbody tr").nth(before).wait_for()


def test_the_first_run_appears_by_itself(
    browser: Any,  # noqa: F811
    pages: Pages,
    write_run: WriteRun,
) -> None:
    shown = browser.new_page(base_url=pages.url)
    with shown.expect_request("**/events"):
        shown.goto(f"/?token={pages.token}")
    assert "evalrun --model NAME" in shown.inner_text("#runs")

    write_run("first")

    shown.wait_for_selector("#runs a >> text=first")
    shown.close()


def test_the_demonstration_model_answers_in_the_browser(
    browser: Any,  # noqa: F811
    serve: Serve,
    own: suites.Suite,
) -> None:
    pytest.importorskip("xllamacpp", reason="the server comes with the extra `local`")
    pages = serve(suite=own.root)
    context = browser.new_context(base_url=pages.url)
    window = context.new_page()
    window.goto(f"/?token={pages.token}")
    window.goto("/try")

    window.locator("#file").set_input_files(own.root / "images" / "plate.png")
    window.locator("#preview").wait_for()
    window.get_by_role("textbox", name="Question").fill("Which colour is it?")
    window.get_by_role("button", name="Ask", exact=True).click()
    window.locator(".trial .facts").wait_for(timeout=60_000)

    assert window.locator(".trial .reply").inner_text().strip()
    context.close()
