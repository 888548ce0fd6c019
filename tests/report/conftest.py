"""A suite with real pictures, and runs of it as the store writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from PIL import Image

from harness import store, suites
from harness.catalogue import Catalogue
from harness.images import encode
from harness.records import Case, Record
from harness.report.page import gather, page
from tests.compare.conftest import NOW, header, record

QUESTIONS = {
    "r-01": ("Reading", "plate", "What is the serial number?", "AX-0417", "code"),
    "r-02": ("Reading", "plate", "Is the plate scratched? Answer yes or no.", "no", "yes_no"),
    "c-01": ("Counting", "bolts", "How many bolts are there?", "5", "integer"),
    "c-02": ("Counting", "bolts", "How many nuts are there?", "2", "integer"),
    "c-03": ("Counting", "tray", "How many eggs are there?", "9", "integer"),
}
HOSTILE = (
    "<script>window.hit = 1</script><img src=x onerror='window.hit = 2'></p></details></main>"
    '"><svg onload=window.hit=3></style><style>body{display:none}</style>'
    "<a href='javascript:window.hit=4'>x</a><iframe src=https://example.org></iframe>"
    "{{ 7 * 7 }}{% raw %}&lt;b&gt; \x1b[31mred\x1b]0;owned\x07 \u202egnp.exe\u2066 \x00\r\n\u200b"
)


def write_suite(root: Path, name: str = "own", shade: int = 0) -> suites.Suite:
    """Five questions on three pictures."""
    (root / "images").mkdir(parents=True)
    (root / "prompts").mkdir()
    for at, picture in enumerate(("plate", "bolts", "tray")):
        colour = (40 * at + shade, 90, 200 - 30 * at)
        Image.new("RGB", (64, 48), colour).save(root / "images" / f"{picture}.png")
    lines = [f'suite = "{name}"', 'version = "1"', 'license = "CC0-1.0"']
    for id_, (category, picture, question, expected, grader) in QUESTIONS.items():
        lines += ["[[case]]", f'id = "{id_}"', f'category = "{category}"']
        lines += [f'question = "{question}"', f'image = "images/{picture}.png"']
        lines += [f'expected = "{expected}"', f'grader = "{grader}"']
    (root / "prompts" / "all.toml").write_text("\n".join(lines) + "\n")
    return suites.load(root)


@pytest.fixture
def own(tmp_path: Path) -> suites.Suite:
    return write_suite(tmp_path / "own")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


Outcome = bool | None
WriteRun = Callable[..., Path]


@pytest.fixture
def write_run(results: Path, own: suites.Suite) -> WriteRun:
    """`write_run("model", {"r-01": False}, texts={"r-01": "AX"})`: what is not named is passed."""
    count = 0

    def write(
        model: str,
        outcomes: Mapping[str, Outcome] | None = None,
        *,
        texts: Mapping[str, str] | None = None,
        reply: Mapping[str, Any] | None = None,
        asked: tuple[Case, ...] | None = None,
        change: Callable[[Record], Record] = lambda it: it,
        **more: Any,
    ) -> Path:
        nonlocal count
        count += 1
        cases = own.cases if asked is None else asked
        started = NOW + timedelta(minutes=count)
        fields = {
            "suite": own.name,
            "suite_sha256": own.sha256,
            "suite_prompts": len(own.cases),
            "started_at": started,
        }
        head = header(model, cases, **(fields | more))
        with store.create(results, head) as writer:
            for case in cases:
                passed = (outcomes or {}).get(case.id, True)
                text = (texts or {}).get(case.id)
                made = record(case, 0, passed, **({"text": text} | dict(reply or {})))
                sha = encode(own.pictures(case)[0], longest_side_px=head.image_max_side_px).sha256
                sent = None if head.blind else sha
                writer.append(change(msgspec.structs.replace(made, image_sha256=sent)))
        return writer.path

    return write


Make = Callable[..., str]


@pytest.fixture
def make(results: Path, own: suites.Suite) -> Make:
    """The page about these runs, made in this process."""

    def made(*names: str | Path, suite: Path | None = own.root, **options: Any) -> str:
        nothing = Catalogue(cards=options.pop("cards", {}), presets={})
        named = [str(it) for it in names]
        return page(gather(named, results=results, catalogue=nothing, **options), suite=suite).html

    return made


class Elements(HTMLParser):
    """Every start tag of a page with its attributes, and all text that shows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.style = ""
        self.texts: list[str] = []
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "style":
            self.style += data
        else:
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def having(self, attribute: str) -> list[str]:
        return [str(it[attribute]) for _, it in self.tags if attribute in it]
