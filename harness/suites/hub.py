"""Sets on the Hugging Face hub, by their address: `hf://owner/set[@revision][/split or path]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from msgspec import Struct

from harness.errors import SuiteError, install_command
from harness.images.files import shown

_ADDRESS = re.compile(
    r"hf:/{1,2}(?P<repo>[\w.-]+/[\w.-]+)"
    r"(?:@(?P<revision>refs/(?:pr|convert)/[\w.-]+|[\w.%-]+))?(?:/(?P<part>.+))?"
)
_SHARD = re.compile(r"-\d{4,5}-of-\d{4,5}(?:-[0-9a-f]{8,})?$")
_PICTURES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "pdf")


class Fetched(Struct, frozen=True, kw_only=True):
    """A table of a set that lies in the hub's cache now."""

    name: str
    revision: str
    root: Path
    files: tuple[Path, ...]


def is_address(path: Path) -> bool:
    return str(path).startswith("hf:/")


def table_of(path: PurePosixPath | Path) -> str:
    """What the shards of one table have in common: `test` for test-00000-of-00002.parquet."""
    return _SHARD.sub("", path.stem)


def fetch(path: Path, readable: Sequence[str]) -> Fetched:
    """Download the one table of the set that is meant, and its pictures where they are files.

    Raises: SuiteError when there is no such set, revision or table, or several tables.
    """
    match = _ADDRESS.fullmatch(str(path))
    if match is None:
        raise SuiteError(
            f"{shown(path)} is not the address of a set", fix="write hf://owner/set[@revision]"
        )
    repo, part = match["repo"], match["part"] or ""
    with _as_suite_errors(f"hf://{repo}", match["revision"]):
        from huggingface_hub import HfApi, snapshot_download

        info = HfApi().dataset_info(repo, revision=match["revision"])
        names = [it.rfilename for it in info.siblings or []]
        chosen = _chosen(names, part, readable, f"hf://{repo}")
        pictures = [] if chosen[0].endswith(".parquet") else [f"*.{it}" for it in _PICTURES]
        root = Path(
            snapshot_download(
                repo,
                repo_type="dataset",
                revision=info.sha,
                allow_patterns=[*chosen, *pictures, *(it.upper() for it in pictures)],
            )
        )
    return Fetched(
        name=repo, revision=info.sha or "", root=root, files=tuple(root / it for it in chosen)
    )


def _chosen(names: Sequence[str], part: str, readable: Sequence[str], repo: str) -> list[str]:
    """The files of the one table: Parquet before any other format."""
    tables: dict[str, list[str]] = {}
    for kinds in ((".parquet",), tuple(set(readable) - {".parquet", ".toml", ".json"}), (".json",)):
        for name in sorted(names):
            path = PurePosixPath(name)
            table = str(path.parent / table_of(path))
            at = (name, table, path.parent.name, table_of(path), str(path.parent))
            if path.suffix.lower() in kinds and (not part or part.strip("/") in at):
                tables.setdefault(table, []).append(name)
        if tables:
            break
    if len(tables) == 1:
        return next(iter(tables.values()))
    if not tables:
        raise SuiteError(
            f"{repo} has no table{f' {shown(part)}' if part else ''} that can be read",
            fix=f"look at https://huggingface.co/datasets/{repo.removeprefix('hf://')}",
        )
    listed = ", ".join(f"{repo}/{shown(table)}" for table in list(tables)[:8])
    raise SuiteError(f"{repo} holds several tables", fix=f"name one of {listed}")


@contextmanager
def _as_suite_errors(what: str, revision: str | None) -> Iterator[None]:
    try:
        from huggingface_hub import errors
    except ImportError as exc:
        raise SuiteError(
            f"{what}: huggingface_hub is not installed",
            fix=install_command("parquet"),
        ) from exc
    try:
        yield
    except errors.RevisionNotFoundError as exc:
        raise SuiteError(
            f"{what} has no revision {shown(revision or 'main')}",
            fix="name a branch, a tag or a commit, or leave it out",
        ) from exc
    except errors.RepositoryNotFoundError as exc:  # gated ones included
        raise SuiteError(
            f"the hub does not give {what} to everybody, or has none",
            fix="correct the name, or accept its terms there and export HF_TOKEN=…",
        ) from exc
    except (errors.HTTPError, errors.HFValidationError, OSError) as exc:  # type: ignore[attr-defined]
        raise SuiteError(
            f"{what} cannot be downloaded: {shown(str(exc).strip().splitlines()[0])}",
            fix="look to the network, or name files that lie on this machine",
        ) from exc
