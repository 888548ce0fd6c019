"""The options of the commands, in typer's own words, and the groups that several commands share.

A command is a function that typer reads. One thing is ours: a parameter (or a field) whose type is
a group stands for every option in it, and the group's name is their heading in `--help`.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from typer import Argument, Option
from typer.models import OptionInfo

from harness.cli.exchange_log import LogOptions
from harness.cli.output import Voice


def _be_quiet(wanted: bool) -> bool:
    Voice.quiet = wanted
    return wanted


def model_names(incomplete: str) -> list[str]:
    """For the shell: the catalogue's."""
    from harness import catalogue  # only a shell that asks needs it

    return [name for name in catalogue.load().cards if name.startswith(incomplete)]


def run_names(incomplete: str) -> list[str]:
    """For the shell: models that were measured, and their runs, in the usual folder."""
    from harness import store  # only a shell that asks needs it

    found = [it.relative_to(DEFAULT_RESULTS).with_suffix("") for it in store.runs(DEFAULT_RESULTS)]
    names = dict.fromkeys([*(it.parent.name for it in found), *(it.as_posix() for it in found)])
    return [name for name in names if name.startswith(incomplete)]


RunName = Annotated[
    str, Argument(help="A model (its newest run), a run, or a file.", autocompletion=run_names)
]
ResultsDir = Annotated[Path, Option("--results", help="Folder of the runs.")]
DEFAULT_RESULTS = Path("results")
AsJson = Annotated[bool, Option("--json", help="JSON on stdout.")]
CsvFile = Annotated[str | None, Option(help="CSV file to write, or - for stdout.")]
Quiet = Annotated[
    bool, Option("--quiet", "-q", callback=_be_quiet, help="Say nothing on stderr but errors.")
]
GithubSummary = Annotated[
    bool, Option("--github-summary", help="Append the tables to the page of a GitHub job.")
]
IncludeCached = Annotated[
    bool, Option("--include-cached", help="Count cached replies in response times.")
]


@dataclass(frozen=True, kw_only=True)
class SamplingOptions:
    """What the model is told beside the question."""

    temperature: Annotated[float, Option(min=0, max=2, help="0 takes the likeliest token.")] = 0.0
    seed: Annotated[int, Option(help="Of the random numbers, where the server takes one.")] = 1
    max_tokens: Annotated[
        int | None,
        Option(min=1, help="Longest reply [default: 512; 4096 for one that was cut]."),
    ] = None
    thinking: Annotated[
        str, Option(metavar="auto|off|low|medium|high|TOKENS", help="How much the model thinks.")
    ] = "auto"
    system: Annotated[str | None, Option(help="A system prompt.")] = None
    body: Annotated[
        list[str],
        Option(metavar="KEY=JSON", help="A further request parameter (repeatable)."),
    ] = field(default_factory=list)
    image_max_side: Annotated[
        int | None,
        Option(min=16, max=16384, help="Longest side sent, in pixels [default: the suite's]."),
    ] = None
    image_tokens: Annotated[
        str | None,
        Option(metavar="N|MIN-MAX", help="Tokens a picture takes (vLLM; a started server)."),
    ] = None
    image_detail: Annotated[
        Literal["low", "high", "auto"] | None,
        Option(help="How closely a hosted model looks (OpenAI, Gemini)."),
    ] = None
    coordinates: Annotated[
        str,
        Option(
            metavar="NAME|auto", help="How boxes and points are written; auto: as the model does."
        ),
    ] = "auto"


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """How much time, money and patience a run gets."""

    concurrency: Annotated[
        int | None,
        Option(min=1, max=1024, help="Calls in flight [default: 1 local, 8 hosted]."),
    ] = None
    timeout: Annotated[
        float | None,
        Option(min=0.1, help="Seconds of silence [default: 600 local, 120 hosted]."),
    ] = None
    tries: Annotated[int, Option(min=1, help="Tries a prompt; rate limits use none up.")] = 8
    max_wait: Annotated[float, Option(min=0, help="Longest Retry-After to honour, in seconds.")] = (
        120.0
    )
    cold: Annotated[bool, Option("--cold", help="Switch the server's picture cache off.")] = False
    max_cost: Annotated[float | None, Option(min=0, help="Stop at this many US dollars.")] = None


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """A second model that reads replies."""

    judge: Annotated[str | None, Option(help="A model that reads replies the rules cannot.")] = None
    judge_base_url: Annotated[str | None, Option(help="The server that the judge runs on.")] = None
    judge_gguf: Annotated[
        Path | None, Option(help="Its weights; text alone will do unless it sees the picture.")
    ] = None
    judge_backend: Annotated[str | None, Option(help="Its adapter or preset.")] = None
    judge_api_key_env: Annotated[
        str | None, Option(help="Environment variable that holds its key.")
    ] = None
    judge_thinking: Annotated[
        str, Option(metavar="auto|off|low|medium|high|TOKENS", help="How much the judge thinks.")
    ] = "auto"
    judge_scope: Annotated[str, Option(help="What the judge sees: unread or all.")] = "unread"
    judge_sees_image: Annotated[
        bool, Option("--judge-sees-image", help="Send it the picture too.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class AskOptions:
    """Everything `evalrun ask` can be told."""

    words: Annotated[
        list[str],
        Argument(
            metavar="IMAGE... [QUESTION]",
            help="Pictures, then what to ask; --task brings its own.",
            show_default=False,
        ),
    ]
    model: Annotated[
        list[str],
        Option(
            *("--model", "-m"),
            autocompletion=model_names,
            help="Model to ask (repeatable); without one, the demonstration.",
        ),
    ] = field(default_factory=list)
    base_url: Annotated[
        list[str], Option(help="A running server, for every model or as NAME=URL (repeatable).")
    ] = field(default_factory=list)
    api_key_env: Annotated[str | None, Option(help="Environment variable that holds the key.")] = (
        None
    )
    backend: Annotated[str | None, Option(help="Adapter or preset, for every model.")] = None
    task: Annotated[
        Literal["ocr", "caption", "vqa"] | None,
        Option(help="A standard prompt, for models that have the task."),
    ] = None
    expected: Annotated[str | None, Option(help="The right answer: the replies are graded.")] = None
    save: Annotated[
        Path | None, Option(help="Folder of a suite of your own to append it to; needs --expected.")
    ] = None
    category: Annotated[str, Option(help="Its category there.")] = "Asked"
    sampling: SamplingOptions
    timeout: Annotated[
        float | None,
        Option(min=0.1, help="Seconds of silence [default: 600 local, 120 hosted]."),
    ] = None
    yes: Annotated[bool, Option("--yes", "-y", help="Download weights without asking.")] = False
    json: AsJson = False

    @property
    def images(self) -> tuple[Path, ...]:
        return tuple(map(Path, self.words[:-1] if self.question is not None else self.words))

    @property
    def question(self) -> str | None:
        """The last word, unless it is the only one or a file."""
        last = self.words[-1]
        return None if len(self.words) == 1 or os.path.lexists(last) else last

    quiet: Quiet = False
    log: LogOptions


def flattened(command: Callable[..., Any]) -> Callable[..., Any]:
    """`command` as typer reads it: the options of its groups one by one.

    Of two options of one name the first counts.
    """
    hints = get_type_hints(command, include_extras=True)
    taken = inspect.signature(command).parameters

    def call(**given: Any) -> Any:
        return command(**{name: _built(hints[name], name, given) for name in taken})

    parameters: dict[str, inspect.Parameter] = {}
    for name, parameter in taken.items():
        for one in _parameters(name, hints[name], parameter.default, heading=None):
            parameters.setdefault(one.name, one)
    call.__signature__ = inspect.Signature([*parameters.values()])  # type: ignore[attr-defined]
    call.__doc__ = command.__doc__
    return call


def _parameters(
    name: str, hint: Any, default: Any, *, heading: str | None
) -> Iterator[inspect.Parameter]:
    if is_dataclass(hint):
        hints = get_type_hints(hint, include_extras=True)
        under = f"{hint.__name__.removesuffix('Options')} options"  # type: ignore[union-attr]
        for it in fields(hint):
            yield from _parameters(it.name, hints[it.name], _default(it), heading=under)
        return
    if heading is not None:
        kind, info = get_args(hint)
        info = copy(info)
        info.rich_help_panel = heading
        if isinstance(info, OptionInfo):
            info.envvar, info.show_envvar = f"EVALRUN_{name.upper()}", False
        hint = Annotated[kind, info]
    yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=hint, default=default)


def _default(it: Field[Any]) -> Any:
    if it.default_factory is not MISSING:
        return it.default_factory()
    return inspect.Parameter.empty if it.default is MISSING else it.default


def _built(hint: Any, name: str, given: dict[str, Any]) -> Any:
    if not is_dataclass(hint):
        return given[name]
    hints = get_type_hints(hint, include_extras=True)
    return hint(**{it.name: _built(hints[it.name], it.name, given) for it in fields(hint)})  # type: ignore[operator]
