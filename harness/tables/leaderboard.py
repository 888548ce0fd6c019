"""The leaderboard in words: on the terminal, as CSV and JSON rows."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness.compare.ranking import Frontier, Leaderboard, Standing
from harness.tables import rows, words
from harness.tables.rows import Row
from harness.tables.words import DASH
from harness.text import one_line

MARK = "◆"
_WIDE = 92


def terminal(board: Leaderboard, *, width: int) -> RenderableType:
    """The table, what its signs mean, and who is not in it."""
    wide = width >= _WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rank", justify="right", no_wrap=True)
    table.add_column("model", overflow="fold", min_width=7)
    table.add_column("score", no_wrap=True)
    table.add_column("better than" if wide else "better\nthan", justify="right", no_wrap=True)
    for heading in ("avg response", "cost per task") if wide else ("response, cost",):
        table.add_column(heading, justify="right", no_wrap=True)
    for standing in board.standings:
        table.add_row(*_cells(standing, wide=wide))
    return Group(table, Text("\n".join(_notes(board)), style="dim"))


def _cells(standing: Standing, *, wide: bool) -> list[Text]:
    header, overall = standing.score.header, standing.score.overall
    model = Text(one_line(header.model, 200))
    if header.server and header.server.quantization:
        model.append(f"\n{one_line(header.server.quantization, 80)}", style="dim")
    key = words.key(overall)
    score = Text(words.share_and_counts(overall), style=words.STYLES[key])
    score.append(f"{' ' if wide else chr(10)}{key}", style=words.STYLES[key])
    score.append(f"\n{words.interval(overall)}", style="dim")
    ahead = DASH if standing.better_than is None else f"{100 * standing.better_than:.0f} %"
    speed = _marked(standing, "time", words.seconds(overall.latency_mean_s))
    cost = _marked(standing, "cost", words.dollars(overall.cost_per_task_usd))
    prices = [Text(speed), Text(cost)] if wide else [Text(f"{speed}\n{cost}")]
    rank = f"{standing.rank}{'=' if standing.tied else ''}"
    return [Text(rank), model, score, Text(ahead), *prices]


def _marked(standing: Standing, frontier: Frontier, figure: str) -> str:
    return f"{figure} {MARK}" if frontier in standing.frontiers else figure


def _notes(board: Leaderboard) -> Iterator[str]:
    first = board.standings[0].score.header
    yield (
        f"{one_line(first.suite, 80)} {one_line(first.suite_version, 80)}, "
        f"{first.suite_prompts} prompts; score key: good >= 75 %, fair 40 to under 75 %, "
        "poor < 40 %; below each score its 95 % interval"
    )
    yield (
        "= tied: a rank counts only models that are surely better (95 % interval of the paired "
        "difference); better than: the share of the others that are surely worse"
    )
    yield f"{MARK} on the frontier: no model as good is faster (or cheaper)"
    timed = [it.score for it in board.standings if it.score.overall.latency_mean_s is not None]
    at = sorted({score.header.concurrency for score in timed})
    if len(at) > 1:
        told = " and ".join(str(it) for it in at)
        yield f"response times were measured at different concurrency: {told}"
    for why in board.left_out:
        yield f"not ranked: {one_line(why, 400)}"


def columns(board: Leaderboard) -> list[str]:
    """Those of `leaderboard.csv`, then what only ranking tells."""
    scores = [it.score for it in board.standings]
    return [*rows.leaderboard_columns(scores), "tied", "better_than_pct", "frontier"]


def data(board: Leaderboard) -> Iterator[Row]:
    for standing in board.standings:
        yield {
            **rows.leaderboard_row(standing.rank, standing.score),
            "tied": standing.tied,
            "better_than_pct": rows.percent(standing.better_than),
            "frontier": " ".join(standing.frontiers) or None,
        }
