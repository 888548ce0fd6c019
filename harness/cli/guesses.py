"""What somebody meant who typed a word that is no command, and the command that does it."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from harness import catalogue
from harness.errors import UsageError
from harness.options import DEFAULT_RESULTS
from harness.text import inert, nearest

_MEANT: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("list", "ls"), "`evalrun runs` (measured) or `evalrun models` (known)"),
        **dict.fromkeys(("results", "history"), "`evalrun runs`"),
        **dict.fromkeys(("help", "usage"), "`evalrun --help`"),
        "version": "`evalrun --version`",
        **dict.fromkeys(("test", "eval", "evaluate", "start", "bench"), "`evalrun --model NAME`"),
        **dict.fromkeys(("diff", "vs"), "`evalrun compare A B`"),
        **dict.fromkeys(("rank", "ranking", "scores"), "`evalrun leaderboard`"),
        **dict.fromkeys(("lint", "validate", "suite"), "`evalrun check SUITE`"),
        **dict.fromkeys(("csv", "json"), "`evalrun export RUN`"),
        **dict.fromkeys(("init", "create"), "`evalrun new DIR`"),
    }
)
_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


def unknown_command(word: str, commands: Mapping[str, object]) -> UsageError:
    return UsageError(
        f"{inert(word)!r} is not a command", fix=_meant(word, commands) or "see `evalrun --help`"
    )


def unexpected_words(command: str, words: list[str]) -> UsageError:
    """For words that are left over, such as NAME in `evalrun run NAME`."""
    name = f"name a model with --model: `evalrun --model {inert(words[0])}`"
    meant = (_thing(words[0]) or name) if command == "run" else None
    return UsageError(
        f"`evalrun {command}` does not take {inert(words[0])!r}",
        fix=meant or f"see `evalrun {command} --help`",
    )


def _meant(word: str, commands: Mapping[str, object]) -> str | None:
    if word.lower() in _MEANT:
        return f"did you mean {_MEANT[word.lower()]}?"
    if thing := _thing(word):
        return thing
    close = nearest(word, commands)
    return f"did you mean `evalrun {close[0]}`?" if close else None


def _thing(word: str) -> str | None:
    """What can be done with the file, the folder or the model of that name."""
    path = Path(word)
    if path.is_dir():
        runs = any(path.glob("*/*.jsonl"))
        return f"for the {'runs' if runs else 'suite'} in that folder: `evalrun " + (
            f"runs --results {word}`" if runs else f"--suite {word}`"
        )
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix in _PICTURES:
            return f'ask about the picture: `evalrun ask {word} "How many …?"`'
        if suffix == ".gguf":
            return f"weights and projector: `evalrun --gguf {word} --mmproj FILE`"
        return f"a run is shown by `evalrun show {word}`, a suite asked by `evalrun --suite {word}`"
    if list(DEFAULT_RESULTS.glob(f"{glob.escape(word)}/*.jsonl")):
        return f"show its newest run: `evalrun show {word}`; or ask it: `evalrun --model {word}`"
    known = catalogue.load()
    card = known.get(word)
    close = [card.name] if card else [it for it in known.nearest(word) if it[0] == word[0].lower()]
    return f"name a model with --model: `evalrun --model {close[0]}`" if close else None
