"""The verb `regrade`: a run's kept replies graded again, with today's graders and a judge if one is
named. The old run stays; the new one stands beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from harness import __version__, store
from harness.errors import SuiteError
from harness.graders import GRADER_VERSION, grade_reply
from harness.graders.audit import Tally
from harness.images import encode
from harness.judge import Judge
from harness.records import EncodedImage, Record, Reply, RunHeader, Verdict
from harness.store import Run
from harness.suites import Suite


class Change(Struct, frozen=True):
    """A verdict that is another one now."""

    prompt: str
    repeat: int
    before: Verdict
    after: Verdict


def regrade(
    run: Run, judge: Judge | None = None, pictures: Suite | None = None
) -> tuple[list[Record], list[Change]]:
    """`pictures`: the suite, for a judge that sees them. A person's correction stands.

    Raises: SuiteError when it holds other pictures than the model saw.
    """
    before = list(run.records())
    after = [_again(it, judge, pictures, run.header) for it in before]
    changes = [
        Change(now.case.id, now.repeat, was.final, now.final)
        for was, now in zip(before, after, strict=True)
        if was.final and now.final and was.final.passed != now.final.passed
    ]
    return after, changes


def write(old: Run, records: Sequence[Record], results: Path, judge: str | None) -> Path:
    """A run of the new verdicts, beside the old one."""
    header = replace(
        old.header,
        grader_version=GRADER_VERSION,
        judge=judge,
        regraded_from=old.header.run,
        evalrun_version=__version__,
    )
    corrections = [it.correction for it in records if it.correction is not None]
    with store.create(results, header) as writer:
        writer.append(*(replace(it, correction=None) for it in records), *corrections)
        return writer.path


def _again(record: Record, judge: Judge | None, suite: Suite | None, header: RunHeader) -> Record:
    """A failed call stays what it is."""
    if not isinstance(record.outcome, Reply):
        return record
    verdict = grade_reply(record.case, record.outcome, context=record.context)
    fresh = replace(record, verdict=verdict, judgement=None)
    return fresh if judge is None else judge.review(fresh, _pictures(record, suite, header))


def _pictures(record: Record, suite: Suite | None, header: RunHeader) -> tuple[EncodedImage, ...]:
    """What the model saw. Raises: SuiteError when the suite holds another picture now."""
    if suite is None or record.image_sha256 is None:
        return ()
    side_px = header.image_max_side_px
    images = tuple(encode(path, longest_side_px=side_px) for path in suite.pictures(record.case))
    if tuple(it.sha256 for it in images) != (record.images_sha256 or (record.image_sha256,)):
        raise SuiteError(
            f"{record.case.id}: the picture is not the one that the model saw",
            fix="name the suite that the run was made with: --suite PATH",
        )
    return images


def judged(corrected: Sequence[Record], judge: Judge) -> tuple[dict[str, Tally], int]:
    """How far the rules and a judge agree with a person; how often the judge gave no verdict."""
    tallies, silent = {"rules": Tally(), "judge": Tally()}, 0
    for record in corrected:
        if record.correction is None or record.verdict is None:
            continue
        person, judgement = record.correction.passed, judge.review(record, ()).judgement
        tallies["rules"].add(record.verdict.passed, person, 1)
        if judgement is None or judgement.verdict is None:
            silent += 1
        else:
            tallies["judge"].add(judgement.verdict.passed, person, 1)
    return tallies, silent
