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
from typing import Any, get_args, get_origin

import msgspec
from msgspec.structs import FieldInfo, fields

from harness.records import Fact, ModelCard, Preset
from harness.text import nearest

_TABLES = ("sources", "presets", "models")
_OPTIONS = ("run", "profile", "sweep")
"""Tables with defaults of commands, which read them themselves."""
_CITED = {"source", "as_of"}


class Entries(msgspec.Struct, kw_only=True):
    """What one file holds. Cards stay the fields given, so that one file can overlay another."""

    cards: dict[str, dict[str, Any]] = {}
    presets: dict[str, Preset] = {}
    problems: list[str] = []


def read(path: Path, *, vouches: bool) -> Entries:
    """`vouches`: whether the file itself stands for what it does not attribute."""
    changed = datetime.fromtimestamp(path.stat().st_mtime).astimezone().date()
    reader = _Reader((str(path), changed.isoformat()) if vouches else None)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return Entries(problems=[f"cannot be read: {error}"])
    reader.read(content)
    return reader.found


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


@cache
def _fields_of(kind: type[msgspec.Struct]) -> Mapping[str, FieldInfo]:
    return {field.name: field for field in fields(kind)}


def _with_files(raw: Any) -> Any:
    """An entry whose `gguf` and `mmproj` are files of the user's, as the options of that name.

    >>> _with_files({"gguf": "a.gguf", "mmproj": "b.gguf"})
    {'files': {'model': 'a.gguf', 'mmproj': 'b.gguf'}}
    """
    if not isinstance(raw, dict) or not isinstance(raw.get("gguf"), str):
        return raw
    files = {new: raw[old] for old, new in [("gguf", "model"), ("mmproj", "mmproj")] if old in raw}
    return {key: it for key, it in raw.items() if key not in ("gguf", "mmproj")} | {"files": files}


class _Reader:
    """One pass over one file. `own` is (source, date) for what the file does not attribute."""

    def __init__(self, own: tuple[str, str] | None) -> None:
        self._own = own
        self._sources: dict[str, tuple[str, str]] = {}
        self.found = Entries()

    def read(self, content: dict[str, Any]) -> None:
        for table in sorted(content.keys() - {*_TABLES, *_OPTIONS}):
            self._report(f"[{table}] is not a table of a catalogue{or_nearest(table, _TABLES)}")
        for day, stated in self._table("sources", content.get("sources", {})).items():
            self._read_sources(day, stated)
        for name, raw in self._table("presets", content.get("presets", {})).items():
            if preset := self._value(f"presets.{name}", raw, Preset, None, name=name):
                self.found.presets[name] = preset
        for name, raw in self._table("models", content.get("models", {})).items():
            read = self._fields(f"models.{name}", _with_files(raw), ModelCard, name=name)
            self.found.cards[name] = {k: value for k, value in read.items() if value is not None}

    def _report(self, problem: str) -> None:
        self.found.problems.append(problem)

    def _table(self, where: str, raw: object) -> dict[str, Any]:
        if isinstance(raw, dict):
            return raw
        self._report(f"{where}: must be a table")
        return {}

    def _read_sources(self, day: str, stated: object) -> None:
        try:
            date.fromisoformat(day)
        except ValueError:
            need = "sources stand under their date, as in [sources.2026-01-31]"
            self._report(f"sources.{day}: {need}")
            return
        for key, source in self._table(f"sources.{day}", stated).items():
            self._sources[key] = (str(source), day)

    def _fields(self, where: str, raw: object, kind: Any, **named: str) -> dict[str, Any]:
        """The fields of a `kind`, one by one, so that one mistake does not hide the next."""
        given, known = self._table(where, raw), _fields_of(kind)
        backing = given.get("from")
        cited = self._cited(where, backing) if known.keys() >= _CITED else {}
        for key in sorted(given.keys() - known.keys() - {"from"}):
            self._report(f"{where}.{key}: no such field{or_nearest(key, known.keys() - _CITED)}")
        for key, field in known.items():
            if field.required and key not in {*given, *named, *_CITED}:
                self._report(f"{where}: {key} is missing")
        return {
            key: self._value(f"{where}.{key}", given[key], field.type, backing)
            for key, field in known.items()
            if key in given
        } | {**cited, **named}

    def _value(self, where: str, raw: object, kind: Any, backing: object, **named: str) -> Any:
        """`raw` as a `kind`; None when it is none, which is then reported."""
        parts = [it for it in get_args(kind) if it is not type(None)]
        if len(parts) < len(get_args(kind)):
            kind, parts = parts[0], list(get_args(parts[0]))
        if get_origin(kind) is Fact:
            return self._fact(where, raw, parts[0], backing)
        if hasattr(kind, "__struct_fields__"):
            before = len(self.found.problems)
            read = self._fields(where, raw, kind, **named)
            return kind(**read) if len(self.found.problems) == before else None
        if get_origin(kind) is tuple and hasattr(parts[0], "__struct_fields__"):
            if isinstance(raw, list):
                each = (self._value(where, it, parts[0], backing) for it in raw)
                return tuple(it for it in each if it)
            needed = " and ".join(it.name for it in fields(parts[0]) if it.required)
            self._report(f"{where}: must be a list of tables, each with {needed}")
            return None
        return self._converted(where, raw, kind)

    def _fact(self, where: str, raw: object, wanted: Any, backing: object) -> Fact[Any] | None:
        """A value vouched for by `backing`, or a pair of a value and the ids of its sources."""
        listed = get_origin(wanted) is tuple
        if isinstance(raw, list) and len(raw) == 2 and isinstance(raw[0], list) is listed:
            raw, backing = raw
        value, cited = self._converted(where, raw, wanted), self._cited(where, backing)
        return None if value is None or not cited else Fact(value=value, **cited)

    def _converted(self, where: str, raw: object, kind: Any) -> Any:
        try:
            return msgspec.convert(raw, kind)
        except msgspec.ValidationError as error:
            self._report(f"{where}: {str(error)[0].lower()}{str(error)[1:]}")
            return None

    def _cited(self, where: str, ids: object) -> dict[str, str]:
        """Source and date behind `ids`; of several sources the oldest date."""
        if ids is None and self._own:
            return {"source": self._own[0], "as_of": self._own[1]}
        if not isinstance(ids, str) or not ids:
            self._report(f"{where}: must say who states it, as the id of a row of [sources.DATE]")
            return {}
        unknown = [key for key in ids.split() if key not in self._sources]
        for key in unknown:
            self._report(f"{where}: no source {key!r}{or_nearest(key, self._sources)}")
        cited = [self._sources[key] for key in ids.split() if key in self._sources]
        if unknown or not cited:
            return {}
        return {"source": "; ".join(it for it, _ in cited), "as_of": min(day for _, day in cited)}
