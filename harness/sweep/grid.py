"""Models and axes in, cells out: each the words of one `evalrun run`."""

from __future__ import annotations

import hashlib
import itertools
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness.errors import UsageError
from harness.records.settings import cell_in_words

Axes = Mapping[str, Sequence[str]]
"""Option of `run`, by its field's name -> its values as they are typed."""


class Cell(Struct, frozen=True, kw_only=True):
    """One point of the grid."""

    model: str
    settings: Mapping[str, str]
    """What is varied, with this cell's values."""
    words: tuple[str, ...]
    """Of the `evalrun run` that asks it."""

    @property
    def label(self) -> str:
        return cell_in_words(self.settings)


def cells(models: Mapping[str, Sequence[str]], axes: Axes) -> list[Cell]:
    """Every combination, models outermost; `models`: each with the words of all its cells.

    Raises: UsageError for an empty grid.
    """
    for name, values in axes.items():
        if not values or any(value == "" for value in values):
            raise UsageError(
                f"--{option(name)} has an empty value", fix=f"write e.g. --{option(name)}=A,B"
            )
    varied = [name for name, values in axes.items() if len(values) > 1]
    if not models or (len(models) == 1 and not varied):
        raise UsageError(
            "the grid is empty: nothing is varied" if models else "the grid is empty: no model",
            fix="name a model and values, e.g. evalrun sweep MODEL --image-max-side 512,1024",
        )
    made = []
    for model, *values in itertools.product(models, *axes.values()):
        own = dict(zip(axes, values, strict=True))
        typed = [it for name, value in own.items() for it in words_of(name, value)]
        shown = {"model": model} if len(models) > 1 else {}
        shown |= {option(name): own[name] for name in varied}
        words = ("--model", model, *models[model], *typed)
        made.append(Cell(model=model, settings=shown, words=words))
    return made


def words_of(name: str, value: str) -> Iterator[str]:
    """A setting as `run` takes it.

    >>> list(words_of("cache_type", "q8_0"))[:2]
    ['--server-arg=--cache-type-k=q8_0', '--server-arg=--cache-type-v=q8_0']
    >>> list(words_of("blind", "yes")), list(words_of("blind", "no")), list(words_of("seed", "2"))
    (['--blind'], [], ['--seed=2'])
    """
    if name == "cache_type":
        yield from (f"--server-arg=--cache-type-{it}={value}" for it in "kv")
        if not value.startswith(("f", "bf")):  # llama.cpp computes with other types only so
            yield "--server-arg=--flash-attn=on"
    elif name == "shuffle_options":
        yield from [f"--shuffle-options={value}"] * (value != "0")
    elif value in ("yes", "no"):
        yield from [f"--{option(name)}"] * (value == "yes")
    else:
        yield f"--{option(name)}={value}"


def option(name: str) -> str:
    return name.replace("_", "-")


def sweep_id(made: Sequence[Cell]) -> str:
    """What the runs of a sweep have in common: the same for the same grid."""
    joined = "\n".join("\0".join(it.words) for it in made)
    return f"sweep-{hashlib.sha256(joined.encode()).hexdigest()[:8]}"


def from_file(path: Path) -> dict[str, list[str]]:
    """The `[sweep]` table: option -> its values. A list is an axis.

    Raises: UsageError when there is none.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("sweep")
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}", fix="name a TOML file") from error
    if not isinstance(table, dict):
        raise UsageError(f"{path} has no [sweep] table", fix='write [sweep] and model = "NAME"')
    return {
        key.replace("-", "_"): [_as_typed(it) for it in _listed(value)]
        for key, value in table.items()
    }


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _as_typed(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
