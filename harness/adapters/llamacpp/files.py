"""The two files of a local model, text weights and mmproj: named, in the hub's cache, or on it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from platformdirs import user_cache_path

from harness.adapters.base import Target
from harness.catalogue import Catalogue
from harness.errors import TargetError, UsageError, install_command
from harness.records import GgufSource
from harness.text import one_line, size_text

_QUANTIZATION = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:UD-)?(?:I?Q|TQ)\d_[A-Z0-9]+(?:_(?:XXS|XS|S|M|L|XL|NL))?"
    r"|BF16|F16|F32|MXFP4)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_SLOW_TO_HASH_BYTES = 1 << 30
_FIXES = {
    "OfflineModeIsEnabled": "unset HF_HUB_OFFLINE once, or name files with --gguf and --mmproj",
    "RepositoryNotFoundError": (  # gated ones included
        "accept the terms at https://huggingface.co/{repo}, then export HF_TOKEN=…"
    ),
    "EntryNotFoundError": "name files of your own with --gguf FILE --mmproj FILE",
    "HFValidationError": "correct the name of the repository in your evalrun.toml",
}
"""An error of huggingface_hub -> what helps; the first that fits counts."""


class Files(Struct, frozen=True, kw_only=True):
    """Weights that lie on this machine."""

    gguf: Path
    mmproj: Path | None
    """None for a model that is sent no pictures."""
    source: GgufSource | None = None
    """What the catalogue says of them."""

    @property
    def weights_bytes(self) -> int:
        """All parts of the text weights, as far as they lie side by side."""
        parts = [self.gguf.with_name(name) for name in parts_of(self.gguf.name)]
        return sum(it.stat().st_size for it in parts if it.is_file())


def locate(target: Target) -> Files:
    """The files the target names, else those of its catalogue entry, downloaded when missing.

    Raises: TargetError when there are none, or one is missing.
    """
    source = target.weights
    if target.gguf is not None:
        gguf = _existing(target.gguf, "--gguf")
        return Files(gguf=gguf, mmproj=_projector(gguf, target), source=source)
    if source is None:
        raise TargetError(
            f"nothing says which weights {target.model!r} is",
            fix="name them with --gguf FILE --mmproj FILE",
        )
    found = cached(source) or fetch(source, target.notify)
    if target.mmproj is None:
        return found
    return replace(found, mmproj=_existing(target.mmproj, "--mmproj"))


def _existing(path: Path, option: str) -> Path:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise TargetError(f"{path} {what}", fix=f"name a .gguf file with {option}")
    return path


def _projector(gguf: Path, target: Target) -> Path | None:
    """The one that is named, else the only one in the model's folder, where downloads put it."""
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


def quantized(
    name: str | None, given: Target, catalogue: Catalogue, quantization: str
) -> tuple[Target, Catalogue]:
    """With other weights of the model: beside the file that is named, else of its repository.

    Raises: UsageError; TargetError with the quantizations there are.
    """
    if given.base_url is not None:
        raise UsageError(
            "--quant chooses weights, and --base-url names a server that has its own",
            fix="give one of the two",
        )
    if given.gguf is not None:
        gguf = _beside(_existing(given.gguf, "--gguf"), quantization)
        return replace(given, gguf=gguf), catalogue
    if name is None or (name == "demo" and catalogue.get(name) is None):
        raise TargetError(
            "the demonstration model comes in one quantization: F32",
            fix="leave --quant out, or name another model",
        )
    card = catalogue.find(name)
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
    stem = _QUANTIZATION.sub("", gguf.name)
    names = [it.name for it in gguf.parent.glob("*.gguf")]
    alike = [it for it in names if _QUANTIZATION.sub("", it).lower() == stem.lower()]
    return gguf.with_name(_chosen(_by_quantization(alike), quantization, f"beside {gguf}"))


def _of_repo(source: GgufSource, quantization: str) -> GgufSource:
    """Asks the hub only for what neither the catalogue nor the cache names."""
    if quantization.upper() == source.quantization.upper():
        return source
    with _as_target_errors(source.repo, "list of files"):
        from huggingface_hub import HfApi, constants

        folder = f"models--{source.repo.replace('/', '--')}"
        snapshots = Path(constants.HF_HUB_CACHE, folder, "snapshots")
        there = _by_quantization(it.name for it in snapshots.glob("*/*.gguf"))
        if quantization.upper() not in there:
            there = _by_quantization(HfApi().list_repo_files(source.repo))
    file = _chosen(there, quantization, f"in {source.repo}")
    return replace(source, model_file=file, quantization=quantization.upper(), size_gb=None)


def _by_quantization(names: Iterable[str]) -> dict[str, str]:
    """Of several parts the first."""
    text = [it for it in names if it.endswith(".gguf") and "mmproj" not in it.lower()]
    return {
        found: name
        for name in sorted(text, reverse=True)
        if (found := quantization_in(name.split("/")[-1]))
    }


def _chosen(there: Mapping[str, str], quantization: str, where: str) -> str:
    if quantization.upper() not in there:
        raise TargetError(
            f"there is no {quantization} {where}; there are {', '.join(there) or 'none'}",
            fix="choose one of them",
        )
    return there[quantization.upper()]


def cached(source: GgufSource) -> Files | None:
    """The files as they lie in the hub's cache; None unless all of them do. Asks nobody."""
    found = [_in_cache(repo, name) for repo, name in _wanted(source)]
    whole = [it for it in found if it is not None]
    if len(whole) < len(found):
        return None
    return Files(gguf=whole[0], mmproj=whole[-1], source=source)


def missing_bytes(source: GgufSource) -> int:
    """How much `fetch` would download. Raises: TargetError as `fetch` does."""
    return sum(_size(repo, name) for repo, name in _wanted(source) if _in_cache(repo, name) is None)


def fetch(source: GgufSource, notify: Callable[[str], None]) -> Files:
    """Download what is missing into the hub's cache, with the hub's own progress bar.

    Raises: TargetError when it is not there, not allowed, offline, or the disk is full.
    """
    found = []
    for repo, name in _wanted(source):
        path = _in_cache(repo, name)
        if path is None:
            notify(f"downloading {name}, {size_text(_size(repo, name))}")
            with _as_target_errors(repo, name):
                from huggingface_hub import hf_hub_download

                path = Path(hf_hub_download(repo, name))
        found.append(path)
    return Files(gguf=found[0], mmproj=found[-1], source=source)


def _wanted(source: GgufSource) -> list[tuple[str, str]]:
    """Repository and file of every part of the weights, then of the projector."""
    parts = [(source.repo, name) for name in parts_of(source.model_file)]
    return [*parts, (source.mmproj_repo or source.repo, source.mmproj_file)]


def _in_cache(repo: str, name: str) -> Path | None:
    try:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(repo, name)
    except (ImportError, ValueError):  # of what is wrong, fetching tells
        return None
    return Path(found) if isinstance(found, str) else None


def _size(repo: str, name: str) -> int:
    with _as_target_errors(repo, name):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        # A dry run of the download would try for half a minute to reach a hub that is not there.
        return get_hf_file_metadata(hf_hub_url(repo, name)).size or 0


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
    try:
        yield
    except (errors.HTTPError, errors.HFValidationError, OSError) as error:  # type: ignore[attr-defined]
        fix = "run the same command again: files that are complete are kept"
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            fix = "make room, or name another disk with HF_HOME=DIR"
        known = (it for kind, it in _FIXES.items() if isinstance(error, getattr(errors, kind)))
        raise TargetError(
            f"{name} of {repo} could not be downloaded: "
            f"{one_line(str(error), 200) or type(error).__name__}",
            fix=next(known, fix).format(repo=repo),
        ) from error


def quantization_in(name: str) -> str | None:
    """
    >>> quantization_in("Mistral-Small-3.1-24B-Instruct-2503-UD-Q4_K_XL.gguf")
    'UD-Q4_K_XL'
    >>> quantization_in("gemma-3-4b-it-IQ2_M.gguf"), quantization_in("model.gguf")
    ('IQ2_M', None)
    """
    found = _QUANTIZATION.search(name)
    return found[0].upper() if found else None


def parts_of(model_file: str) -> list[str]:
    """All files of a model that is split.

    >>> parts_of("big-00001-of-00003.gguf")[1:]
    ['big-00002-of-00003.gguf', 'big-00003-of-00003.gguf']
    >>> parts_of("small.gguf")
    ['small.gguf']
    """
    found = re.search(r"-00001-of-(\d{5})\.gguf$", model_file)
    if found is None:
        return [model_file]
    stem = model_file[: found.start()]
    return [f"{stem}-{at:05}-of-{found[1]}.gguf" for at in range(1, int(found[1]) + 1)]


def sha256(path: Path, notify: Callable[[str], None]) -> str:
    """The file's sha256; remembered by its path, size and time of change in the user's cache."""
    path = path.resolve()
    found = path.stat()
    seen = f"{path}\n{found.st_size}\n{found.st_mtime_ns}"
    folder = user_cache_path("evalrun") / "sha256"
    note = folder / hashlib.sha256(seen.encode("utf-8", "surrogateescape")).hexdigest()
    with contextlib.suppress(OSError):
        remembered = note.read_text()
        if len(remembered) == 64:
            return remembered
    if found.st_size >= _SLOW_TO_HASH_BYTES:
        notify(f"computing the sha256 of {path.name}, {size_text(found.st_size)} (once)")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with contextlib.suppress(OSError):  # an unwritable cache only costs time
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{secrets.token_hex(8)}"
        draft.write_text(digest)
        os.replace(draft, note)
    return digest
