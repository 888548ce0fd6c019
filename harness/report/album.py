"""The pictures of a report: found in the suite, checked against what was sent, light enough."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

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

Album = dict[str, EncodedImage | str]
"""What became of each picture, by the sha256 of what was sent: the picture, which is a lighter copy
where its own hash is another, or why there is none."""


def album(
    wanted: Sequence[Picture], headers: Sequence[RunHeader], suite: Path | None = None
) -> Album:
    """Look up pictures in the runs' suites, the most telling first: when room runs out, the last
    go. `suite` is where it lies now.

    Raises: SuiteError when a suite was named that cannot be read.
    """
    files: dict[str, Path] = {}
    distinct = {it.sha256: it for it in wanted}
    try:
        for header in {(it.suite_path, it.images_path): it for it in headers}.values():
            files |= files_of(suites.of_run(header, suite))
    except SuiteError:
        if suite:
            raise
        return dict.fromkeys(distinct, "no suite was found here; name it with --suite")
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # decoding leaves the interpreter free
        found = dict(zip(distinct, pool.map(partial(sent, files), distinct.values()), strict=True))
        images = {sha: it for sha, it in found.items() if isinstance(it, EncodedImage)}
        if sum(len(it.data) for it in images.values()) > MOST_BYTES:
            most = max(_LEAST_BYTES, MOST_BYTES // len(images))
            light = pool.map(partial(lighter, most_bytes=most), images.values())
            found |= zip(images, light, strict=True)
    room = MOST_BYTES
    for sha, image in found.items():
        if isinstance(image, EncodedImage):
            room -= len(image.data)
            if room < 0:
                found[sha] = "left out to keep this page under 20 MB"
    return found


def files_of(suite: suites.Suite) -> dict[str, Path]:
    """Picture path as cases name it -> file."""
    return {
        name: path
        for case in suite.cases
        for name, path in zip(case.pictures, suite.pictures(case), strict=True)
    }


def sent(files: Mapping[str, Path], wanted: Picture) -> EncodedImage | str:
    """The picture as the model was sent it, or in words why it cannot be shown.

    A run file is a stranger's: only paths that the suite itself names are ever opened.
    """
    name, path = one_line(wanted.path, 120), files.get(wanted.path)
    if path is None:
        return f"the suite has no {name}; name the run’s own suite with --suite"
    try:
        image = encode(path, longest_side_px=wanted.max_side_px)
    except SuiteError as error:
        return one_line(error.problem, 300)
    if image.sha256 != wanted.sha256:
        return f"{name} is not the picture that was sent: it has changed, or is another suite’s"
    return image
