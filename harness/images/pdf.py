"""Pages of PDF files as pictures: `invoice.pdf#2`, or `invoice.pdf#2@300` with its dots an inch."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from harness.errors import SuiteError, install_command
from harness.images import MAX_PIXELS, shown

_DPI = 150
"""Where neither a resolution nor a limit is given."""
_POINTS_PER_INCH = 72
_one_at_a_time = threading.Lock()
"""PDFium is not safe with threads."""


def size_px(data: bytes, page: str | None, name: str) -> tuple[int, int]:
    """Of the page, at the resolution named. `name` stands in messages.

    Raises: SuiteError for a damaged or encrypted file, or a page that it does not have.
    """
    with _page(data, page, name) as found:
        width, height = (round(side * _scale(page)) for side in found.get_size())
        return width, height


def rendered(data: bytes, page: str | None, name: str, *, longest_side_px: int) -> Image.Image:
    """The page on white, RGB: at the resolution named, else with its longest side at the limit.

    Raises: SuiteError, as `size_px` does.
    """
    with _page(data, page, name) as found:
        width, height = found.get_size()
        scale = _scale(page)
        if longest_side_px and "@" not in (page or ""):
            scale = longest_side_px / max(width, height)
        if width * height * scale * scale > MAX_PIXELS:
            what = f"{name} has more than {MAX_PIXELS // 10**6} million pixels"
            raise SuiteError(what, fix="name a lower resolution, e.g. #1@100")
        picture: Image.Image = found.render(scale=scale).to_pil().convert("RGB")
        return picture


def _scale(page: str | None) -> float:
    return int((page or "").partition("@")[2] or _DPI) / _POINTS_PER_INCH


@contextmanager
def _page(data: bytes, page: str | None, name: str) -> Iterator[Any]:
    try:
        import pypdfium2  # an extra
    except ImportError as exc:
        what = f"{name}: a page of a PDF takes pypdfium2, which is not installed"
        fix = f"{install_command('pdf')}, or export the page as PNG"
        raise SuiteError(what, fix=fix) from exc
    with _one_at_a_time:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as exc:
            what, fix = f"a damaged PDF: {shown(str(exc))}", "export or copy the file again"
            if "assword" in str(exc):
                what, fix = "encrypted", "save it without a password"
            raise SuiteError(f"{name} is {what}", fix=fix) from exc
        with document:
            pages, number = len(document), int((page or "1").partition("@")[0])
            if page is None and pages != 1:
                raise SuiteError(f"{name} has {pages} pages", fix="name one: .pdf#1 is the first")
            if not 1 <= number <= pages:
                what = f"{name}: there is no page {number} of {pages}"
                raise SuiteError(what, fix=f"name a page from 1 to {pages}")
            yield document[number - 1]
