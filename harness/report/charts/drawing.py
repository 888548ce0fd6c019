"""What all plots share: size in pixels, stand-in colours, and the way from figure to inline SVG."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any
from xml.etree import ElementTree

from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from msgspec import Struct

from harness.text import one_line

INK, MUTED, GRID = "#010101", "#020202", "#030303"
"""Stand-ins: the page's style sheet says what they look like."""
_SERIES = 8
_PX_PER_INCH = 72
_STAND_IN = re.compile(r"#(0[123])\1\1|#a1b2(0\d)", re.IGNORECASE)
_NAMES = {"01": "ink", "02": "muted", "03": "grid"}
_ATTRIBUTES = {
    "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-dashoffset", "stroke-linecap",
    "stroke-linejoin", "opacity", "fill-opacity", "stroke-opacity", "text-anchor",
}  # fmt: skip
_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # real text: it can be read out, searched and styled
    "svg.hashsalt": "evalrun",
    "text.parse_math": False,  # a model's name is no formula
    "font.size": 12,
    "axes.linewidth": 1,
    "path.simplify": False,
}


class Chart(Struct, frozen=True, kw_only=True):
    """A plot ready for the page."""

    title: str
    svg: str
    """Safe as it is: our own drawing, its texts escaped."""
    note: str = ""
    """What could not be drawn, in words."""


def series(number: int) -> str:
    """The stand-in colour of the model in this column."""
    return f"#a1b2{number % _SERIES:02d}"


def plain(text: str, longest: int) -> str:
    """A name as it may stand in a plot: one line, nothing that XML cannot hold."""
    line = one_line(text, longest)
    return "".join(it if it.isprintable() else "\ufffd" for it in line)


def canvas(width_px: float, height_px: float) -> Figure:
    """An empty figure whose SVG has a unit a pixel."""
    figure = Figure(figsize=(width_px / _PX_PER_INCH, height_px / _PX_PER_INCH), dpi=_PX_PER_INCH)
    FigureCanvasSVG(figure)
    figure.patch.set_visible(False)
    return figure


@contextmanager
def settings() -> Iterator[None]:
    """Drawing belongs inside this context; what a user's matplotlibrc says stays outside."""
    with rc_context():
        rcdefaults()
        rcParams.update(_SETTINGS)
        yield


def inline(figure: Figure, *, name: str, title: str, says: str) -> str:
    """The figure as an element of an HTML page; `says` is what it shows, for those who hear it."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Glyphs that its own font lacks: the page's reader has fonts of his own.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())  # noqa: S314 - drawn by ourselves just now
    _prune(root)
    for element in root.iter():
        _classed(element, name)
    body = "".join(ElementTree.tostring(it, encoding="unicode") for it in root)
    width, height = (round(float(it)) for it in root.attrib["viewBox"].split()[2:])
    return (
        f'<svg class="plot" role="img" aria-labelledby="{name}-t {name}-d" width="{width}" '
        f'height="{height}" viewBox="0 0 {width} {height}" stroke-linejoin="round">'
        f'<title id="{name}-t">{escape(title)}</title><desc id="{name}-d">{escape(says)}</desc>'
        f"{body}</svg>"
    )


def _prune(root: ElementTree.Element) -> None:
    """Drop metadata and style sheets, and the name space, which HTML does without."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style"):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_SVG}}}")


def _classed(element: ElementTree.Element, name: str) -> None:
    """Style attributes, which the page's policy forbids, become attributes and classes."""
    given = element.attrib
    rules = dict(_rules(given.pop("style", "")))
    rules |= {key: given.pop(key) for key in ("fill", "stroke") if key in given}
    classes = []
    for key, value in rules.items():
        stand_in = _STAND_IN.fullmatch(value)
        if stand_in:
            classes.append(f"{key[0]}-{_NAMES.get(stand_in[1] or '') or int(stand_in[2])}")
        elif key in _ATTRIBUTES:
            given[key] = value
        elif key in ("font", "font-size", "font-weight"):
            given |= _font(value)
    if classes:
        given["class"] = " ".join(classes)
    _rename(element, name)


def _rules(style: str) -> list[tuple[str, str]]:
    pairs = (rule.split(":", 1) for rule in style.split(";") if ":" in rule)
    return [(key.strip(), value.strip()) for key, value in pairs]


def _font(value: str) -> dict[str, str]:
    """
    >>> _font("700 12px 'DejaVu Sans'")
    {'font-size': '12', 'font-weight': '700'}
    """
    size = re.search(r"([\d.]+)px", value)
    found = {"font-size": size[1]} if size else {}
    return found | ({"font-weight": "700"} if re.search(r"\b(?:bold|700)\b", value) else {})


def _rename(element: ElementTree.Element, name: str) -> None:
    """Only ids that something refers to stay, and none is used twice on the page."""
    given = element.attrib
    own = given.pop("id", None)
    if own and element.tag in ("clipPath", "path"):
        given["id"] = f"{name}-{own}"
    if _HREF in given:
        given["href"] = f"#{name}-{given.pop(_HREF).removeprefix('#')}"
    clip = re.fullmatch(r"url\(#(.+)\)", given.get("clip-path", ""))
    if clip:
        given["clip-path"] = f"url(#{name}-{clip[1]})"
