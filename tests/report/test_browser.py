"""The page in a real browser; see `tests/browser.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import axe_violations, browser, needs_axe, needs_chromium  # noqa: F401
from tests.report.conftest import HOSTILE, QUESTIONS, Make, WriteRun

pytestmark = needs_chromium
PHONE = {"width": 360, "height": 740}

Page = Any
Open = Callable[..., Page]


@pytest.fixture
def html(write_run: WriteRun, make: Make) -> str:
    """Two runs with every kind of verdict, hostile words and a reply of a megabyte."""
    nasty = {"r-01": HOSTILE, "c-01": "<b>" + "9\u0336" * 500_000, "c-02": "w" * 5_000}
    write_run("model-one", {"r-01": False, "c-03": None}, texts=nasty)
    write_run(
        "</title><script>window.hit = 5</script>",
        {"c-01": False, "c-02": False},
        reply={"cost_usd": 0.01},
        system=None,
    )
    return make("model-one", "</title><script>window.hit = 5</script>", force=True)


@pytest.fixture
def opened(
    browser: Any,  # noqa: F811
    html: str,
    tmp_path: Path,
) -> Iterator[Open]:
    """Open the page; nothing it says to the console and nothing it asks for is missed."""
    file = tmp_path / "report.html"
    file.write_text(html, encoding="utf-8")
    contexts, said, asked = [], list[str](), list[str]()

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        shown = context.new_page()
        shown.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        shown.on("pageerror", lambda error: said.append(str(error)))
        shown.on("dialog", lambda dialog: said.append(f"dialog: {dialog.message}"))
        shown.on("request", lambda request: asked.append(request.url))
        shown.goto(file.as_uri())
        return shown

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [it for it in asked if not it.startswith("data:") and it != file.as_uri()] == []


def visible(shown: Page) -> int:
    return int(shown.locator(".prompt:visible").count())


def choose(shown: Page, name: str) -> None:
    shown.get_by_role("radio", name=name).check()


def test_hostile_words_do_nothing(opened: Open) -> None:
    shown = opened()

    assert shown.evaluate("window.hit") is None
    assert shown.evaluate("document.scripts.length") == 0
    assert shown.evaluate("getComputedStyle(document.body).display") == "block"
    assert shown.locator("h1").inner_text().startswith("model-one and </title><script>")
    assert shown.locator("h1").is_visible()


def test_pictures_are_there_shared_ones_too_and_can_be_enlarged(opened: Open) -> None:
    shown = opened()

    widths = shown.evaluate("[...document.images].map(it => it.naturalWidth)")
    shared = shown.locator("svg.photo")
    small = shown.locator(".shot").first.bounding_box()["width"]
    shown.locator(".shot summary").first.click()

    assert widths == [64]
    assert shared.count() == 4
    assert shared.first.evaluate("it => it.querySelector('use').getBBox().width") == 64
    assert shown.locator(".shot").first.bounding_box()["width"] > 2 * small


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no script"])
def test_filters_work_with_and_without_script(opened: Open, scripts: bool) -> None:
    shown = opened(java_script_enabled=scripts)
    everything = visible(shown)

    choose(shown, "Counting 3")
    counting = visible(shown)
    choose(shown, "Models differ")
    counting_and_differing = visible(shown)
    choose(shown, "Any")
    choose(shown, "Errors")

    assert everything == len(QUESTIONS)
    assert counting == 3
    assert counting_and_differing == 2
    assert visible(shown) == 1


def test_filters_can_be_worked_by_keyboard(opened: Open) -> None:
    shown = opened()

    shown.locator("#c-all").focus()
    shown.keyboard.press("ArrowRight")

    assert shown.locator("#c0").is_checked()
    assert visible(shown) == 2


def test_a_long_reply_opens_and_stays_inside_its_frame(opened: Open) -> None:
    shown = opened(viewport=PHONE)
    reply = shown.locator("details.long").first

    before = reply.bounding_box()["height"]
    reply.locator("summary").click()

    frame = reply.locator(".whole").bounding_box()
    assert frame["height"] > before / 2
    assert frame["width"] <= PHONE["width"]


def test_a_phone_needs_no_sideways_scrolling(opened: Open) -> None:
    shown = opened(viewport=PHONE)

    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_dark_and_light_follow_the_system_and_paper_is_white(opened: Open) -> None:
    background = "getComputedStyle(document.body).backgroundColor"

    light = opened(color_scheme="light")
    dark = opened(color_scheme="dark")
    on_screen = (light.evaluate(background), dark.evaluate(background))
    dark.emulate_media(media="print")

    assert on_screen == ("rgb(251, 251, 250)", "rgb(22, 24, 28)")
    assert dark.evaluate(background) == "rgb(255, 255, 255)"


@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(opened: Open, scheme: str) -> None:
    assert axe_violations(opened(color_scheme=scheme)) == []
