"""The pictures of one suite: inside its folders, plausible by their headers, hashed once each."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from harness.errors import SuiteError
from harness.images import header
from harness.images.files import read_regular, shown, split_page
from harness.images.pixels import fitted
from harness.records import Case
from harness.suites.fields import is_empty
from harness.suites.suite import Suite, located, write_whole

_URL = re.compile(r"[a-z][a-z0-9+.-]*://|data:|file:", re.IGNORECASE)
_MAX_MEASURED = 300
_MAX_LOOKED_AT = 50_000
"""Files among which a name like the missing one is searched."""
_NO_BASE64 = 64
"""No picture is as short as this in base64, and no index of another row longer."""
_MAX_PATHS_CHARS = 2000
_LIST_OF_PATHS = re.compile(r"[^;,|]+\.\w{3,4}(?:\s*[;,|]\s*[^;,|]+\.\w{3,4})+")
_HOLDERS = (
    *("bytes", "path", "file_name", "url", "image_url", "image", "src", "data"),
    *("fileUri", "file_uri"),
)
"""Keys of an object that hold its picture, the best first."""
_IMAGE_TOKEN = re.compile(r"<image>|<\|image\|>|\[image\]|<image_placeholder>", re.IGNORECASE)
_IMAGE_PLACE = re.compile(r"<image[ _]?(\d{1,2})>", re.IGNORECASE)


class RowNumber(str):
    """A picture cell that names another row, or a picture by its number."""

    __slots__ = ()


class Pictures:
    """Looks every picture up once, however many questions are asked about it."""

    def __init__(self, root: Path, images: Path | None = None) -> None:
        self._root = root
        self.folders = (root, *([images] if images else []))
        self._places = tuple(map(str, self.folders))
        self._allowed = [path for folder in self.folders for path in _reach(folder.resolve())]
        self._found: dict[str, bytes | SuiteError] = {}
        self._unpacked: dict[str, str] = {}
        self._resolved = lru_cache(maxsize=4096)(Path.resolve)

    def sha256(self, name: str) -> str:
        """Of the picture's bytes; of the whole file, where it is a page of a PDF.

        Raises: SuiteError when the path leads out of the suite, or there is no usable picture.
        """
        if name not in self._found:
            try:
                self._found[name] = self._hashed(name)
            except SuiteError as error:
                self._found[name] = error
        found = self._found[name]
        if isinstance(found, SuiteError):
            raise found
        return found.hex()

    def _hashed(self, name: str) -> bytes:
        path = self.path(name)
        file, page = split_page(name)
        path = path.with_name(PurePosixPath(file).name)
        if not os.path.lexists(path):
            near = (
                self._near(file) or "correct the path, or name the pictures' folder: --images DIR"
            )
            raise SuiteError(f"{shown(self._root / file)}: there is no such file", fix=near)
        data = read_regular(path)
        header(data, shown(name), page=page)
        return hashlib.sha256(data).digest()  # half of what its text takes

    def path(self, name: str) -> Path:
        """
        Raises: SuiteError for an address, an absolute path, `..`, or a link out of the suite.
        """
        path = PurePosixPath(name)
        if _URL.match(name):
            raise SuiteError(
                f"picture {shown(name)} is an address, not a path", fix="download it into the suite"
            )
        if not name or path.is_absolute() or ".." in path.parts or "\\" in name:
            raise SuiteError(
                f"picture {shown(name)} is not a path inside the suite",
                fix=self._near(name)
                or "name it relative to the suite's folder, with forward slashes",
            )
        try:
            found = located(self.folders, name)
            file = found.with_name(PurePosixPath(split_page(name)[0]).name or ".")
            target = (
                file.resolve() if file.is_symlink() else self._resolved(file.parent) / file.name
            )
        except (OSError, RuntimeError, ValueError) as exc:  # a loop of links; half a character
            raise SuiteError(
                f"picture {shown(name)} cannot be found", fix="give the file another name"
            ) from exc
        if not any(target.is_relative_to(folder) for folder in self._allowed):
            raise SuiteError(
                f"picture {shown(name)} is a link out of the suite", fix="copy the picture into it"
            )
        return found

    # --- cells ------------------------------------------------------------------------------

    def names(self, value: Any) -> Iterator[str]:
        """The pictures in a cell by their names in the suite; those it holds itself are unpacked.

        Raises: SuiteError when it holds none.
        """
        if isinstance(value, dict):
            held = next((it for key in _HOLDERS if not is_empty(it := value.get(key))), None)
            if held is None:
                raise SuiteError(
                    f"its picture is an object with {shown(', '.join(map(str, value)))}",
                    fix="give the picture as a path, as base64, or as {bytes, path}",
                )
            yield from self.names(held)
            return
        if isinstance(value, bytes):
            yield self._unpack(value)
            return
        text = str(value).strip()
        path = text.replace("\\", "/").removeprefix("./")
        if path.startswith("file://") and not path.startswith("file:///"):
            path = path.removeprefix("file://").removeprefix("./")
        if beside := self._spelled(path):
            yield beside
        elif text.startswith("data:") or (len(text) > _NO_BASE64 and "." not in text):
            yield self._unpack(_decoded(text))
        elif len(path) < _MAX_PATHS_CHARS and _LIST_OF_PATHS.fullmatch(path):
            for part in re.split(r"\s*[;,|]\s*", path):
                yield from self.names(part)
        else:
            yield path if "." in path or "/" in path else RowNumber(path)

    def has(self, value: Any) -> bool:
        """Whether a cell names a file that is there."""
        return isinstance(value, str) and self._spelled(value.strip()) is not None

    def _spelled(self, path: str) -> str | None:
        """The file that is meant: in `images/` or not, however its characters are spelled."""
        spelled = [path, unquote(path)] if "%" in path else [path]
        if not path.isascii():
            spelled += [unicodedata.normalize(form, path) for form in ("NFC", "NFD")]
        for name in (it for each in spelled for it in (f"images/{each}", each)):
            file, _ = split_page(name)
            places = self._places if "\0" not in file and len(file) < _MAX_PATHS_CHARS else ()
            if any(os.path.lexists(f"{folder}/{file}") for folder in places):
                return name
        return None

    def _unpack(self, data: bytes) -> str:
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
                self._found[name] = bytes.fromhex(digest)
            self._unpacked[digest] = name
        return self._unpacked[digest]

    @cached_property
    def _cache(self) -> Path:
        import platformdirs  # few suites need it, and every run would wait for it

        folder = Path(platformdirs.user_cache_dir("evalrun")) / "pictures"
        self.folders = (*self.folders, folder)
        self._allowed.append(folder.resolve())
        return folder

    def followed(
        self, names: tuple[str, ...], by_id: Mapping[str, tuple[str, ...]]
    ) -> tuple[str, ...]:
        """The names with those of other rows' pictures, or of numbered files, put in.

        Raises: SuiteError when a number names none.
        """
        found: list[str] = []
        for name in names:
            if not isinstance(name, RowNumber):
                found.append(name)
            elif there := by_id.get(name) or self._by_number(name):
                found.extend(there)
            else:
                raise SuiteError(
                    "its picture is neither a file nor base64 nor the index of a row:"
                    f" {shown(name) or 'nothing'}",
                    fix="name a file, or the row that holds the picture",
                )
        return names if found == list(names) else tuple(found)

    # --- files ------------------------------------------------------------------------------

    def _by_number(self, number: str) -> list[str]:
        """The one picture whose file name is or ends in this number, as COCO numbers them."""
        found = self._numbered.get(number) or self._numbered.get(number.lstrip("0") or "0", [])
        return found if len(found) == 1 else []

    @cached_property
    def _numbered(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name in (name for names in self._files.values() for name in names):
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
            walked = (Path(here, name) for here, _, names in os.walk(folder) for name in names)
            for path in islice(walked, _MAX_LOOKED_AT):
                relative = path.relative_to(folder).as_posix()
                found.setdefault(_folded(path.stem), []).append(relative)
        return found

    def _near(self, name: str) -> str | None:
        """Where a picture of this name, or one like it, lies instead; in words."""
        above = self._root.resolve().parent
        path = PurePosixPath(name.lstrip("/"))
        if os.path.lexists(above / path) and ".." not in path.parts:
            return f"the pictures lie one folder up: add --images {shown(above)}"
        alike = self._files.get(_folded(path.stem), [])
        if exact := [it for it in alike if PurePosixPath(it).name == path.name] or alike:
            folder = exact[0].removesuffix(str(path)).rstrip("/")
            under = exact[0].endswith(f"/{path}")
            more = f" Or add --images {shown(self._root / folder)}" if under else ""
            return f"did you mean {' or '.join(map(shown, exact[:3]))}?{more}"
        try:
            beside = next(it for it in sorted(above.iterdir()) if os.path.lexists(it / path.name))
        except (OSError, StopIteration):
            return None
        return f"it lies in another folder: add --images {shown(beside)}"


def _decoded(text: str) -> bytes:
    """The bytes of a picture in base64, or in a data URI.

    Raises: SuiteError for anything else.
    """
    try:
        return base64.b64decode("".join(text.rpartition(",")[2].split()), validate=True)
    except ValueError as exc:
        raise SuiteError(
            f"its picture is not valid base64: {exc}", fix="export the row again"
        ) from exc


def with_places(question: str, pictures: int) -> str:
    """The question with its marks for pictures: `<image 1>` where they matter, else none.

    Raises: SuiteError when it speaks of more pictures than there are.

    >>> with_places("<image>\\nHow many?", 1), with_places("Is <image> or <image> older?", 2)
    ('How many?', 'Is <image 1> or <image 2> older?')
    """
    tokens = len(_IMAGE_TOKEN.findall(question))
    spoken_of = max(tokens, *map(int, _IMAGE_PLACE.findall(question)), 0)
    if spoken_of > pictures:
        raise SuiteError(
            f"the question speaks of {spoken_of} pictures, and the row has {pictures}",
            fix="give the row all of its pictures, or leave it out",
        )
    parts = [part.strip() for part in _IMAGE_TOKEN.split(question)]
    if not tokens or sum(map(bool, parts)) <= 1:  # all before the text, or behind it
        return "".join(parts) if tokens else question
    numbers = iter(range(1, tokens + 1))
    return _IMAGE_TOKEN.sub(lambda _: f"<image {next(numbers)}>", question).strip()


def shrinking(suite: Suite, cases: Iterable[Case], longest_side_px: int) -> str | None:
    """Which pictures a limit makes smaller, with both sizes, in words; of the first few hundred."""
    if not longest_side_px:
        return None
    paths: Sequence[Path] = list(dict.fromkeys(it for case in cases for it in suite.pictures(case)))
    found = []
    for path in paths[:_MAX_MEASURED]:
        if split_page(str(path))[1] or path.suffix.lower() == ".pdf":  # rendered at the limit
            continue
        head = header(read_regular(path), shown(path.name))
        size = (head.width_px, head.height_px)
        if (small := fitted(size, longest_side_px)) != size:
            name, both = (
                shown(path.name),
                [f"{width} x {height}" for width, height in (size, small)],
            )
            found.append(f"{name}, {both[0]}, is sent as {both[1]}")
    more = f", and {len(found) - 1:,} more are made smaller" if len(found) > 1 else ""
    return f"{found[0]}{more}" if found else None


def _reach(folder: Path) -> Iterator[Path]:
    """The folder, and the files that links in it may lead to when it lies in a cache of the hub."""
    yield folder
    for parent in folder.parents:
        if parent.name == "snapshots" and (parent.parent / "blobs").is_dir():
            yield parent.parent / "blobs"


def _folded(stem: str) -> str:
    """However an archive or another system has written the name."""
    return unicodedata.normalize("NFC", stem).casefold()
