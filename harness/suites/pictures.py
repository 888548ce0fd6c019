"""The pictures of one suite: inside its folder, plausible by their headers, hashed once each."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath

from harness.errors import SuiteError
from harness.images import MAX_FILE_BYTES, header, read_regular, shown

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|data:|file:", re.IGNORECASE)


class Pictures:
    """Looks every picture up once, however many questions are asked about it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._resolved = root.resolve()
        self._sha256: dict[str, str] = {}
        self._refused: dict[str, SuiteError] = {}

    def sha256(self, image: str) -> str:
        """Of the picture's bytes.

        Raises: SuiteError when the path leads out of the suite, or there is no usable picture.
        """
        if image in self._refused:
            raise self._refused[image]
        if image not in self._sha256:
            try:
                data = read_regular(self.path(image), limit_bytes=MAX_FILE_BYTES)
                header(data, shown(image))
            except SuiteError as error:
                self._refused[image] = error
                raise
            self._sha256[image] = hashlib.sha256(data).hexdigest()
        return self._sha256[image]

    def path(self, image: str) -> Path:
        """
        Raises: SuiteError for an address, an absolute path, `..`, or a link out of the suite.
        """
        if _URL.match(image):
            raise SuiteError(
                f"picture {shown(image)} is an address, not a path",
                fix="download the picture and name the file",
            )
        path = PurePosixPath(image)
        if path.is_absolute() or ".." in path.parts or "\\" in image or "\0" in image:
            raise SuiteError(
                f"picture {shown(image)} is not a path inside the suite",
                fix="name it relative to the suite's folder, with forward slashes",
            )
        try:
            target = (self._root / path).resolve()
        except (OSError, RuntimeError, ValueError) as exc:  # a loop of links; half a character
            raise SuiteError(
                f"picture {shown(image)} cannot be found", fix="give the file another name"
            ) from exc
        if not target.is_relative_to(self._resolved):
            raise SuiteError(
                f"picture {shown(image)} is a link out of the suite", fix="copy the picture into it"
            )
        return self._root / path
