"""The pictures of a report: found in the suite, checked against what was sent, embedded once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from markupsafe import Markup
from msgspec import Struct

from harness import suites
from harness.errors import SuiteError
from harness.images import encode
from harness.images.drawn import lighter
from harness.records import EncodedImage, RunHeader
from harness.report.answers import Picture
from harness.text import one_line

MOST_BYTES = 13_000_000
"""Of all pictures together; base64 makes 17 MB of them, which leaves 3 MB for the rest."""
_LEAST_BYTES = 12_000
"""A picture in fewer shows nothing."""


class Embedded(Struct, frozen=True, kw_only=True):
    """A picture ready to be embedded."""

    name: str
    """Letters and digits: its anchor on the page."""
    uri: Markup
    """Safe as it is: base64."""
    width_px: int
    height_px: int
    shared: bool
    """Several prompts ask about it: embedded once, referred to by each."""


class Album(Struct, frozen=True, kw_only=True):
    """What became of each picture, by the sha256 of what was sent: the picture, or why not."""

    pictures: Mapping[str, Embedded | str]
    lossy: bool = False
    """Some are lighter copies, because not all would fit as they were sent."""

    @property
    def found(self) -> int:
        return sum(isinstance(it, Embedded) for it in self.pictures.values())


def album(
    wanted: Sequence[Picture], headers: Sequence[RunHeader], suite: Path | None = None
) -> Album:
    """Look up pictures in the runs' suites, the most telling first: when room runs out, the last
    go. `suite` is where it lies now.

    Raises: SuiteError when a suite was named that cannot be read.
    """
    files = _files(headers, suite)
    if isinstance(files, str):
        return Album(pictures={it.sha256: files for it in wanted})
    distinct = {it.sha256: it for it in wanted}
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding leaves the interpreter free
        images = pool.map(lambda it: sent(it, files), distinct.values())
        found = dict(zip(distinct, images, strict=True))
        return _fitting(found, pool, Counter(it.sha256 for it in wanted))


def _files(headers: Sequence[RunHeader], suite: Path | None) -> dict[str, Path] | str:
    """Picture path in the suite -> file; or in words why there is no suite.

    A run file is a stranger's: only paths that the suite itself names are ever opened.
    """
    found: dict[str, Path] = {}
    try:
        for header in {(it.suite_path, it.images_path): it for it in headers}.values():
            found |= files_of(suites.of_run(header, suite))
    except SuiteError:
        if suite:
            raise
        return "no suite was found here; name it with --suite"
    return found


def files_of(suite: suites.Suite) -> dict[str, Path]:
    """Picture path as cases name it -> file."""
    return {
        name: path
        for case in suite.cases
        for name, path in zip(case.pictures, suite.pictures(case), strict=True)
    }


def sent(wanted: Picture, files: Mapping[str, Path]) -> EncodedImage | str:
    """The picture as the model was sent it, or in words why it cannot be shown."""
    name = one_line(wanted.path, 120)
    path = files.get(wanted.path)
    if path is None:
        return f"the suite has no {name}; name the run’s own suite with --suite"
    try:
        image = encode(path, longest_side_px=wanted.max_side_px)
    except SuiteError as error:
        return one_line(error.problem, 300)
    if image.sha256 != wanted.sha256:
        return f"{name} is not the picture that was sent: it has changed, or is another suite’s"
    return image


def _fitting(
    found: Mapping[str, EncodedImage | str], pool: ThreadPoolExecutor, times: Counter[str]
) -> Album:
    """As sent when all fit; else lighter copies of the heavy ones; else as many as fit."""
    images = {sha: it for sha, it in found.items() if isinstance(it, EncodedImage)}
    if lossy := sum(len(it.data) for it in images.values()) > MOST_BYTES:
        most = max(_LEAST_BYTES, MOST_BYTES // len(images))
        lighten = partial(lighter, most_bytes=most)
        images = dict(zip(images, pool.map(lighten, images.values()), strict=True))
    pictures: dict[str, Embedded | str] = {}
    room = MOST_BYTES
    for sha, it in found.items():
        image = images.get(sha)
        if isinstance(it, str) or image is None:
            pictures[sha] = str(it)
        elif len(image.data) > room:
            pictures[sha] = "left out to keep this page under 20 MB"
        else:
            room -= len(image.data)
            uri = f"data:{image.media_type};base64,{image.base64.decode()}"
            pictures[sha] = Embedded(
                name=f"i{sha[:16]}",
                uri=Markup(uri),  # noqa: S704
                width_px=image.width_px,
                height_px=image.height_px,
                shared=times[sha] > 1,
            )
    return Album(pictures=pictures, lossy=lossy)
