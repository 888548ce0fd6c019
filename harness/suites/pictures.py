"""The pictures of one suite: inside its folders, plausible by their headers, hashed once each."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath

from harness.errors import SuiteError
from harness.images import header
from harness.images.files import read_regular, shown, split_page
from harness.images.pixels import fitted
from harness.records import Case
from harness.suites.suite import Suite, located, write_whole

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|data:|file:", re.IGNORECASE)
_MAX_MEASURED = 300
_MAX_LOOKED_AT = 50_000
"""Files among which a name like the missing one is searched."""


class Pictures:
    """Looks every picture up once, however many questions are asked about it."""

    def __init__(self, root: Path, images: Path | None = None) -> None:
        self._root = root
        self.folders = (root, *([images] if images else []))
        self._places = tuple(map(str, self.folders))
        self._allowed = [path for folder in self.folders for path in _reach(folder.resolve())]
        self._sha256: dict[str, str] = {}
        self._refused: dict[str, SuiteError] = {}
        self._unpacked: dict[str, str] = {}

    def sha256(self, name: str) -> str:
        """Of the picture's bytes; of the whole file, where it is a page of a PDF.

        Raises: SuiteError when the path leads out of the suite, or there is no usable picture.
        """
        if name in self._refused:
            raise self._refused[name]
        if name not in self._sha256:
            try:
                self._sha256[name] = self._hashed(name)
            except SuiteError as error:
                self._refused[name] = error
                raise
        return self._sha256[name]

    def _hashed(self, name: str) -> str:
        path = self.path(name)
        file, page = split_page(name)
        if not os.path.lexists(path.with_name(PurePosixPath(file).name)):
            raise self._missing(file)
        data = read_regular(path.with_name(PurePosixPath(file).name))
        header(data, shown(name), page=page)
        return hashlib.sha256(data).hexdigest()

    def path(self, name: str) -> Path:
        """
        Raises: SuiteError for an address, an absolute path, `..`, or a link out of the suite.
        """
        if _URL.match(name):
            raise SuiteError(
                f"picture {shown(name)} is an address, not a path",
                fix="download the picture and name the file",
            )
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
            near = self._near(name.replace("\\", "/")) if "\0" not in name else None
            raise SuiteError(
                f"picture {shown(name)} is not a path inside the suite",
                fix=near or "name it relative to the suite's folder, with forward slashes",
            )
        try:
            found = located(self.folders, name)
            file, _ = split_page(name)
            target = found.with_name(PurePosixPath(file).name or ".").resolve()
        except (OSError, RuntimeError, ValueError) as exc:  # a loop of links; half a character
            raise SuiteError(
                f"picture {shown(name)} cannot be found", fix="give the file another name"
            ) from exc
        if not any(target.is_relative_to(folder) for folder in self._allowed):
            raise SuiteError(
                f"picture {shown(name)} is a link out of the suite", fix="copy the picture into it"
            )
        return found

    def has(self, name: str) -> bool:
        file, _ = split_page(name)
        return "\0" not in file and any(
            os.path.lexists(f"{folder}/{file}") for folder in self._places
        )

    def unpack(self, data: bytes) -> str:
        """Put a picture into the user's cache, unless it is there; return its name.

        Raises: SuiteError for what is no picture, or when the cache cannot be written.
        """
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._unpacked:
            is_pdf = data.startswith(b"%PDF")
            kind = "pdf" if is_pdf else header(data, "its picture").format.lower()
            name = f"{digest}.{kind}"
            path = self._cache / name
            if not path.exists() or path.read_bytes() != data:
                write_whole(path, data)
            if not is_pdf:  # whose pages are still to be checked
                self._sha256[name] = digest
            self._unpacked[digest] = name
        return self._unpacked[digest]

    @cached_property
    def _cache(self) -> Path:
        import platformdirs  # few suites need it, and every run would wait for it

        folder = Path(platformdirs.user_cache_dir("evalrun")) / "pictures"
        self.folders = (*self.folders, folder)
        self._allowed.append(folder.resolve())
        return folder

    def decoded(self, text: str) -> bytes:
        """The bytes of a picture in base64, or in a data URI.

        Raises: SuiteError for anything else.
        """
        try:
            return base64.b64decode("".join(text.rpartition(",")[2].split()), validate=True)
        except ValueError as exc:
            raise SuiteError(
                f"its picture is not valid base64: {exc}", fix="export the row again"
            ) from exc

    def by_number(self, number: str) -> str | None:
        """The one picture whose file name is or ends in this number, as COCO numbers them."""
        found = self._numbered.get(number) or self._numbered.get(number.lstrip("0") or "0", [])
        return found[0] if len(found) == 1 else None

    @cached_property
    def _numbered(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for names in self._files.values():
            for name in names:
                stem = PurePosixPath(name).stem
                ending = re.search(r"(\d+)$", stem)
                for key in {stem, (ending[1].lstrip("0") or "0") if ending else stem}:
                    found.setdefault(key, []).append(name)
        return found

    @cached_property
    def _files(self) -> dict[str, list[str]]:
        """Folded stem of a file: the paths that have it, in the suite's folder and --images."""
        found: dict[str, list[str]] = {}
        for folder in self.folders[:2]:
            for count, path in enumerate(_walk(folder)):
                if count >= _MAX_LOOKED_AT:
                    break
                relative = path.relative_to(folder).as_posix()
                found.setdefault(_folded(path.stem), []).append(relative)
        return found

    def _missing(self, name: str) -> SuiteError:
        fix = self._near(name) or "correct the path, or name the pictures' folder: --images DIR"
        return SuiteError(f"{shown(self._root / name)}: there is no such file", fix=fix)

    def _near(self, name: str) -> str | None:
        """Where a picture of this name, or one like it, lies instead; in words."""
        above = self._root.resolve().parent
        path = PurePosixPath(name.lstrip("/"))
        if os.path.lexists(above / path) and ".." not in path.parts:
            return f"the pictures lie one folder up: add --images {shown(above)}"
        alike = self._files.get(_folded(path.stem), [])
        exact = [it for it in alike if PurePosixPath(it).name == path.name] or alike
        if exact:
            folder = exact[0].removesuffix(str(path)).rstrip("/")
            under = exact[0].endswith(f"/{path}")
            more = f" Or add --images {shown(self._root / folder)}" if under else ""
            return f"did you mean {' or '.join(map(shown, exact[:3]))}?{more}"
        beside = next((it for it in _folders(above) if os.path.lexists(it / path.name)), None)
        return f"it lies in another folder: add --images {shown(beside)}" if beside else None


def shrinking(suite: Suite, cases: Iterable[Case], longest_side_px: int) -> str | None:
    """Which pictures a limit makes smaller, with both sizes, in words; of the first few hundred."""
    if not longest_side_px:
        return None
    paths = dict.fromkeys(path for case in cases for path in suite.pictures(case))
    found = []
    for path in list(paths)[:_MAX_MEASURED]:
        if path.suffix.lower().startswith(".pdf"):  # a page is rendered at the limit
            continue
        head = header(read_regular(path), shown(path.name))
        if max(size := (head.width_px, head.height_px)) > longest_side_px:
            width, height = fitted(size, longest_side_px)
            found.append(
                f"{shown(path.name)}, {size[0]} x {size[1]}, is sent as {width} x {height}"
            )
    if not found:
        return None
    more = f", and {len(found) - 1:,} more are made smaller" if len(found) > 1 else ""
    return f"{found[0]}{more}"


def _reach(folder: Path) -> Iterator[Path]:
    """The folder, and the files that links in it may lead to when it lies in a cache of the hub."""
    yield folder
    for parent in folder.parents:
        if parent.name == "snapshots" and (parent.parent / "blobs").is_dir():
            yield parent.parent / "blobs"


def _walk(folder: Path) -> Iterator[Path]:
    for here, _, names in os.walk(folder):
        for name in names:
            yield Path(here, name)


def _folders(above: Path) -> Iterator[Path]:
    try:
        yield from (it for it in sorted(above.iterdir()) if it.is_dir())
    except OSError:
        return


def _folded(stem: str) -> str:
    """However an archive or another system has written the name."""
    return unicodedata.normalize("NFC", stem).casefold()
