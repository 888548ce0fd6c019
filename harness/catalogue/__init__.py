"""What is known of models and endpoints before asking them anything.

`load` gives the built-in catalogue (`harness/models.toml`) with the user's own files laid over it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from harness.catalogue.reading import Entries, or_nearest, read
from harness.errors import TargetError
from harness.records import ModelCard, Preset, Price
from harness.text import nearest

BUILTIN = Path(__file__).parent.parent / "models.toml"
PROJECT_FILE = Path("evalrun.toml")
"""May come from somebody else, with the folder that evalrun runs in."""


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Model cards and endpoints, each by its name, in the order of the files."""

    cards: Mapping[str, ModelCard]
    presets: Mapping[str, Preset]

    def get(self, name: str) -> ModelCard | None:
        """The card of that name or alias; case, spaces and underscores do not matter."""
        wanted, aliased = _plain(name), None
        for card in self.cards.values():
            if wanted == _plain(card.name):
                return card
            if wanted in map(_plain, card.aliases):
                aliased = aliased or card
        return aliased

    def find(self, name: str) -> ModelCard:
        """Raises: TargetError naming the nearest models when there is none of that name."""
        if card := self.get(name):
            return card
        close = self.nearest(name)
        raise TargetError(
            f"no model named {name!r} in the catalogue"
            + (f"; the nearest are {', '.join(close)}" if close else ""),
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
    layers = [(str(path), read(path, vouches=True)) for path in users]
    for where, entries in [(BUILTIN.name, _builtin()), *layers]:
        presets |= entries.presets
        found = entries.problems + _unknown_presets(entries, presets)
        if where == str(PROJECT_FILE):
            found += _keys_to_new_hosts(entries)
        problems += [f"{where}: {problem}" for problem in found]
        for name, fields in entries.cards.items():
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
def _builtin() -> Entries:
    return read(BUILTIN, vouches=False)


def _plain(name: str) -> str:
    """
    >>> _plain("Gemma 4_12B")
    'gemma-4-12b'
    """
    return name.strip().lower().replace(" ", "-").replace("_", "-")


def _unknown_presets(entries: Entries, presets: Mapping[str, Preset]) -> list[str]:
    return [
        f"models.{name}.hosted: no endpoint named {host.preset!r}{or_nearest(host.preset, presets)}"
        for name, fields in entries.cards.items()
        for host in fields.get("hosted", ())
        if host.preset not in presets
    ]


def _keys_to_new_hosts(entries: Entries) -> list[str]:
    return [
        f"presets.{name}.api_key_env: a project's file may not send a key to a host of its own; "
        f"move the preset to {user_files()[0]}"
        for name, preset in entries.presets.items()
        if preset.api_key_env is not None
    ]


def _shared_aliases(cards: Iterable[ModelCard]) -> list[str]:
    owners: dict[str, str] = {}
    problems = []
    for card in cards:
        for alias in card.aliases:
            owner = owners.setdefault(_plain(alias), card.name)
            if owner != card.name:
                problems.append(f"{owner} and {card.name} both have the alias {alias!r}")
    return problems
