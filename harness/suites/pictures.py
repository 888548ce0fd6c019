"""The pictures of one suite: inside its folders, plausible by their headers, hashed once each."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from harness.errors import SuiteError, reworded
from harness.images import encode, header, read_regular, shown, split_page

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


class Pictures:
    """Looks every picture up once, however many questions are asked about it."""

    def __init__(self, root: Path, images: Path | None = None) -> None:
        self._root = root
        self.folders = (root, *([images] if images else []))
        self._places = tuple(map(str, self.folders))
        self._allowed = [path for folder in self.folders for path in _reach(folder.resolve())]
        self._found: dict[str, bytes | SuiteError] = {}
        self._unpacked: dict[bytes, str] = {}
        self._resolved = lru_cache(maxsize=4096)(Path.resolve)

    def sha256(self, name: str) -> str:
        """Of the picture's bytes; of the whole file, where it is a page of a PDF.

        Raises: SuiteError when the path leads out of the suite, or there is no usable picture.
        """
        if (found := self._found.get(name)) is None:
            try:
                found = self._hashed(name)
            except SuiteError as error:
                found = error
            self._found[name] = found
        if isinstance(found, SuiteError):
            raise found
        return found.hex()

    def _hashed(self, name: str) -> bytes:
        path, (file, page) = self.path(name), split_page(name)
        path = path.with_name(PurePosixPath(file).name)
        if not os.path.lexists(path):
            fix = self._near(file) or "correct the path, or name the pictures' folder: --images DIR"
            raise SuiteError(f"{shown(self._root / file)}: there is no such file", fix=fix)
        data = read_regular(path)
        header(data, shown(name), page=page)
        return hashlib.sha256(data).digest()  # half of what its text takes

    def path(self, name: str) -> Path:
        """
        Raises: SuiteError for an address, an absolute path, `..`, or a link out of the suite.
        """
        path, what = PurePosixPath(name), f"picture {shown(name)}"
        if _URL.match(name):
            raise SuiteError(f"{what} is an address, not a path", fix="download it into the suite")
        if not name or path.is_absolute() or ".." in path.parts or "\\" in name:
            fix = "name it relative to the suite's folder, with forward slashes"
            raise SuiteError(f"{what} is not a path inside the suite", fix=self._near(name) or fix)
        try:
            found = located(self.folders, name)
            file = found.with_name(PurePosixPath(split_page(name)[0]).name or ".")
            is_link = file.is_symlink()
            target = file.resolve() if is_link else self._resolved(file.parent) / file.name
        except (OSError, RuntimeError, ValueError) as exc:  # a loop of links; half a character
            raise SuiteError(f"{what} cannot be found", fix="give the file another name") from exc
        if not any(target.is_relative_to(folder) for folder in self._allowed):
            raise SuiteError(f"{what} is a link out of the suite", fix="copy the picture into it")
        return found

    def names(self, value: Any) -> Iterator[str]:
        """The pictures in a cell by their names in the suite; those it holds itself are unpacked.

        Raises: SuiteError when it holds none.
        """
        if isinstance(value, dict):
            held = next((value[key] for key in _HOLDERS if value.get(key)), None)
            if held is None:
                what = f"its picture is an object with {shown(', '.join(map(str, value)))}"
                raise SuiteError(what, fix="give it as a path, as base64, or as {bytes, path}")
            yield from self.names(held)
            return
        if isinstance(value, bytes):
            yield self._unpack(value)
            return
        text = str(value).strip()
        path = text.replace("\\", "/").removeprefix("./")
        if path.startswith("file://") and not path.startswith("file:///"):
            path = path.removeprefix("file://").removeprefix("./")
        if there := self._spelled(path):
            yield there
        elif text.startswith("data:") or (len(text) > _NO_BASE64 and "." not in text):
            what, encoded = "its picture is not valid base64", text.rpartition(",")[2]
            with reworded(SuiteError, what, "export the row again", ValueError):
                data = base64.b64decode("".join(encoded.split()), validate=True)
            yield self._unpack(data)
        elif len(path) < _MAX_PATHS_CHARS and _LIST_OF_PATHS.fullmatch(path):
            for part in re.split(r"\s*[;,|]\s*", path):
                yield from self.names(part)
        else:
            yield path

    def has(self, value: Any) -> bool:
        """Whether a cell names a file that is there."""
        return isinstance(value, str) and self._spelled(value.strip()) is not None

    def _spelled(self, path: str) -> str | None:
        """The file that is meant: in `images/` or not, however its characters are spelled."""
        spelled = [path, unquote(path)] if "%" in path else [path]
        if not path.isascii():
            spelled += [unicodedata.normalize("NFC", path), unicodedata.normalize("NFD", path)]
        for name in (it for each in spelled for it in (f"images/{each}", each)):
            file, _ = split_page(name)
            places = self._places if "\0" not in file and len(file) < _MAX_PATHS_CHARS else ()
            if any(os.path.lexists(f"{folder}/{file}") for folder in places):
                return name
        return None

    def _unpack(self, data: bytes) -> str:
        """Put a picture into the user's cache, unless it is there; return its name."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._unpacked:
            is_pdf = data.startswith(b"%PDF")
            kind = "pdf" if is_pdf else header(data, "its picture").format.lower()
            name = f"{digest.hex()}.{kind}"
            path = self._cache / name
            if not path.exists() or path.read_bytes() != data:
                write_whole(path, data)
            if not is_pdf:  # whose pages are still to be checked
                self._found[name] = digest
            self._unpacked[digest] = name
        return self._unpacked[digest]

    @cached_property
    def _cache(self) -> Path:
        import platformdirs  # few suites need it, and every run would wait for it

        folder = Path(platformdirs.user_cache_dir("evalrun")) / "pictures"
        self.folders = (*self.folders, folder)
        self._allowed.append(folder.resolve())
        return folder

    def followed(self, name: str, by_id: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """The picture; where the name is a number, those of that row, or the file so numbered.

        Raises: SuiteError when it names none.
        """
        if not refers(name) or self.has(name):
            return (name,)
        numbered = self._files.get(_folded(name)) or self._files.get(name.lstrip("0"), [])
        if name in by_id or (name and len(numbered) == 1):
            return by_id.get(name) or tuple(numbered)
        what = f"its picture is neither a file nor base64 nor the index of a row: {shown(name)}"
        raise SuiteError(what, fix="name a file, or the row that holds the picture")

    @cached_property
    def _files(self) -> Mapping[str, list[str]]:
        """The files in the suite's folder and --images, by stem and by the number that it ends in,
        as COCO numbers its pictures."""
        found: dict[str, list[str]] = {}
        for folder in self.folders[:2]:
            walked = (Path(here, name) for here, _, names in os.walk(folder) for name in names)
            for path in islice(walked, _MAX_LOOKED_AT):
                number = path.stem[len(path.stem.rstrip("0123456789")) :]
                for key in {_folded(path.stem), number.lstrip("0") or number}:
                    found.setdefault(key, []).append(path.relative_to(folder).as_posix())
        return found

    def _near(self, name: str) -> str | None:
        """Where a picture of this name, or one like it, lies instead; in words."""
        above, path = self._root.resolve().parent, PurePosixPath(name.lstrip("/"))
        if os.path.lexists(above / path) and ".." not in path.parts:
            return f"the pictures lie one folder up: add --images {shown(above)}"
        alike = self._files.get(_folded(path.stem), [])
        if exact := [it for it in alike if PurePosixPath(it).name == path.name] or alike:
            folder = exact[0].removesuffix(str(path)).rstrip("/")
            under = exact[0].endswith(f"/{path}")
            more = f" Or add --images {shown(self._root / folder)}" if under else ""
            return f"did you mean {' or '.join(map(shown, exact[:3]))}?{more}"
        with suppress(OSError):
            for folder_beside in sorted(above.iterdir()):
                if os.path.lexists(folder_beside / path.name):
                    return f"it lies in another folder: add --images {shown(folder_beside)}"
        return None


def refers(name: str) -> bool:
    """Whether a picture is named by a number or an id, not by a path."""
    return "." not in name and "/" not in name


def located(folders: Sequence[Path], name: str) -> Path:
    """Where the picture lies; in the first folder when it lies nowhere."""
    file, _ = split_page(name)
    there = (it for it in folders if "\0" not in file and os.path.lexists(it / file))
    return next(there, folders[0]) / name


def shrinking(paths: Iterable[Path], longest_side_px: int) -> str | None:
    """Which pictures a limit makes smaller, with both sizes, in words; of the first few hundred."""
    found = []
    for path in list(dict.fromkeys(paths))[: _MAX_MEASURED if longest_side_px else 0]:
        if ".pdf" not in path.name.lower():  # which is rendered at the limit
            head = header(read_regular(path), shown(path.name))
            if max(head.width_px, head.height_px) > longest_side_px:
                found.append(path)
    if not found:
        return None
    sent = encode(found[0], longest_side_px=longest_side_px)
    width_px, height_px = sent.file_size_px or (0, 0)
    sizes = f"{width_px} x {height_px}, is sent as {sent.width_px} x {sent.height_px}"
    more = f", and {len(found) - 1:,} more are made smaller" if len(found) > 1 else ""
    return f"{shown(found[0].name)}, {sizes}{more}"


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file of a suite, creating its folder; two processes may write it at once.

    Raises: SuiteError when there is no room or no right to; then `path` is as it was.
    """
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as exc:
        unfinished.unlink(missing_ok=True) if path.parent.is_dir() else None
        what, fix = f"{shown(path)} cannot be written: {exc.strerror}", "choose another folder"
        raise SuiteError(what, fix=f"make room there and the folder writable, or {fix}") from exc


def _reach(folder: Path) -> Iterator[Path]:
    """The folder, and the files that links in it may lead to when it lies in a cache of the hub."""
    yield folder
    for parent in folder.parents:
        if parent.name == "snapshots" and (parent.parent / "blobs").is_dir():
            yield parent.parent / "blobs"


def _folded(stem: str) -> str:
    """However an archive or another system has written the name."""
    return unicodedata.normalize("NFC", stem).casefold()
