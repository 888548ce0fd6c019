"""The verb `regrade`: a run's kept replies graded again, with today's graders and a judge if one is
named. The old run stays; the new one stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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


class Regraded(Struct, frozen=True):
    """What a run's verdicts would be; `write` makes a run of them."""

    old: Run
    records: list[Record]
    changes: list[Change]

    @property
    def as_before(self) -> bool:
        """Whether the rules say nothing new."""
        return not self.changes and self.old.header.grader_version == GRADER_VERSION

    def write(self, results: Path, judge: str | None) -> Path:
        header = replace(
            self.old.header,
            grader_version=GRADER_VERSION,
            judge=judge,
            regraded_from=self.old.header.run,
            evalrun_version=__version__,
        )
        corrections = [it.correction for it in self.records if it.correction is not None]
        with store.create(results, header) as writer:
            writer.append(*(replace(it, correction=None) for it in self.records), *corrections)
            return writer.path


def regrade(run: Run, judge: Judge | None = None, pictures: Suite | None = None) -> Regraded:
    """`pictures`: the suite, for a judge that sees them.

    Raises: SuiteError when it holds other pictures than the model saw.
    """
    before = list(run.records())
    after = [_again(record, judge, pictures, run.header) for record in before]
    changes = [it for pair in zip(before, after, strict=True) for it in _changes(*pair)]
    return Regraded(run, after, changes)


def _again(record: Record, judge: Judge | None, suite: Suite | None, header: RunHeader) -> Record:
    """A failed call stays what it is."""
    if not isinstance(record.outcome, Reply):
        return record
    verdict = grade_reply(record.case, record.outcome, context=record.context)
    fresh = replace(record, verdict=verdict, judgement=None)
    return fresh if judge is None else judge.review(fresh, _pictures(record, suite, header))


def _changes(before: Record, after: Record) -> Iterator[Change]:
    """A person's correction stands whatever the rules say now."""
    old, new = before.final, after.final
    if old is not None and new is not None and old.passed != new.passed:
        yield Change(after.case.id, after.repeat, old, new)


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
        assert record.correction is not None
        assert record.verdict is not None
        person = record.correction.passed
        tallies["rules"].add(record.verdict.passed, person, 1)
        judgement = judge.review(record, ()).judgement
        if judgement is None or judgement.verdict is None:
            silent += 1
        else:
            tallies["judge"].add(judgement.verdict.passed, person, 1)
    return tallies, silent
