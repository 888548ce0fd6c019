"""The options of `evalrun run`, declared once: types, defaults and help."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from typer import Option

T = TypeVar("T", bound=msgspec.Struct)


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One field per option; the field's name is the option's."""

    model: Annotated[
        str | None,
        Option("--model", "-m", help="Model to ask; without one, the demonstration model."),
    ] = None
    base_url: Annotated[
        str | None,
        Option(help="A running server, e.g. http://localhost:8080/v1."),
    ] = None
    api_key_env: Annotated[str | None, Option(help="Environment variable that holds the key.")] = (
        None
    )
    backend: Annotated[
        str | None,
        Option(help="Adapter or preset: llamacpp, openai, openrouter, ollama, …"),
    ] = None
    gguf: Annotated[Path | None, Option(help="Weights of a local model.")] = None
    mmproj: Annotated[Path | None, Option(help="Its picture projector.")] = None
    replay: Annotated[
        Path | None,
        Option(help="Answers recorded in a file, instead of a model."),
    ] = None

    suite: Annotated[
        Path | None,
        Option(
            help="Suite folder or file; without one, the built-in suite.",
        ),
    ] = None
    category: Annotated[list[str], Option(help="Only this category (repeatable).")] = []
    prompt: Annotated[list[str], Option(help="Only this prompt id (repeatable).")] = []
    limit: Annotated[int | None, Option(min=1, help="Only the first N prompts.")] = None
    repeats: Annotated[
        int,
        Option(
            min=1,
            help="Ask everything N times, each with the next seed, cold.",
        ),
    ] = 1
    blind: Annotated[bool, Option("--blind", help="Send no picture: the guessing floor.")] = False
    dry_run: Annotated[
        bool,
        Option("--dry-run", help="Say what would be asked; ask nothing."),
    ] = False

    concurrency: Annotated[
        int | None,
        Option(
            min=1,
            max=1024,
            help="Calls in flight [default: 1 local, 8 hosted].",
        ),
    ] = None
    temperature: Annotated[float, Option(min=0, max=2)] = 0.0
    seed: Annotated[int, Option()] = 1
    max_tokens: Annotated[int, Option(min=1, help="Longest reply.")] = 512
    system: Annotated[str | None, Option(help="A system prompt.")] = None
    image_max_side: Annotated[
        int, Option(min=16, max=16384, help="Longest side sent, in pixels.")
    ] = 1024
    timeout: Annotated[
        float | None,
        Option(
            min=0.1,
            help="Seconds of silence [default: 600 local, 120 hosted].",
        ),
    ] = None
    tries: Annotated[int, Option(min=1, help="Tries a prompt; rate limits use none up.")] = 8
    max_wait: Annotated[
        float,
        Option(min=0, help="Longest Retry-After to honour, in seconds."),
    ] = 120.0
    cold: Annotated[bool, Option("--cold", help="Switch the server's picture cache off.")] = False
    max_cost: Annotated[float | None, Option(min=0, help="Stop at this many US dollars.")] = None
    judge: Annotated[
        str | None,
        Option(help="A model that reads replies the rules cannot."),
    ] = None
    judge_base_url: Annotated[str | None, Option(help="The server that the judge runs on.")] = None
    judge_scope: Annotated[str, Option(help="What the judge sees: unread or all.")] = "unread"
    judge_sees_image: Annotated[
        bool, Option("--judge-sees-image", help="Send it the picture too.")
    ] = False
    yes: Annotated[bool, Option("--yes", "-y", help="Download weights without asking.")] = False

    results: Annotated[Path, Option("--results", help="Folder of the runs.")] = Path("results")
    resume: Annotated[
        bool | None,
        Option(
            "--resume/--fresh",
            help="Go on with the newest run, or start a new one "
            "[default: go on if it is incomplete and of the same settings].",
        ),
    ] = None
    include_cached: Annotated[
        bool,
        Option(
            "--include-cached",
            help="Count cached replies in response times.",
        ),
    ] = False
    fail_under: Annotated[
        float | None,
        Option(min=0, max=100, help="Exit 6 below this score, in per cent."),
    ] = None
    json: Annotated[bool, Option("--json", help="Scores as JSON on stdout.")] = False


def taking(options: type[T], body: Callable[[T], None]) -> Callable[..., None]:
    """A Typer command that takes the fields of `options` and hands `body` one of them, filled."""

    def command(**given: Any) -> None:
        body(options(**given))

    hints = get_type_hints(options, include_extras=True)
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                annotation=hints[field.name],
                default=_default(field),
            )
            for field in msgspec.structs.fields(options)
        ]
    )
    command.__doc__ = body.__doc__
    return command


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.required:
        return inspect.Parameter.empty
    return [] if field.default is msgspec.NODEFAULT else field.default
