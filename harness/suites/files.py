"""Where a suite lies: the files of one table, in a folder, on their own, or on the hub.

The hub's sets go by their address: `hf://owner/set[@revision][/split or path]`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import TypeVar

from msgspec import Struct

from harness.errors import SuiteError, install_command, reworded
from harness.images import shown

_AnyPath = TypeVar("_AnyPath", bound=PurePath)
FOREIGN = (".csv", ".tsv", ".xlsx", ".json", ".jsonl", ".ndjson", ".parquet", ".arrow")
"""What files of rows end in."""
_READABLE = (".toml", *FOREIGN)
_QUESTIONS = "questions.csv"
_NOT_A_SUITE = re.compile(
    r"^(pyproject|evalrun)\.toml$|\.graders\.toml$|\.schema\.json$"
    r"|^(package|state|dataset_infos?|dataset_dict)\.json$|^cache-.*\.arrow$|^\."
)
"""Files that may lie in a suite's folder and hold no cases."""
_SHARD = re.compile(r"-\d{4,5}-of-\d{4,5}(?:-[0-9a-f]{8,})?$")
_ADDRESS = re.compile(
    r"hf:/{1,2}(?P<repo>[\w.-]+/[\w.-]+)"
    r"(?:@(?P<revision>refs/(?:pr|convert)/[\w.-]+|[\w.%-]+))?(?:/(?P<part>.+))?"
)
_PICTURES = ("png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff", "avif", "pdf")
_CSV = "write a questions.csv with file_name,question,answer"
_RECIPES = {
    ".tar": (
        "is a WebDataset shard",
        f"unpack it: mkdir set && tar xf {{name}} -C set; then {_CSV} from its .json or .txt files",
    ),
    ".yaml .yml": (
        "is YAML, such as promptfoo's configuration",
        f"{_CSV}: a row for each of its tests",
    ),
    ".zip .tgz .gz .7z": ("is an archive", "unpack it, and name the folder or the file in it"),
    ".xls .ods": ("is a workbook that cannot be read", "save the sheet as CSV UTF-8 or .xlsx"),
    ".pdf": ("is a document", f"{_CSV}, with {{name}}#1 as file_name for its first page"),
    "": ("is not a suite", f"name a folder, or a file that ends in {', '.join(_READABLE)}"),
}
"""What other files are, and what to make of them."""


class Found(Struct, frozen=True, kw_only=True):
    """The files that hold the cases, and what their place says of them."""

    tables: list[Path]
    root: Path
    """The folder that pictures are named from."""
    name: str
    version: str | None = None
    pictures: Path | None = None
    """Another folder that has them."""


def find(path: Path) -> Found:
    """
    Raises: SuiteError when there is no suite, or several.
    """
    if str(path).startswith("hf:/"):
        return _fetch(path)
    suffix = path.suffix.lower()
    if not os.path.isdir(path):  # unlike Path.is_dir, it takes any name
        if suffix not in _READABLE:
            kind = next(it for it in _RECIPES if suffix in it.split() or not it)
            what, fix = _RECIPES[kind]
            raise SuiteError(f"{shown(path)} {what}", fix=fix.format(name=shown(path.name)))
        in_prompts = suffix == ".toml" and path.parent.name == "prompts"
        root = path.parent.parent if in_prompts else path.parent
        name = path.resolve().parent.name if path.stem == "questions" else path.stem
        return Found(tables=[path], root=root, name=name)
    name = path.resolve().name
    if tables := sorted(path.glob("prompts/*.toml")):
        return Found(tables=tables, root=path, name=name)
    found = _candidates(path)
    named = [it for it in found if it.name == _QUESTIONS]
    tomls = [it for it in found if it.suffix == ".toml"]
    if tomls and not named:
        root = path.parent if name == "prompts" else path
        return Found(tables=tomls, root=root, name=root.resolve().name)
    return Found(tables=_one_table(path, named or found), root=path, name=name)


def table_of(path: PurePath) -> str:
    """What the shards of one table have in common: `test` for test-00000-of-00002.parquet."""
    return _SHARD.sub("", path.stem)


def _candidates(folder: Path) -> list[Path]:
    """Files right in the folder that may be a suite, in the order of their names."""
    what, fix = f"{shown(folder)} cannot be read", "make it a folder you may read"
    with reworded(SuiteError, what, fix, OSError):
        found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _READABLE)
    return [path for path in found if not _NOT_A_SUITE.search(path.name)]


def _one_table(folder: Path, found: list[Path]) -> list[Path]:
    """The one table in a folder; its shards, or those of a folder `data` in it, are one."""
    if not found and (folder / "data").is_dir():
        found = _candidates(folder / "data")
    if len(found) == 2 and all(it.suffix == ".json" for it in found):  # VQA's
        found = [it for it in found if "questions" in it.name.casefold()] or found
    groups = _grouped(found)
    if len(groups) == 1:
        return next(iter(groups.values()))
    if groups:
        named = ", ".join(shown(paths[0]) for paths in list(groups.values())[:8])
        raise SuiteError(f"{shown(folder)} holds several suites", fix=f"name one of {named}")
    nested = sorted(it for it in folder.glob("*/*") if it.suffix.lower() in _READABLE)
    examples = f", e.g. {', '.join(map(shown, nested[:4]))}" if nested else ""
    fix = f"put prompts/*.toml or {_QUESTIONS} into it, or name the file or its folder{examples}"
    raise SuiteError(f"{shown(folder)} holds no suite", fix=fix)


def _grouped(paths: Iterable[_AnyPath]) -> Mapping[str, list[_AnyPath]]:
    groups: dict[str, list[_AnyPath]] = {}
    for it in paths:
        groups.setdefault(f"{it.parent / table_of(it)}{it.suffix}", []).append(it)
    return groups


def _fetch(path: Path) -> Found:
    """Download the one table of the set that is meant, and its pictures where they are files."""
    match = _ADDRESS.fullmatch(str(path))
    if match is None:
        what = f"{shown(path)} is not the address of a set"
        raise SuiteError(what, fix="write hf://owner/set[@revision]")
    repo, what = match["repo"], f"hf://{match['repo']}"
    try:
        from huggingface_hub import HfApi, errors, snapshot_download
    except ImportError as exc:
        problem = f"{what}: huggingface_hub is not installed"
        raise SuiteError(problem, fix=install_command("parquet")) from exc
    try:
        info = HfApi().dataset_info(repo, revision=match["revision"])
        chosen = _chosen([it.rfilename for it in info.siblings or []], match["part"] or "", what)
        kinds = [] if chosen[0].endswith(".parquet") else _PICTURES
        patterns = [*chosen, *(f"*.{it}" for kind in kinds for it in (kind, kind.upper()))]
        root = Path(
            snapshot_download(repo, repo_type="dataset", revision=info.sha, allow_patterns=patterns)
        )
    except (errors.HTTPError, errors.HFValidationError, OSError) as exc:  # type: ignore[attr-defined]
        problem, fix = f"{what} cannot be downloaded: ", "look to the network, or name local files"
        problem += shown(str(exc).strip().partition("\n")[0])
        if isinstance(exc, errors.RevisionNotFoundError):
            problem = f"{what} has no revision {shown(match['revision'] or 'main')}"
            fix = "name a branch, a tag or a commit, or leave it out"
        elif isinstance(exc, errors.RepositoryNotFoundError):  # gated ones included
            problem = f"the hub does not give {what} to everybody, or has none"
            fix = "correct the name, or accept its terms there and export HF_TOKEN=…"
        raise SuiteError(problem, fix=fix) from exc
    tables = [root / it for it in chosen]
    return Found(tables=tables, root=tables[0].parent, name=repo, version=info.sha, pictures=root)


def _chosen(names: Sequence[str], part: str, repo: str) -> list[str]:
    """The files of the one table: Parquet before any other format."""
    tables: Mapping[str, list[PurePosixPath]] = {}
    for kinds in ((".parquet",), tuple(set(FOREIGN) - {".parquet", ".json"}), (".json",)):
        of_kind = (it for it in map(PurePosixPath, sorted(names)) if it.suffix.lower() in kinds)
        tables = tables or _grouped(it for it in of_kind if not part or part in _names_of(it))
    if len(tables) == 1:
        return list(map(str, next(iter(tables.values()))))
    if not tables:
        what = f"{repo} has no table{f' {shown(part)}' if part else ''} that can be read"
        page = repo.replace("hf://", "https://huggingface.co/datasets/")
        raise SuiteError(what, fix=f"look at {page}")
    named = [f"{repo}/{shown(table).rpartition('.')[0]}" for table in list(tables)[:8]]
    raise SuiteError(f"{repo} holds several tables", fix=f"name one of {', '.join(named)}")


def _names_of(path: PurePath) -> tuple[str, ...]:
    """What a table may be called behind the set's address."""
    table, folder = table_of(path), path.parent
    return (str(path), str(folder / table), folder.name, table, str(folder))
