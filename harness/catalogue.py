"""What is known of models and endpoints before asking them anything.

`load` gives the built-in catalogue (`harness/models.toml`, whose top describes the form) with the
user's own files laid over it. A user's file need not say who states a fact: what it leaves out the
file itself vouches for, as of its last change.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import msgspec
import platformdirs
from msgspec.structs import replace

from harness.errors import TargetError
from harness.records import Fact, ModelCard, Preset, Price
from harness.text import nearest

T = TypeVar("T")
BUILTIN = Path(__file__).with_name("models.toml")
PROJECT_FILE = Path("evalrun.toml")
"""May come from somebody else, with the folder that evalrun runs in."""
_FACTS = {
    it.name: get_origin(get_args(fact)[0]) is tuple
    for it in msgspec.structs.fields(ModelCard)
    if get_origin(fact := next(iter(get_args(it.type)), None)) is Fact
}
"""The fields of a card that are facts -> whether the value is a list."""
_TYPES = {it.name: it.type for it in msgspec.structs.fields(ModelCard)}
_Sources = dict[str | None, tuple[str, str]]
"""Id -> source and date; under None what vouches for all that names no source."""
_TABLES = ("models", "presets", "sources", "run", "profile", "sweep")
"""Of a file; the last three are defaults of commands, which read them themselves."""


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Model cards and endpoints, each by its name, in the order of the files."""

    cards: Mapping[str, ModelCard]
    presets: Mapping[str, Preset]

    def get(self, name: str) -> ModelCard | None:
        """The card of that name or alias; case, spaces and underscores do not matter."""
        return self._by_name().get(_plain(name))

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
        known = self._by_name()
        close = nearest(_plain(name), known, most=6)
        return list(dict.fromkeys(known[it].name for it in close))[:3]

    def _by_name(self) -> dict[str, ModelCard]:
        by_alias = {_plain(it): card for card in self.cards.values() for it in card.aliases}
        return by_alias | {_plain(name): card for name, card in self.cards.items()}


def user_files() -> list[Path]:
    """Where users keep models and settings of their own; the later file wins."""
    folder = platformdirs.user_config_path("evalrun", appauthor=False)
    return [folder / "evalrun.toml", PROJECT_FILE]


def load(files: Iterable[Path] | None = None) -> Catalogue:
    """The built-in catalogue with `files` (by default `user_files()`) laid over it.

    A user's entry with a name that is taken replaces the fields it gives and leaves the others.
    Raises: TargetError naming all mistakes of a file.
    """
    known = _builtin()
    # os.path, because Path.exists raises where the folder may not be entered
    for path in (it for it in (user_files() if files is None else files) if os.path.exists(it)):
        try:
            known = _overlaid(known, path)
        except (OSError, ValueError) as error:
            fix = f"correct it there, or move the file; its tables are {', '.join(_TABLES)}"
            raise TargetError(f"{path} cannot be read: {error}", fix=fix) from error
    return known


@cache
def _builtin() -> Catalogue:
    return _overlaid(Catalogue(cards={}, presets={}), BUILTIN)


def _overlaid(known: Catalogue, path: Path) -> Catalogue:
    """Raises: OSError or ValueError for a file that cannot be read."""
    given = tomllib.loads(path.read_text(encoding="utf-8"))
    mistakes = [f"{it}: no such table{_meant(it, _TABLES)}" for it in given if it not in _TABLES]
    sources: _Sources = {}
    stated = _table("sources", given, dict[date, dict[str, str]], mistakes)
    for day, ids in stated.items():
        sources |= {id_: (source, day.isoformat()) for id_, source in ids.items()}
    if path != BUILTIN:
        changed = datetime.fromtimestamp(path.stat().st_mtime).astimezone().date()
        sources[None] = (str(path), changed.isoformat())
    cards, presets = dict(known.cards), dict(known.presets)
    raw_presets = _table("presets", given, dict[str, dict[str, Any]], mistakes)
    for name, raw in raw_presets.items():
        with _kept(mistakes):
            presets[name] = _preset(name, raw, sources, path)
    for name, raw in _table("models", given, dict[str, dict[str, Any]], mistakes).items():
        fields = _fields(name, raw, sources, mistakes)
        cards[name] = replace(cards[name], **fields) if name in cards else ModelCard(**fields)
        for host in cards[name].hosted:
            if host.preset not in {**presets, **raw_presets}:
                meant = _meant(host.preset, presets)
                mistakes.append(f"models.{name}.hosted: no endpoint named {host.preset!r}{meant}")
    mistakes += _clashes(cards.values())
    if mistakes:
        raise ValueError("\n  ".join(["", *mistakes] if len(mistakes) > 1 else mistakes))
    return Catalogue(cards=cards, presets=presets)


def _table(name: str, given: Mapping[str, Any], kind: type[T], mistakes: list[str]) -> T:
    with _kept(mistakes):
        return _converted(name, given.get(name, {}), kind)
    return _converted(name, {}, kind)


def _preset(name: str, raw: dict[str, Any], sources: _Sources, path: Path) -> Preset:
    where = f"presets.{name}"
    cited = _cited(where, raw.pop("from", None), sources)
    preset = _converted(where, {"name": name, **cited, **raw}, Preset)
    if path == PROJECT_FILE and preset.api_key_env:
        raise ValueError(
            f"{where}.api_key_env: a project's file may not send a key to a host of its own; "
            f"move the preset to {user_files()[0]}"
        )
    return preset


def _clashes(cards: Iterable[ModelCard]) -> list[str]:
    owners: dict[str, str] = {}
    return [
        f"{owner} and {card.name} both have the alias {alias!r}"
        for card in cards
        for alias in card.aliases
        if (owner := owners.setdefault(_plain(alias), card.name)) != card.name
    ]


@contextmanager
def _kept(mistakes: list[str]) -> Iterator[None]:
    """A mistake does not hide those that follow."""
    try:
        yield
    except ValueError as error:
        mistakes.append(str(error))


def _fields(
    name: str, raw: dict[str, Any], sources: _Sources, mistakes: list[str]
) -> dict[str, Any]:
    """The fields of a card that are given, and right."""
    where, backing = f"models.{name}", raw.pop("from", None)
    if isinstance(raw.get("gguf"), str):  # as the options say it
        pair = {"model": raw.pop("gguf"), "mmproj": raw.pop("mmproj", None)}
        raw["files"] = {key: value for key, value in pair.items() if value is not None}
    fields: dict[str, Any] = {"name": name}
    for key, value in raw.items():
        with _kept(mistakes):
            if key not in _TYPES:
                raise ValueError(f"{where}.{key}: no such field{_meant(key, _TYPES)}")
            given = _sourced(f"{where}.{key}", key, value, backing, sources)
            fields[key] = _converted(f"{where}.{key}", given, _TYPES[key])
    return fields


def _sourced(where: str, key: str, raw: Any, backing: object, sources: _Sources) -> Any:
    """A fact is a value vouched for by `backing`, or a pair of a value and the ids of its sources;
    a table of facts names them under `from`."""
    if key in _FACTS:
        if isinstance(raw, list) and len(raw) == 2 and isinstance(raw[0], list) is _FACTS[key]:
            raw, backing = raw
        return {"value": raw, **_cited(where, backing, sources)}
    if isinstance(raw, list):
        return [_sourced(where, key, it, backing, sources) for it in raw]
    if isinstance(raw, dict) and key != "files":
        return {**_cited(where, raw.pop("from", backing), sources), **raw}
    return raw


def _cited(where: str, ids: object, sources: _Sources) -> dict[str, str]:
    """Source and date behind `ids`; of several sources the oldest date."""
    keys = [None] if ids is None else str(ids).split() or [""]
    for key in keys:
        if key not in sources:
            raise ValueError(f"{where}: no source {key!r} is stated under [sources.DATE]")
    cited = [sources[key] for key in keys]
    return {"source": "; ".join(it for it, _ in cited), "as_of": min(day for _, day in cited)}


def _converted(where: str, raw: object, kind: type[T]) -> T:
    """Raises: ValueError naming the field."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        words, _, at = str(error).partition(" - at ")
        field = where + at.replace("`key` in ", "").strip("`$").replace(".value", "")
        raise ValueError(f"{field.lstrip('.')}: {words}".removeprefix(": ")) from error


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


def _plain(name: str) -> str:
    """
    >>> _plain("Gemma 4_12B")
    'gemma-4-12b'
    """
    return name.strip().lower().replace(" ", "-").replace("_", "-")


def _meant(name: str, names: Iterable[str]) -> str:
    """
    >>> _meant("parameter", ["parameters", "license"]), _meant("zzz", ["license"])
    ('; did you mean parameters?', '')
    """
    return "".join(f"; did you mean {it}?" for it in nearest(name, names, most=1))
