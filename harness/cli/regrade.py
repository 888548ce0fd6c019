"""`regrade`: verdicts again, from the kept replies, with today's graders."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from harness.cli.app import DEFAULT_RESULTS, ResultsDir, app, say, stopping_cleanly

if TYPE_CHECKING:
    from harness.judge import Judge
    from harness.records import EncodedImage, Record, RunHeader, Verdict
    from harness.store import Run
    from harness.suites import Suite


class Change(NamedTuple):
    """A verdict that is another one now."""

    prompt: str
    repeat: int
    before: Verdict
    after: Verdict


@app.command()
def regrade(
    run: Annotated[str, typer.Argument(help="A model (its newest run), a run, or a file.")],
    results: ResultsDir = DEFAULT_RESULTS,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change; write nothing.")
    ] = False,
    judge: Annotated[
        str | None, typer.Option(help="A model that reads replies the rules cannot.")
    ] = None,
    judge_base_url: Annotated[
        str | None, typer.Option(help="The server that the judge runs on.")
    ] = None,
    judge_scope: Annotated[
        str, typer.Option(help="What the judge sees: unread or all.")
    ] = "unread",
    judge_sees_image: Annotated[
        bool, typer.Option("--judge-sees-image", help="Send it the picture too.")
    ] = False,
    suite: Annotated[
        Path | None, typer.Option(help="Where the pictures are, for --judge-sees-image.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Grade a run's kept replies again. The old run is kept; the new one stands beside it."""
    with stopping_cleanly(), ExitStack() as stack:
        from harness import store, suites

        old = store.read(store.find(results, run))
        reader = None
        if judge is not None:
            reader = _judge(judge, judge_base_url, judge_scope, judge_sees_image, stack)
        pictures = suites.load(suite) if reader is not None and judge_sees_image else None
        records = [_again(record, reader, pictures, old.header) for record in old.records()]
        changes = [c for before, after in records if (c := _change(before, after))]
        _show(changes, json=json)
        if dry_run:
            return
        if not changes and judge is None and not _newer(old.header):
            say(f"{old.header.run}: nothing changes; no new run is written")
            return
        path = _write(results, old, [after for _, after in records], judge)
        say(f"wrote {path}; {old.path} is kept")


def _judge(
    name: str, base_url: str | None, scope: str, sees_image: bool, stack: ExitStack
) -> Judge:
    from harness import catalogue
    from harness.adapters import Target, opener
    from harness.adapters.resolve import resolve
    from harness.errors import UsageError
    from harness.judge import SAMPLING, Judge

    if scope not in ("unread", "all"):
        raise UsageError(
            f"--judge-scope {scope!r} is neither unread nor all",
            fix="give --judge-scope unread or --judge-scope all",
        )
    given = Target(model=name, base_url=base_url, sampling=SAMPLING, notify=say)
    choice = resolve(name, given, backend=None, catalogue=catalogue.load())
    adapter = stack.enter_context(opener(choice.backend)(choice.target))
    return Judge(adapter, name, scope="all" if scope == "all" else "unread", sees_image=sees_image)


def _again(
    record: Record, judge: Judge | None, pictures: Suite | None, header: RunHeader
) -> tuple[Record, Record]:
    """A record as it was and as it is now; a failed call stays what it is."""
    from msgspec.structs import replace

    from harness.graders import grade
    from harness.records import Reply

    if not isinstance(record.outcome, Reply):
        return record, record
    verdict = grade(record.case, record.outcome.text, truncated=record.outcome.truncated)
    fresh = replace(record, verdict=verdict, judgement=None)
    if judge is not None:
        fresh = judge.review(fresh, _picture(record, pictures, header))
    return record, fresh


def _picture(record: Record, pictures: Suite | None, header: RunHeader) -> EncodedImage | None:
    """What the model saw. Raises: SuiteError when the suite holds another picture now."""
    from harness.errors import SuiteError
    from harness.images import encode

    if pictures is None or record.image_sha256 is None:
        return None
    image = encode(pictures.picture(record.case), longest_side_px=header.image_max_side_px)
    if image.sha256 != record.image_sha256:
        raise SuiteError(
            f"{record.case.id}: the picture is not the one that the model saw",
            fix="name the suite that the run was made with: --suite PATH",
        )
    return image


def _change(before: Record, after: Record) -> Change | None:
    """A person's correction stands whatever the rules say now."""
    old, new = before.final, after.final
    if old is None or new is None or old.passed == new.passed:
        return None
    return Change(after.case.id, after.repeat, old, new)


def _newer(header: RunHeader) -> bool:
    from harness.graders import GRADER_VERSION

    return header.grader_version != GRADER_VERSION


def _write(results: Path, old: Run, records: list[Record], judge: str | None) -> Path:
    from msgspec.structs import replace

    from harness import __version__, store
    from harness.graders import GRADER_VERSION

    header = replace(
        old.header,
        grader_version=GRADER_VERSION,
        judge=judge,
        regraded_from=old.header.run,
        evalrun_version=__version__,
    )
    corrections = [record.correction for record in records if record.correction is not None]
    with store.create(results, header) as writer:
        writer.append(*(replace(record, correction=None) for record in records), *corrections)
        return writer.path


def _show(changes: list[Change], *, json: bool) -> None:
    import msgspec

    from harness.tables.text import inert, one_line

    if json:
        listed = [change._asdict() for change in changes]
        typer.echo(msgspec.json.encode(listed).decode())
        return
    words = {True: "pass", False: "fail"}
    for change in changes:
        repeat = f" (repeat {change.repeat})" if change.repeat else ""
        typer.echo(
            f"{inert(change.prompt)}{repeat}: {words[change.before.passed]} -> "
            f"{words[change.after.passed]}: {one_line(change.after.reason, 200)}"
            f" (was: {one_line(change.before.reason, 200)})"
        )
    say(f"{len(changes)} {'verdict changes' if len(changes) == 1 else 'verdicts change'}")
