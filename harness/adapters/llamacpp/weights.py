"""The two files of a local model, text weights and mmproj: named, in the hub's cache, or on it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace
from platformdirs import user_cache_path

from harness.adapters import Target
from harness.errors import TargetError, UsageError, install_command
from harness.records import GgufSource, ModelCard
from harness.text import one_line, size_text

_QUANTIZATION = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:UD-)?(?:I?Q|TQ)\d_[A-Z0-9]+(?:_(?:XXS|XS|S|M|L|XL|NL))?"
    r"|BF16|F16|F32|MXFP4)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_SLOW_TO_HASH_BYTES = 1 << 30


class Weights(Struct, frozen=True):
    """Files that lie on this machine."""

    gguf: Path
    mmproj: Path | None
    """None for a model that is sent no pictures."""

    @property
    def gguf_bytes(self) -> int:
        """All parts of the text weights, as far as they lie side by side."""
        parts = [self.gguf.with_name(name) for name in _parts_of(self.gguf.name)]
        return sum(it.stat().st_size for it in parts if it.is_file())


def locate(target: Target) -> Weights:
    """The files the target names, else those of its catalogue entry, downloaded when missing.

    Raises: TargetError when there are none, or one is missing.
    """
    if target.gguf is not None:
        gguf = _existing(target.gguf, "--gguf")
        mmproj = target.mmproj or (_beside(gguf, target) if target.sends_pictures else None)
    elif target.weights is not None:
        found = fetch(target.weights, target.notify)
        gguf, mmproj = found.gguf, target.mmproj or found.mmproj
    else:
        raise TargetError(
            f"nothing says which weights {target.model!r} is",
            fix="name them with --gguf FILE --mmproj FILE",
        )
    return Weights(gguf, _existing(mmproj, "--mmproj") if mmproj else None)


def _existing(path: Path, option: str) -> Path:
    if not path.is_file():
        raise TargetError(f"{path} is not a file", fix=f"name a .gguf file with {option}")
    return path


def _beside(gguf: Path, target: Target) -> Path:
    """The only projector in the model's folder, where downloads put it."""
    found = sorted(it for it in gguf.parent.glob("*.gguf") if "mmproj" in it.name.lower())
    if len(found) != 1:
        listed = ", ".join(it.name for it in found) or "none"
        raise TargetError(
            f"{gguf.name} cannot see without its mmproj file; its folder holds {listed}",
            fix="name it with --mmproj FILE, or ask without pictures: --blind",
        )
    target.notify(f"taking {found[0].name}, which lies beside {gguf.name}")
    return found[0]


def cached(source: GgufSource) -> Weights | None:
    """The files as they lie in the hub's cache; None unless all of them do. Asks nobody."""
    paths = [path for _, _, path in _hub_files(source)]
    return Weights(paths[0], paths[-1]) if paths[0] and all(paths) else None


def missing_bytes(source: GgufSource) -> int:
    """How much `fetch` would download. Raises: TargetError as `fetch` does."""
    return sum(_size(repo, name) for repo, name, path in _hub_files(source) if path is None)


def fetch(source: GgufSource, notify: Callable[[str], None]) -> Weights:
    """Download what is missing into the hub's cache, with the hub's own resume and progress bar.

    Raises: TargetError when it is not there, not allowed, offline, or the disk is full.
    """
    for repo, name, path in _hub_files(source):
        if path is None:
            notify(f"downloading {name}, {size_text(_size(repo, name))}")
            with _explaining(repo, name):
                from huggingface_hub import hf_hub_download

                hf_hub_download(repo, name)
    found = cached(source)
    assert found is not None
    return found


def _hub_files(source: GgufSource) -> Iterator[tuple[str, str, Path | None]]:
    """Repository, file and place in the cache of every part of the weights, then the projector."""
    wanted = [(source.repo, name) for name in _parts_of(source.model_file)]
    for repo, name in [*wanted, (source.mmproj_repo or source.repo, source.mmproj_file)]:
        found = None
        with suppress(ImportError, ValueError):  # of what is wrong, fetching tells
            from huggingface_hub import try_to_load_from_cache

            found = try_to_load_from_cache(repo, name)
        yield repo, name, Path(found) if isinstance(found, str) else None


def _size(repo: str, name: str) -> int:
    with _explaining(repo, name):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        # A dry run of the download would try for half a minute to reach a hub that is not there.
        return get_hf_file_metadata(hf_hub_url(repo, name)).size or 0


@contextmanager
def _explaining(repo: str, what: str) -> Iterator[None]:
    """The hub's errors as TargetErrors, in the hub's own words."""
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
        said = one_line(str(error), 200) or type(error).__name__
        raise TargetError(
            f"{what} of {repo} could not be downloaded: {said}",
            fix="run the same command again, which goes on from there; where terms have to be "
            f"accepted, do so at https://huggingface.co/{repo} and export HF_TOKEN=…; or name "
            "files of your own with --gguf FILE --mmproj FILE",
        ) from error


def quantized(
    given: Target, card: ModelCard | None, quantization: str
) -> tuple[Target, ModelCard | None]:
    """With other weights of the model: beside the file that is named, else of its repository.

    Raises: UsageError; TargetError with the quantizations there are.
    """
    if given.base_url is not None:
        raise UsageError(
            "--quant chooses weights, and --base-url names a server that has its own",
            fix="give one of the two",
        )
    if given.gguf is not None:
        return replace(given, gguf=_sibling(_existing(given.gguf, "--gguf"), quantization)), card
    if card is not None and card.files is not None:
        other = _sibling(Path(card.files.model).expanduser(), quantization)
        return given, replace(card, files=replace(card.files, model=str(other)))
    if card is not None and card.gguf is not None:
        return given, replace(card, gguf=_of_repo(card.gguf, quantization))
    raise TargetError(
        f"--quant {quantization}: nothing is known of other weights of {given.model or 'demo'}",
        fix="leave it out, or name a file of the model with --gguf",
    )


def _sibling(gguf: Path, quantization: str) -> Path:
    stem = _QUANTIZATION.sub("", gguf.name).lower()
    names = [it.name for it in gguf.parent.glob("*.gguf")]
    alike = [it for it in names if _QUANTIZATION.sub("", it).lower() == stem]
    return gguf.with_name(_of_quantization(alike, quantization, f"beside {gguf}"))


def _of_repo(source: GgufSource, quantization: str) -> GgufSource:
    """Asks the hub only for what neither the catalogue nor the cache names."""
    if quantization.upper() == source.quantization.upper():
        return source
    with _explaining(source.repo, "the list of files"):
        from huggingface_hub import HfApi, constants

        folder = Path(constants.HF_HUB_CACHE, f"models--{source.repo.replace('/', '--')}")
        there = [it.name for it in folder.glob("snapshots/*/*.gguf")]
        if quantization.upper() not in map(quantization_in, there):
            there = HfApi().list_repo_files(source.repo)
    file = _of_quantization(there, quantization, f"in {source.repo}")
    return replace(source, model_file=file, quantization=quantization.upper(), size_gb=None)


def _of_quantization(names: Iterable[str], quantization: str, where: str) -> str:
    """Of several parts the first. Raises: TargetError with the quantizations there are."""
    text = [it for it in names if it.endswith(".gguf") and "mmproj" not in it.lower()]
    there = {quantization_in(name.split("/")[-1]): name for name in sorted(text, reverse=True)}
    if quantization.upper() not in there:
        listed = ", ".join(filter(None, there)) or "none"
        raise TargetError(
            f"there is no {quantization} {where}; there are {listed}", fix="choose one of them"
        )
    return there[quantization.upper()]


def quantization_in(name: str) -> str | None:
    """
    >>> quantization_in("Mistral-Small-3.1-24B-Instruct-2503-UD-Q4_K_XL.gguf")
    'UD-Q4_K_XL'
    >>> quantization_in("gemma-3-4b-it-IQ2_M.gguf"), quantization_in("model.gguf")
    ('IQ2_M', None)
    """
    found = _QUANTIZATION.search(name)
    return found[0].upper() if found else None


def _parts_of(model_file: str) -> list[str]:
    """All files of a model that is split.

    >>> _parts_of("big-00001-of-00002.gguf"), _parts_of("small.gguf")
    (['big-00001-of-00002.gguf', 'big-00002-of-00002.gguf'], ['small.gguf'])
    """
    found = re.fullmatch(r"(.*)-00001-of-(\d{5})\.gguf", model_file)
    if found is None:
        return [model_file]
    return [f"{found[1]}-{at:05}-of-{found[2]}.gguf" for at in range(1, int(found[2]) + 1)]


def sha256(path: Path, notify: Callable[[str], None]) -> str:
    """The file's sha256; remembered by its path, size and time of change in the user's cache."""
    path = path.resolve()
    found = path.stat()
    seen = f"{path}\n{found.st_size}\n{found.st_mtime_ns}".encode("utf-8", "surrogateescape")
    note = user_cache_path("evalrun") / "sha256" / hashlib.sha256(seen).hexdigest()
    with suppress(OSError):
        if len(remembered := note.read_text()) == 64:  # else it was cut short
            return remembered
    if found.st_size >= _SLOW_TO_HASH_BYTES:
        notify(f"computing the sha256 of {path.name}, {size_text(found.st_size)} (once)")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with suppress(OSError):  # an unwritable cache only costs time
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(digest)
    return digest
