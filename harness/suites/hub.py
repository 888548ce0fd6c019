"""Sets on the Hugging Face hub, by their address: `hf://owner/set[@revision][/split or path]`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from harness.errors import SuiteError, install_command
from harness.images.files import shown

_ADDRESS = re.compile(
    r"hf:/{1,2}(?P<repo>[\w.-]+/[\w.-]+)"
    r"(?:@(?P<revision>refs/(?:pr|convert)/[\w.-]+|[\w.%-]+))?(?:/(?P<part>.+))?"
)
_SHARD = re.compile(r"-\d{4,5}-of-\d{4,5}(?:-[0-9a-f]{8,})?$")
_PICTURES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "pdf")


def table_of(path: PurePosixPath | Path) -> str:
    """What the shards of one table have in common: `test` for test-00000-of-00002.parquet."""
    return _SHARD.sub("", path.stem)


def fetch(path: Path, readable: Sequence[str]) -> tuple[str, str, Path, list[Path]]:
    """Download the one table of the set that is meant, and its pictures where they are files; its
    name, its revision, the folder and the table's files.

    Raises: SuiteError when there is no such set, revision or table, or several tables.
    """
    match = _ADDRESS.fullmatch(str(path))
    if match is None:
        raise SuiteError(
            f"{shown(path)} is not the address of a set", fix="write hf://owner/set[@revision]"
        )
    repo, revision = match["repo"], match["revision"]
    what = f"hf://{repo}"
    try:
        from huggingface_hub import HfApi, errors, snapshot_download
    except ImportError as exc:
        raise SuiteError(
            f"{what}: huggingface_hub is not installed", fix=install_command("parquet")
        ) from exc
    try:
        info = HfApi().dataset_info(repo, revision=revision)
        names = [it.rfilename for it in info.siblings or []]
        chosen = _chosen(names, match["part"] or "", readable, what)
        kinds = [] if chosen[0].endswith(".parquet") else _PICTURES
        patterns = [*chosen, *(f"*.{it}" for kind in kinds for it in (kind, kind.upper()))]
        root = Path(
            snapshot_download(repo, repo_type="dataset", revision=info.sha, allow_patterns=patterns)
        )
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
    return repo, info.sha or "", root, [root / it for it in chosen]


def _chosen(names: Sequence[str], part: str, readable: Sequence[str], repo: str) -> list[str]:
    """The files of the one table: Parquet before any other format."""
    tables: dict[str, list[str]] = {}
    for kinds in ((".parquet",), tuple(set(readable) - {".parquet", ".toml", ".json"}), (".json",)):
        for path in map(PurePosixPath, sorted(names)):
            table = str(path.parent / table_of(path))
            at = (str(path), table, path.parent.name, table_of(path), str(path.parent))
            if path.suffix.lower() in kinds and (not part or part.strip("/") in at):
                tables.setdefault(table, []).append(str(path))
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
