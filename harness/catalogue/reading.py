"""A catalogue file in, entries out. Every mistake in the file is found in one reading.

The form is described at the top of `harness/models.toml`. A user's file has the same one, but need
not say who states a fact: what it leaves out the file itself vouches for, as of its last change.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from harness.records import (
    Fact,
    GgufFiles,
    GgufSource,
    HostedSource,
    ModelCard,
    Preset,
    PublishedScore,
)
from harness.text import nearest

T = TypeVar("T", bound=msgspec.Struct)

TABLES = ("sources", "presets", "models")
_CITED = {"source", "as_of"}


class Entries(msgspec.Struct, kw_only=True):
    """What one file holds. Cards stay the fields given, so that one file can overlay another."""

    cards: dict[str, dict[str, Any]] = {}
    presets: dict[str, Preset] = {}
    problems: list[str] = []


def read_builtin(path: Path) -> Entries:
    """The package's own file, where every fact has to say who states it."""
    return _Reading(vouching=None).read(path)


def read_users(path: Path) -> Entries:
    """A user's file, which vouches for what it does not attribute."""
    changed = datetime.fromtimestamp(path.stat().st_mtime).astimezone().date()
    return _Reading(vouching=(str(path), changed.isoformat())).read(path)


def or_nearest(name: str, names: Iterable[str]) -> str:
    """
    >>> or_nearest("parameter", ["parameters", "license"])
    '; did you mean parameters?'
    >>> or_nearest("zzz", ["parameters", "license"])
    '; there are: license, parameters'
    """
    known = sorted(names)
    if not known:
        return ""
    close = nearest(name, known, most=1)
    return f"; did you mean {close[0]}?" if close else f"; there are: {', '.join(known)}"


def _bare(kind: Any) -> Any:
    """The type without its `| None`."""
    kept = [part for part in get_args(kind) if part is not type(None)]
    return kept[0] if type(None) in get_args(kind) and len(kept) == 1 else kind


_CARD: Mapping[str, Any] = {f.name: _bare(f.type) for f in fields(ModelCard) if f.name != "name"}
_TABLES_OF_A_CARD: Mapping[str, type[msgspec.Struct]] = {
    "files": GgufFiles,
    "gguf": GgufSource,
    "published": PublishedScore,
}


@cache
def _fields_of(kind: type[msgspec.Struct]) -> Mapping[str, FieldInfo]:
    return {field.name: field for field in fields(kind)}


class _Reading:
    """One pass over one file. `vouching` is (source, date) for what the file does not attribute."""

    def __init__(self, *, vouching: tuple[str, str] | None) -> None:
        self._vouching = vouching
        self._sources: dict[str, tuple[str, str]] = {}
        self._found = Entries()

    def read(self, path: Path) -> Entries:
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            self._say(f"cannot be read: {error}")
            return self._found
        for table in sorted(content.keys() - set(TABLES)):
            self._say(f"[{table}] is no table of a catalogue{or_nearest(table, TABLES)}")
        self._read_sources(self._table("sources", content.get("sources", {})))
        for name, raw in self._table("presets", content.get("presets", {})).items():
            self._read_preset(name, self._table(f"presets.{name}", raw))
        for name, raw in self._table("models", content.get("models", {})).items():
            self._found.cards[name] = self._card(name, self._table(f"models.{name}", raw))
        return self._found

    def _say(self, problem: str) -> None:
        self._found.problems.append(problem)

    def _table(self, where: str, raw: object) -> dict[str, Any]:
        if isinstance(raw, dict):
            return raw
        self._say(f"{where}: must be a table")
        return {}

    def _read_sources(self, dated: dict[str, Any]) -> None:
        for day, stated in dated.items():
            try:
                date.fromisoformat(day)
            except ValueError:
                self._say(
                    f"sources.{day}: sources stand under their date, as in [sources.2026-01-31]"
                )
                continue
            for key, source in self._table(f"sources.{day}", stated).items():
                self._sources[key] = (str(source), day)

    def _read_preset(self, name: str, raw: dict[str, Any]) -> None:
        if preset := self._struct(f"presets.{name}", {**raw, "name": name}, Preset):
            self._found.presets[name] = preset

    def _card(self, name: str, raw: dict[str, Any]) -> dict[str, Any]:
        backing = raw.get("from")
        given = {key: value for key, value in raw.items() if key != "from"}
        read = {key: self._field(f"models.{name}", key, given[key], backing) for key in given}
        return {key: value for key, value in read.items() if value is not None}

    def _field(self, card: str, key: str, raw: object, backing: str | None) -> object:
        where = f"{card}.{key}"
        if key not in _CARD:
            self._say(f"{where}: no such field{or_nearest(key, _CARD)}")
            return None
        if get_origin(_CARD[key]) is Fact:
            return self._fact(where, raw, _CARD[key], backing)
        if key in _TABLES_OF_A_CARD:
            return self._struct(where, self._table(where, raw), _TABLES_OF_A_CARD[key])
        if key == "hosted":
            return self._hosted(where, raw)
        return self._converted(where, raw, _CARD[key])

    def _fact(self, where: str, raw: object, kind: Any, backing: str | None) -> object:
        """`kind` is Fact[T]; `raw` a T vouched for by `backing`, or a pair of a T and the ids."""
        (wanted,) = get_args(kind)
        listed = get_origin(wanted) is tuple
        if isinstance(raw, list) and len(raw) == 2 and isinstance(raw[0], list) is listed:
            stated, ids = raw
        else:
            stated, ids = raw, backing
        value, cited = self._converted(where, stated, wanted), self._cited(where, ids)
        return None if value is None or not cited else Fact(value=value, **cited)

    def _hosted(self, where: str, raw: object) -> tuple[HostedSource, ...] | None:
        if not isinstance(raw, list):
            self._say(f"{where}: must be a list of tables, each with preset and model_id")
            return None
        read = (self._struct(where, self._table(where, one), HostedSource) for one in raw)
        return tuple(one for one in read if one)

    def _struct(self, where: str, raw: dict[str, Any], kind: type[T]) -> T | None:
        """`raw` as a `kind`, field by field, so that one mistake does not hide the next."""
        before = len(self._found.problems)
        known = _fields_of(kind)
        given = {key: value for key, value in raw.items() if key != "from"}
        if known.keys() >= _CITED:
            given |= self._cited(where, raw.get("from"))
        for key in sorted(given.keys() - known.keys()):
            self._say(f"{where}.{key}: no such field{or_nearest(key, known.keys() - _CITED)}")
        for key, field in known.items():
            if key in given:
                given[key] = self._converted(f"{where}.{key}", given[key], field.type)
            elif field.required and key not in _CITED:
                self._say(f"{where}: {key} is missing")
        return kind(**given) if len(self._found.problems) == before else None

    def _converted(self, where: str, raw: object, kind: Any) -> Any:
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            self._say(f"{where}: {str(error)[0].lower()}{str(error)[1:]}")
            return None

    def _cited(self, where: str, ids: object) -> dict[str, str]:
        """Source and date behind `ids`; of several sources the oldest date."""
        if ids is None and self._vouching:
            return {"source": self._vouching[0], "as_of": self._vouching[1]}
        if not isinstance(ids, str) or not ids:
            self._say(f"{where}: must say who states it, as the id of a row of [sources.DATE]")
            return {}
        unknown = [key for key in ids.split() if key not in self._sources]
        for key in unknown:
            self._say(f"{where}: no source {key!r}{or_nearest(key, self._sources)}")
        cited = [self._sources[key] for key in ids.split() if key in self._sources]
        if unknown or not cited:
            return {}
        return {"source": "; ".join(s for s, _ in cited), "as_of": min(day for _, day in cited)}
