"""Where weights are: files that were named, the Hugging Face hub's cache, or the hub itself."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from harness.adapters.base import Target
from harness.adapters.llamacpp.weights import Files, quantization_in, shards
from harness.catalogue import Catalogue
from harness.errors import TargetError, UsageError, install_command
from harness.records import GgufSource
from harness.text import size_text

_FAILURES = {
    "OfflineModeIsEnabled": (
        "{what} is not in the local cache, and HF_HUB_OFFLINE forbids to fetch it",
        "unset HF_HUB_OFFLINE once, or name files with --gguf FILE --mmproj FILE",
    ),
    "RepositoryNotFoundError": (  # gated ones included
        "the hub does not give {what} to everybody, or has none: {why}",
        "accept the terms at https://huggingface.co/{repo}, then export HF_TOKEN=…",
    ),
    "EntryNotFoundError": (
        "the hub has no {what} (any more)",
        "name files of your own with --gguf FILE --mmproj FILE",
    ),
    "HFValidationError": (
        "{repo!r} is not the name of a repository on the hub: {why}",
        "correct it in your evalrun.toml",
    ),
}
"""An error of huggingface_hub -> what it means and what helps; the first that fits counts."""


def locate(target: Target) -> Files:
    """The files the target names, else those of its catalogue entry, downloaded when missing.

    Raises: TargetError when there are none, or one is missing.
    """
    source = target.weights
    if target.gguf is None:
        if source is None:
            raise TargetError(
                f"nothing says which weights {target.model!r} is",
                fix="name them with --gguf FILE --mmproj FILE",
            )
        return cached(source) or fetch(source, target.notify)
    gguf = _existing(target.gguf, "--gguf")
    return Files(
        gguf=gguf,
        mmproj=_projector(gguf, target),
        context_tokens=source.context_tokens if source else None,
        quantization=source.quantization if source else None,
    )


def quantized(
    name: str | None, given: Target, catalogue: Catalogue, quantization: str
) -> tuple[Target, Catalogue]:
    """With other weights of the model: beside the file that is named, else of its repository.

    Raises: TargetError with the quantizations there are.
    """
    if given.base_url is not None:
        raise UsageError(
            "--quant chooses weights, and --base-url names a server that has its own",
            fix="give one of the two",
        )
    if given.gguf is not None:
        return replace(
            given, gguf=_beside(_existing(given.gguf, "--gguf"), quantization)
        ), catalogue
    card = catalogue.find(name or "demo")
    if card.files is not None:
        other = _beside(Path(card.files.model).expanduser(), quantization)
        card = replace(card, files=replace(card.files, model=str(other)))
    elif card.gguf is not None:
        card = replace(card, gguf=_of_repo(card.gguf, quantization))
    else:
        raise TargetError(
            f"the catalogue knows no GGUF weights of {card.name} to choose {quantization} from",
            fix="name a file of them with --gguf",
        )
    return given, replace(catalogue, cards={**catalogue.cards, card.name: card})


def _beside(gguf: Path, quantization: str) -> Path:
    own = quantization_in(gguf.name) or ""
    there = {
        (quantization_in(it.name) or "").upper(): it
        for it in sorted(gguf.parent.glob("*.gguf"))
        if _without(it.name, quantization_in(it.name)) == _without(gguf.name, own)
    }
    return _named(there, quantization, f"beside {gguf}")


def _without(name: str, quantization: str | None) -> str:
    return name.upper().replace((quantization or "").upper(), "")


def _of_repo(source: GgufSource, quantization: str) -> GgufSource:
    """Asks the hub only for what neither the catalogue nor the cache names."""
    if quantization.upper() == source.quantization.upper():
        return source
    folder = _cache_folder() / f"models--{source.repo.replace('/', '--')}" / "snapshots"
    there = _by_quantization(it.name for it in folder.glob("*/*.gguf"))
    if quantization.upper() not in there:
        there = _by_quantization(_files_of(source.repo))
    file = _named(there, quantization, f"in {source.repo}")
    return replace(source, model_file=file, quantization=quantization.upper(), size_gb=None)


def _by_quantization(names: Iterable[str]) -> dict[str, str]:
    """Of several parts the first."""
    return {
        found.upper(): name
        for name in sorted(names, reverse=True)
        if "mmproj" not in name.lower() and (found := quantization_in(name.split("/")[-1]))
    }


def _files_of(repo: str) -> list[str]:
    with _as_target_errors(repo, "list of files"):
        from huggingface_hub import HfApi

        return [it for it in HfApi().list_repo_files(repo) if it.endswith(".gguf")]


T = TypeVar("T")


def _named(there: Mapping[str, T], quantization: str, where: str) -> T:
    found = there.get(quantization.upper())
    if found is None:
        raise TargetError(
            f"there is no {quantization} {where}; there are {', '.join(there) or 'none'}",
            fix="choose one of them",
        )
    return found


def _existing(path: Path, option: str) -> Path:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise TargetError(f"{path} {what}", fix=f"name a .gguf file with {option}")
    return path


def _projector(gguf: Path, target: Target) -> Path | None:
    """The one that is named, else the only one in the model's folder, where downloads put it.

    None for a model that is sent no pictures, and has none.
    """
    if target.mmproj is not None:
        return _existing(target.mmproj, "--mmproj")
    found = sorted(path for path in gguf.parent.glob("*.gguf") if "mmproj" in path.name.lower())
    if not found and not target.sends_pictures:
        return None
    if len(found) != 1:
        listed = ", ".join(path.name for path in found)
        raise TargetError(
            f"{gguf.name} cannot see without its mmproj file, and its folder holds "
            + (f"several: {listed}" if found else "none"),
            fix="name it with --mmproj FILE, or ask without pictures: --blind",
        )
    target.notify(f"taking {found[0].name}, which lies beside {gguf.name}")
    return found[0]


def cached(source: GgufSource) -> Files | None:
    """The files as they lie in the hub's cache; None unless all of them do. Asks nobody."""
    found = {name: _in_cache(repo, name) for repo, name in _wanted(source)}
    if not all(found.values()):
        return None
    return _files(source, {name: path for name, path in found.items() if path is not None})


def missing_bytes(source: GgufSource) -> int:
    """How much `fetch` would download. Raises: TargetError as `fetch` does."""
    return sum(_size(repo, name) for repo, name in _wanted(source) if _in_cache(repo, name) is None)


def fetch(source: GgufSource, notify: Callable[[str], None]) -> Files:
    """Download what is missing into the hub's cache, with the hub's own progress bar.

    Raises: TargetError when it is not there, not allowed, offline, or the disk is full.
    """
    found = {}
    for repo, name in _wanted(source):
        path = _in_cache(repo, name)
        if path is None:
            notify(f"downloading {name}, {size_text(_size(repo, name))}")
            with _as_target_errors(repo, name), _tidy_when_terminated():
                from huggingface_hub import hf_hub_download

                path = Path(hf_hub_download(repo, name, cache_dir=_cache_folder()))
        found[name] = path
    return _files(source, found)


def _size(repo: str, name: str) -> int:
    with _as_target_errors(repo, name):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        # A dry run of the download would try for half a minute to reach a hub that is not there.
        return get_hf_file_metadata(hf_hub_url(repo, name)).size or 0


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


def _in_cache(repo: str, name: str) -> Path | None:
    """Looked up without huggingface_hub, which takes longer to import than all the rest.

    Layout: https://huggingface.co/docs/huggingface_hub/guides/manage-cache
    """
    base = _cache_folder() / f"models--{repo.replace('/', '--')}"
    try:
        main = (base / "refs" / "main").read_text().strip()
    except OSError:
        main = ""
    snapshots = sorted(base.glob("snapshots/*"), key=lambda it: it.name != main)
    return next((it / name for it in snapshots if (it / name).is_file()), None)


def _cache_folder() -> Path:
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if os.environ.get(variable):
            return Path(os.environ[variable]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(home).expanduser() / "hub"


@contextmanager
def _tidy_when_terminated() -> Iterator[None]:
    """Let the hub remove its unfinished file, which may have gigabytes and is never used again."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _as_target_errors(repo: str, name: str) -> Iterator[None]:
    """The hub's errors as TargetErrors."""
    try:
        from huggingface_hub import errors
    except ImportError as error:
        raise TargetError(
            "downloading weights needs the package huggingface_hub, which is not installed",
            fix=install_command("local"),
        ) from error
    what = f"{name} of {repo}"
    try:
        yield
    except (errors.HTTPError, errors.HFValidationError, OSError) as error:  # type: ignore[attr-defined]
        why = _first_line(error)
        for kind, (problem, fix) in _FAILURES.items():
            if isinstance(error, getattr(errors, kind)):
                named = {"what": what, "repo": repo, "why": why}
                raise TargetError(problem.format(**named), fix=fix.format(**named)) from error
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        raise TargetError(
            f"{what} could not be downloaded: {why}",
            fix="make room, or name another disk with HF_HOME=DIR"
            if full
            else "run the same command again: files that are complete are kept",
        ) from error


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
