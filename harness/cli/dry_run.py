"""`evalrun --dry-run`: what would be asked, of whom, and about what it costs. Asks nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import typer

from harness.adapters.routes import Route
from harness.cli.run import RunOptions
from harness.images import encode
from harness.records import Case, EncodedImage, Price, Sampling
from harness.suites import Suite
from harness.tables import words
from harness.text import inert
from harness.transport import without_credentials

PIXELS_PER_TOKEN = 28 * 28
"""What many vision models (Qwen-VL, Pixtral) spend a token on; others differ by a factor of 2."""
CHARACTERS_PER_TOKEN = 4


def describe(
    options: RunOptions,
    suite: Suite,
    cases: Sequence[Case],
    route: Route,
    price: Price | None,
    origins: Iterable[str],
) -> None:
    """Print the plan. Every picture is read and checked on the way, so a broken one shows here."""
    pictures = pictures_of(options, suite, cases)
    counts = Counter(case.category for case in cases)
    asked = len(cases) * options.suite.repeats
    longest = options.sampling.max_tokens or Sampling().max_tokens
    lines = [
        f"suite        {suite.name} {suite.version}, {len(suite.cases)} prompts",
        f"would ask    {asked}: " + ", ".join(f"{name} {count}" for name, count in counts.items()),
        f"of           {route.target.model} through {route.backend}"
        + (f" at {without_credentials(url)}" if (url := route.target.base_url) else ""),
        f"pictures     {'none (--blind)' if options.suite.blind else _sizes([*pictures.values()])}",
        f"sampling     temperature {options.sampling.temperature:g}, seed {options.sampling.seed}",
        f"longest      {longest} tokens a reply",
    ]
    tokens_in = tokens_of(options, suite, cases, pictures)
    lines.append(f"tokens in    about {tokens_in:,} (pictures differ from model to model)")
    lines.append(f"cost         {cost(price, tokens_in, asked * longest)}")
    lines += [f"{'' if number else 'options':12} {it}" for number, it in enumerate(origins)]
    for line in lines:
        typer.echo(inert(line))


def pictures_of(
    options: RunOptions, suite: Suite, cases: Sequence[Case]
) -> dict[Path, EncodedImage]:
    """As they would be sent. Raises: SuiteError for a broken one."""
    side_px = suite.side_px(options.sampling.image_max_side)
    return {
        path: encode(path, longest_side_px=side_px)
        for path in dict.fromkeys(path for case in cases for path in suite.pictures(case))
    }


def tokens_of(
    options: RunOptions,
    suite: Suite,
    cases: Sequence[Case],
    pictures: Mapping[Path, EncodedImage],
) -> int:
    """About how many tokens the questions and their pictures take."""
    seen = () if options.suite.blind else cases
    texts = sum(len(case.question) // CHARACTERS_PER_TOKEN for case in cases)
    shown = sum(_picture_tokens(pictures[it]) for case in seen for it in suite.pictures(case))
    return options.suite.repeats * (texts + shown)


def _picture_tokens(image: EncodedImage) -> int:
    return image.width_px * image.height_px // PIXELS_PER_TOKEN


def _sizes(images: list[EncodedImage]) -> str:
    shapes = Counter(f"{it.width_px}x{it.height_px}" for it in images)
    common = ", ".join(f"{count} of {shape}" for shape, count in shapes.most_common(3))
    total_mb = sum(len(it.data) for it in images) / 1e6
    return f"{len(images)} ({common}), {total_mb:.1f} MB"


def cost(price: Price | None, tokens_in: int, tokens_out: int) -> str:
    if price is None:
        return "no price is known"
    least = tokens_in * price.in_usd_per_mtok / 1e6
    most = least + tokens_out * price.out_usd_per_mtok / 1e6
    return f"{words.dollars(least)} to {words.dollars(most)} (list price of {price.as_of})"
