"""Weights on the Hugging Face hub: what its cache on this machine holds, and fetching the rest."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.adapters.llamacpp.weights import Files, in_words, shards
from harness.errors import TargetError
from harness.records import GgufSource

_TELL_EVERY_S = 5.0
_PLAIN_LIMIT_BYTES = 50_000_000_000
"""The hub serves larger files through its own protocol only."""


def cached(source: GgufSource, environ: Mapping[str, str]) -> Files | None:
    """The files as they lie in the hub's cache; None unless all of them do. Asks nobody."""
    found = {name: _in_cache(repo, name, environ) for repo, name in _wanted(source)}
    if not all(found.values()):
        return None
    return _files(source, {name: path for name, path in found.items() if path is not None})


def missing_bytes(source: GgufSource) -> int:
    """How much `fetch` would download. Raises: TargetError as `fetch` does."""
    total = 0
    for repo, name in _wanted(source):
        if _in_cache(repo, name, os.environ) is None:
            with _in_our_words(repo, name):
                total += _size_of(repo, name)
    return total


def fetch(source: GgufSource, notify: Callable[[str], None]) -> Files:
    """Download what is missing into the hub's cache; an interrupted download goes on.

    Raises: TargetError when it is not there, not allowed, offline, or the disk is full.
    """
    found = {}
    for repo, name in _wanted(source):
        path = _in_cache(repo, name, os.environ)
        with _in_our_words(repo, name):
            found[name] = path or _download(repo, name, notify)
    return _files(source, found)


def _wanted(source: GgufSource) -> list[tuple[str, str]]:
    mmproj_repo = source.mmproj_repo or source.repo
    parts = [(source.repo, name) for name in shards(source.model_file)]
    return [*parts, (mmproj_repo, source.mmproj_file)]


def _files(source: GgufSource, found: Mapping[str, Path]) -> Files:
    return Files(
        gguf=found[source.model_file],
        mmproj=found[source.mmproj_file],
        context_tokens=source.context_tokens,
        quantization=source.quantization,
    )


def _in_cache(repo: str, name: str, environ: Mapping[str, str]) -> Path | None:
    """Looked up without huggingface_hub, which takes longer to import than all the rest.

    Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    base = _cache_folder(environ) / f"models--{repo.replace('/', '--')}"
    try:
        main = (base / "refs" / "main").read_text().strip()
    except OSError:
        main = ""
    snapshots = sorted(base.glob("snapshots/*"), key=lambda it: it.name != main)
    return next((it / name for it in snapshots if (it / name).is_file()), None)


def _cache_folder(environ: Mapping[str, str]) -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environ.get(variable):
            return Path(environ[variable]).expanduser()
    home = environ.get("HF_HOME") or f"{environ.get('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    return Path(home).expanduser() / "hub"


def _metadata(repo: str, name: str) -> tuple[str, Any]:
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(repo, name)
    return url, get_hf_file_metadata(url)


def _size_of(repo: str, name: str) -> int:
    return _metadata(repo, name)[1].size or 0


def _download(repo: str, name: str, notify: Callable[[str], None]) -> Path:
    """Put the blob where the hub's own download looks for it, then let that arrange the rest.

    huggingface_hub 2 throws an unfinished file away; 15 GB are worth keeping.
    """
    from huggingface_hub import hf_hub_download

    url, remote = _metadata(repo, name)
    if remote.etag and remote.size and remote.size < _PLAIN_LIMIT_BYTES:
        folder = _cache_folder(os.environ) / f"models--{repo.replace('/', '--')}" / "blobs"
        folder.mkdir(parents=True, exist_ok=True)
        _fill(folder / remote.etag, url, remote.size, _Progress(name, notify))
    return Path(hf_hub_download(repo, name, cache_dir=_cache_folder(os.environ)))


def _fill(blob: Path, url: str, size: int, progress: _Progress) -> None:
    """Download `url` to `blob`, going on where an earlier attempt stopped."""
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils._headers import build_hf_headers

    part = blob.with_name(f"{blob.name}.part")
    with part.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # another evalrun may be at it: let it finish
        if blob.exists():
            part.unlink(missing_ok=True)
            return
        have = file.seek(0, os.SEEK_END)
        if shutil.disk_usage(blob.parent).free < size - have:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(blob.parent))
        http_get(
            url,
            file,
            resume_size=have,
            headers=build_hf_headers(),
            expected_size=size,
            tqdm_class=progress.bar,  # type: ignore[arg-type]  # any callable serves
        )
        file.flush()
        os.fsync(file.fileno())
        part.rename(blob)


class _Progress:
    """Turns the hub's progress bar into a line now and then."""

    def __init__(self, name: str, notify: Callable[[str], None]) -> None:
        self._name, self._notify = name, notify
        self._total = self._have = 0
        self._begun = self._told = time.monotonic()
        self._begun_at = 0

    def bar(self, *, total: int | None, initial: int = 0, **_: object) -> _Progress:
        """What huggingface_hub calls to make one."""
        self._total, self._have, self._begun_at = total or 0, initial, initial
        going_on = f", going on at {in_words(initial)}" if initial else ""
        self._notify(f"downloading {self._name}, {in_words(self._total)}{going_on}")
        return self

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, count: int) -> None:
        self._have += count
        now = time.monotonic()
        if now < self._told + _TELL_EVERY_S:
            return
        self._told = now
        rate = (self._have - self._begun_at) / (now - self._begun)
        left = f", {(self._total - self._have) / rate / 60:.0f} min left" if rate > 0 else ""
        share = 100 * self._have / self._total if self._total else 0
        self._notify(f"{self._name}: {share:.0f} % at {rate / 1e6:.1f} MB/s{left}")


@contextmanager
def _in_our_words(repo: str, name: str) -> Iterator[None]:
    """The hub's errors as TargetErrors."""
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise TargetError(
            "downloading weights needs the package huggingface_hub, which is not installed",
            fix="pip install 'evalrun[local]'",
        ) from error
    what = f"{name} of {repo}"
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise TargetError(
            f"{what} is not in the local cache, and HF_HUB_OFFLINE forbids to fetch it",
            fix="unset HF_HUB_OFFLINE once, or name files with --gguf FILE --mmproj FILE",
        ) from error
    except errors.RepositoryNotFoundError as error:  # gated ones included
        raise TargetError(
            f"the hub does not give {what} to everybody, or has none: {_first_line(error)}",
            fix=f"accept the terms at https://huggingface.co/{repo}, then export HF_TOKEN=…",
        ) from error
    except errors.EntryNotFoundError as error:
        raise TargetError(
            f"the hub has no {what} (any more)",
            fix="name files of your own with --gguf FILE --mmproj FILE",
        ) from error
    except errors.HFValidationError as error:
        raise TargetError(
            f"{repo!r} is no name of a repository on the hub: {_first_line(error)}",
            fix="correct it in your evalrun.toml",
        ) from error
    except (errors.HTTPError, OSError) as error:  # type: ignore[attr-defined]
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        raise TargetError(
            f"{what} could not be downloaded: {_first_line(error)}",
            fix="make room, or name another disk with HF_HOME=DIR; what has been downloaded is kept"
            if full
            else "run the same command again: what has been downloaded is kept",
        ) from error


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
