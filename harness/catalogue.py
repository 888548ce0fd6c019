"""What is known of models and endpoints before asking them anything.

`load` gives the built-in catalogue (`harness/models.toml`, whose top describes the form) with the
user's own files laid over it. A user's file need not say who states a fact: what it leaves out the
file itself vouches for, as of its last change.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import platformdirs

from harness.errors import TargetError
from harness.records import Fact, ModelCard, Preset, Price
from harness.text import nearest

BUILTIN = Path(__file__).with_name("models.toml")
PROJECT_FILE = Path("evalrun.toml")
"""May come from somebody else, with the folder that evalrun runs in."""
_TABLES = ("sources", "presets", "models")
_OPTIONS = ("run", "profile", "sweep")
"""Tables with defaults of commands, which read them themselves."""
_CITED = {"source", "as_of"}


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Model cards and endpoints, each by its name, in the order of the files."""

    cards: Mapping[str, ModelCard]
    presets: Mapping[str, Preset]

    def get(self, name: str) -> ModelCard | None:
        """The card of that name or alias; case, spaces and underscores do not matter."""
        names = [(_plain(card.name), card) for card in self.cards.values()]
        names += [(_plain(it), card) for card in self.cards.values() for it in card.aliases]
        return next((card for known, card in names if known == _plain(name)), None)

    def find(self, name: str) -> ModelCard:
        """Raises: TargetError naming the nearest models when there is none of that name."""
        if card := self.get(name):
            return card
        close = ", ".join(self.nearest(name))
        raise TargetError(
            f"no model named {name!r} in the catalogue"
            + (f"; the nearest are {close}" if close else ""),
            fix="choose one that `evalrun models` lists, say where the model lives (base URL or "
            "GGUF file), or add it to evalrun.toml",
        )

    def nearest(self, name: str) -> list[str]:
        """Up to three models that look like `name`; one met under an alias goes by its own name."""
        named = {
            _plain(key): card.name
            for card in self.cards.values()
            for key in (card.name, *card.aliases)
        }
        close = nearest(_plain(name), named, most=6)
        return list(dict.fromkeys(named[key] for key in close))[:3]


def user_files() -> list[Path]:
    """Where users keep models and settings of their own; the later file wins."""
    folder = platformdirs.user_config_path("evalrun", appauthor=False)
    return [folder / "evalrun.toml", PROJECT_FILE]


def load(files: Iterable[Path] | None = None) -> Catalogue:
    """The built-in catalogue with `files` (by default `user_files()`) laid over it.

    A user's entry with a name that is taken replaces the fields it gives and leaves the others.
    Raises: TargetError listing every mistake of every file.
    """
    cards: dict[str, dict[str, Any]] = {}
    presets: dict[str, Preset] = {}
    problems: list[str] = []
    # os.path, because Path.exists raises where the folder may not be entered
    users = [it for it in (user_files() if files is None else files) if os.path.exists(it)]
    for path, read in [(BUILTIN, _builtin()), *((path, _Reader(path)) for path in users)]:
        presets |= read.presets
        found = [*read.problems, *_unknown_presets(read.cards, presets)]
        if path == PROJECT_FILE:
            found += [
                f"presets.{name}.api_key_env: a project's file may not send a key to a host of "
                f"its own; move the preset to {user_files()[0]}"
                for name, preset in read.presets.items()
                if preset.api_key_env is not None
            ]
        where = BUILTIN.name if path == BUILTIN else path
        problems += [f"{where}: {problem}" for problem in found]
        for name, fields in read.cards.items():
            cards[name] = cards.get(name, {}) | fields
    built = {name: ModelCard(**fields) for name, fields in cards.items()}
    problems += _shared_aliases(built.values())
    if problems:
        count = f"{len(problems)} mistakes" if len(problems) > 1 else "a mistake"
        raise TargetError(
            f"the catalogue has {count}:" + "".join(f"\n  {problem}" for problem in problems),
            fix="edit the file that each line names",
        )
    return Catalogue(cards=built, presets=presets)


def list_price(card: ModelCard) -> Price | None:
    """What its listed endpoint charges; None when either half is not known."""
    price_in, price_out = card.price_in_usd_per_mtok, card.price_out_usd_per_mtok
    if price_in is None or price_out is None:
        return None
    return Price(
        in_usd_per_mtok=price_in.value,
        out_usd_per_mtok=price_out.value,
        as_of=min(price_in.as_of, price_out.as_of),
    )


@cache
def _builtin() -> _Reader:
    return _Reader(BUILTIN)


def _plain(name: str) -> str:
    """
    >>> _plain("Gemma 4_12B")
    'gemma-4-12b'
    """
    return name.strip().lower().replace(" ", "-").replace("_", "-")


def _unknown_presets(
    cards: Mapping[str, dict[str, Any]], presets: Mapping[str, Preset]
) -> Iterator[str]:
    for name, fields in cards.items():
        for host in fields.get("hosted", ()):
            if host.preset not in presets:
                meant = _or_nearest(host.preset, presets)
                yield f"models.{name}.hosted: no endpoint named {host.preset!r}{meant}"


def _shared_aliases(cards: Iterable[ModelCard]) -> Iterator[str]:
    owners: dict[str, str] = {}
    for card in cards:
        for alias in card.aliases:
            owner = owners.setdefault(_plain(alias), card.name)
            if owner != card.name:
                yield f"{owner} and {card.name} both have the alias {alias!r}"


def _or_nearest(name: str, names: Iterable[str]) -> str:
    """
    >>> _or_nearest("parameter", ["parameters", "license"]), _or_nearest("zzz", ["license"])
    ('; did you mean parameters?', '; there are: license')
    """
    known = sorted(names)
    close = nearest(name, known, most=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; there are: {', '.join(known)}" if known else ""


@cache
def _fields_of(kind: type[msgspec.Struct]) -> Mapping[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(kind)}


class _Reader:
    """One pass over one file, which finds every mistake in it."""

    def __init__(self, path: Path) -> None:
        self.cards: dict[str, dict[str, Any]] = {}
        """The fields given, so that one file can overlay another."""
        self.presets: dict[str, Preset] = {}
        self.problems: list[str] = []
        self._sources: dict[str, tuple[str, str]] = {}
        self._own: tuple[str, str] | None = None
        """Source and date of what a user's file does not attribute."""
        if path != BUILTIN:
            changed = datetime.fromtimestamp(path.stat().st_mtime).astimezone().date()
            self._own = (str(path), changed.isoformat())
        try:
            self._read(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            self._report(f"cannot be read: {error}")

    def _read(self, content: dict[str, Any]) -> None:
        for table in sorted(content.keys() - {*_TABLES, *_OPTIONS}):
            self._report(f"[{table}] is not a table of a catalogue{_or_nearest(table, _TABLES)}")
        for day, stated in self._table("sources", content.get("sources", {})).items():
            try:
                date.fromisoformat(day)
            except ValueError:
                need = "sources stand under their date, as in [sources.2026-01-31]"
                self._report(f"sources.{day}: {need}")
                continue
            for key, source in self._table(f"sources.{day}", stated).items():
                self._sources[key] = (str(source), day)
        for name, raw in self._table("presets", content.get("presets", {})).items():
            if preset := self._value(f"presets.{name}", raw, Preset, None, name=name):
                self.presets[name] = preset
        for name, raw in self._table("models", content.get("models", {})).items():
            if isinstance(raw, dict) and isinstance(raw.get("gguf"), str):  # as the options say it
                raw["files"] = {"model": raw.pop("gguf")}
                if "mmproj" in raw:
                    raw["files"]["mmproj"] = raw.pop("mmproj")
            read = self._fields(f"models.{name}", raw, ModelCard, name=name)
            self.cards[name] = {key: value for key, value in read.items() if value is not None}

    def _report(self, problem: str) -> None:
        self.problems.append(problem)

    def _table(self, where: str, raw: object) -> dict[str, Any]:
        if isinstance(raw, dict):
            return raw
        self._report(f"{where}: must be a table")
        return {}

    def _fields(self, where: str, raw: object, kind: Any, **named: str) -> dict[str, Any]:
        """The fields of a `kind`, one by one, so that one mistake does not hide the next."""
        given, known = self._table(where, raw), _fields_of(kind)
        backing = given.get("from")
        cited = self._cited(where, backing) if known.keys() >= _CITED else {}
        for key in sorted(given.keys() - known.keys() - {"from"}):
            self._report(f"{where}.{key}: no such field{_or_nearest(key, known.keys() - _CITED)}")
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
            before = len(self.problems)
            read = self._fields(where, raw, kind, **named)
            return kind(**read) if len(self.problems) == before else None
        if get_origin(kind) is tuple and hasattr(parts[0], "__struct_fields__"):
            if isinstance(raw, list):
                each = (self._value(where, it, parts[0], backing) for it in raw)
                return tuple(it for it in each if it)
            self._report(f"{where}: must be a list of tables")
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
        for key in ids.split():
            if key not in self._sources:
                self._report(f"{where}: no source {key!r}{_or_nearest(key, self._sources)}")
        cited = [self._sources[key] for key in ids.split() if key in self._sources]
        if not cited:
            return {}
        return {"source": "; ".join(it for it, _ in cited), "as_of": min(day for _, day in cited)}
