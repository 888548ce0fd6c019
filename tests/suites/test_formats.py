"""Workbooks, Parquet and pages of PDF files; each needs a package of its own."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness.errors import SuiteError
from harness.images import encode
from harness.suites import load

from .conftest import Workshop

ROW = {"image": "a.png", "question": "How many dots are there?", "answer": "1", "category": "Dots"}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 24), colour).save(buffer, "PNG")
    return buffer.getvalue()


# --- xlsx -----------------------------------------------------------------------------------


def workbook(path: Path, **sheets: list[list[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_workbook_is_read_as_the_same_csv(shop: Workshop) -> None:
    header, cells = list(ROW), ["a.png", ROW["question"], 1, "Dots"]
    rows = [header, cells, [None] * 4, cells[:3]]
    workbook(shop.root / "q.xlsx", One=rows, Other=[["notes"]])
    lines = [",".join(map(str, it)) for it in (header, cells, [], [*cells[:3], ""])]
    shop.write("q.csv", "\n".join(lines))

    suite = shop.load("q.xlsx")

    assert suite.cases == shop.load("q.csv").cases
    assert "sheets not read: Other" in str(suite.remarks[0])


@pytest.mark.parametrize("content", [b"", b"PK\3\4 and no more", b"\xd0\xcf\x11\xe0 encrypted"])
def test_what_is_no_workbook_is_refused(shop: Workshop, content: bytes) -> None:
    pytest.importorskip("openpyxl")
    shop.write("q.xlsx", content)

    assert "is not a readable workbook" in shop.refused("q.xlsx")


# --- Parquet --------------------------------------------------------------------------------


def parquet(path: Path, *rows: dict[str, Any]) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    path.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("pyarrow.parquet").write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


def test_parquet_with_pictures_inside_is_read(shop: Workshop) -> None:
    row = ROW | {"image": {"bytes": png(), "path": None}, "choices": ["one", "two"], "answer": 1}
    parquet(shop.root / "test-00000-of-00001.parquet", row, row | {"answer": 0})

    suite = shop.load("test-00000-of-00001.parquet")

    one, _ = suite.cases
    assert (one.category, one.expected, one.grader) == ("Dots", "B", "choice")
    assert suite.pictures(one)[0].read_bytes() == png()


def test_the_shards_of_one_split_are_one_suite(shop: Workshop) -> None:
    for number in (0, 1):
        parquet(shop.root / f"data/test-0000{number}-of-00002.parquet", ROW | {"id": number})
    assert [case.id for case in shop.load().cases] == ["0", "1"]

    parquet(shop.root / "data/train-00000-of-00001.parquet", ROW)
    assert "holds several suites" in shop.refused()


@pytest.mark.parametrize("kind", ["new_stream", "new_file"])
def test_a_folder_as_the_datasets_library_saves_it_is_read(shop: Workshop, kind: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pylist([ROW | {"id": "a"}, ROW | {"id": "b"}])
    for name in ("dataset_info.json", "state.json"):
        shop.write(f"set/{name}", "{}")
    shop.picture("set/a.png")
    for number in (0, 1):
        path = shop.root / f"set/data-0000{number}-of-00002.arrow"
        with path.open("wb") as file, getattr(pyarrow.ipc, kind)(file, table.schema) as writer:
            writer.write_table(table.slice(number, 1))

    assert [case.id for case in shop.load("set").cases] == ["a", "b"]
    with pytest.raises(SuiteError, match="holds no suite") as caught:
        load(shop.root)
    assert str(shop.root / "set") in caught.value.fix


def test_a_parquet_file_that_is_cut_short_is_named(shop: Workshop) -> None:
    path = parquet(shop.root / "q.parquet", *([ROW] * 200))
    path.write_bytes(path.read_bytes()[:-40])

    assert "q.parquet is not a whole Parquet file" in shop.refused("q.parquet")


# --- PDF ------------------------------------------------------------------------------------


def pdf(path: Path, *sizes: tuple[int, int]) -> Path:
    """Pages of these sizes in points, red to the left and blue to the right."""
    pytest.importorskip("pypdfium2")
    pages = []
    for width, height in sizes:
        page = Image.new("RGB", (width, height), "blue")
        page.paste("red", (0, 0, width // 2, height))
        pages.append(page)
    pages[0].save(path, save_all=True, append_images=pages[1:], resolution=72)
    return path


def test_a_page_of_a_pdf_is_a_picture(shop: Workshop) -> None:
    pdf(shop.root / "invoice.pdf", (144, 72), (72, 144))
    shop.write("q.jsonl", json.dumps(ROW | {"image": "invoice.pdf#2"}))

    suite = shop.load("q.jsonl")

    (path,) = suite.pictures(suite.cases[0])
    fitted, own = encode(path, longest_side_px=288), encode(path, longest_side_px=0)
    assert (fitted.width_px, fitted.height_px) == (144, 288)
    assert (own.width_px, own.height_px) == (150, 300)
    named = encode(path.with_name("invoice.pdf#1@36"), longest_side_px=288)
    assert (named.width_px, named.height_px) == (72, 36)
    with Image.open(io.BytesIO(named.data)) as picture:
        assert picture.getpixel((5, 5))[0] > 200  # type: ignore[index]


def test_every_page_has_its_place_in_a_toml_suite(shop: Workshop) -> None:
    pdf(shop.root / "a.pdf", (72, 72), (72, 72))
    shop.toml(shop.case(image=None, images=["a.pdf#1", "a.pdf#2"]))

    assert shop.load().cases[0].pictures == ("a.pdf#1", "a.pdf#2")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a.pdf#9", "there is no page 9 of 3"),
        ("a.pdf#0", "there is no page 0 of 3"),
        ("a.pdf", "a.pdf has 3 pages"),
        ("broken.pdf#1", "broken.pdf#1 is a damaged PDF"),
        ("locked.pdf#1", "locked.pdf#1 is encrypted"),
        ("nope.pdf#1", "nope.pdf: there is no such file"),
    ],
)
def test_a_page_that_cannot_be_read_is_named(shop: Workshop, name: str, said: str) -> None:
    pdf(shop.root / "a.pdf", *[(72, 72)] * 3)
    shop.write("broken.pdf", b"%PDF-1.7 and no more")
    shop.write("locked.pdf", LOCKED)
    shop.write("q.jsonl", json.dumps(ROW | {"image": name}))

    with pytest.raises(SuiteError) as caught:
        load(shop.root / "q.jsonl")

    assert said in caught.value.problem


LOCKED = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    b"4 0 obj<</Filter/Standard/V 1/R 2/P -4/O<"
    + b"ab" * 32
    + b">/U<"
    + b"cd" * 32
    + b">>>endobj\n"
    b"trailer<</Root 1 0 R/Encrypt 4 0 R/ID[<00><00>]>>\n%%EOF\n"
)
"""A page behind a password."""
