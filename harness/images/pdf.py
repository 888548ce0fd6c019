"""Pages of PDF files as pictures: `invoice.pdf#2`, or `invoice.pdf#2@300` with its dots an inch."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from harness.errors import SuiteError, install_command
from harness.images.files import shown
from harness.images.headers import MAX_PIXELS

_PAGE = re.compile(r"(?P<file>.+\.pdf)#(?P<page>\d{1,5}(?:@\d{2,4})?)", re.IGNORECASE | re.DOTALL)
_DPI = 150
"""Where neither a resolution nor a limit is given."""
_POINTS_PER_INCH = 72
_one_at_a_time = threading.Lock()
"""PDFium is not safe with threads."""


def split_page(name: str) -> tuple[str, str | None]:
    """
    >>> split_page("a/invoice.pdf#2"), split_page("a#2.png")
    (('a/invoice.pdf', '2'), ('a#2.png', None))
    """
    match = _PAGE.fullmatch(name)
    return (match["file"], match["page"]) if match else (name, None)


def check_page(data: bytes, page: str | None, name: str) -> None:
    """See that there is such a page. `name` stands in messages.

    Raises: SuiteError for a damaged or encrypted file, or a page that it does not have.
    """
    with _opened(data, name) as document:
        _page_of(document, page, name)


def rendered(data: bytes, page: str | None, name: str, *, longest_side_px: int) -> Image.Image:
    """The page on white, RGB: at the resolution named, else with its longest side at the limit.

    Raises: SuiteError, as `check_page` does.
    """
    with _opened(data, name) as document:
        found = _page_of(document, page, name)
        width, height = found.get_size()
        _, _, dpi = (page or "").partition("@")
        scale = int(dpi or _DPI) / _POINTS_PER_INCH
        if longest_side_px and not dpi:
            scale = longest_side_px / max(width, height)
        if width * height * scale * scale > MAX_PIXELS:
            raise SuiteError(
                f"{name} has more than {MAX_PIXELS // 10**6} million pixels",
                fix="name a lower resolution, e.g. #1@100",
            )
        picture: Image.Image = found.render(scale=scale).to_pil().convert("RGB")
        return picture


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Any]:
    try:
        import pypdfium2  # an extra
    except ImportError as exc:
        raise SuiteError(
            f"{name}: pypdfium2 is not installed",
            fix=f"{install_command('pdf')}, or export the page as PNG",
        ) from exc
    with _one_at_a_time:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as exc:
            encrypted = "assword" in str(exc)
            raise SuiteError(
                f"{name} is {'encrypted' if encrypted else f'a damaged PDF: {shown(str(exc))}'}",
                fix="save it without a password" if encrypted else "export or copy the file again",
            ) from exc
        try:
            yield document
        finally:
            document.close()


def _page_of(document: Any, page: str | None, name: str) -> Any:
    pages = len(document)
    if page is None and pages != 1:
        raise SuiteError(f"{name} has {pages} pages", fix="name one: .pdf#1 is the first")
    number = int((page or "1").partition("@")[0])
    if not 1 <= number <= pages:
        raise SuiteError(
            f"{name}: there is no page {number} of {pages}", fix=f"name a page from 1 to {pages}"
        )
    return document[number - 1]
