"""The workers of a run, with questions that answer themselves."""

import threading
from datetime import UTC, datetime

from harness.records import Case, Record, Reply, Verdict
from harness.runner import Job, Runner, plan


def cases(count: int) -> list[Case]:
    return [
        Case(
            id=f"c{number}",
            category="Counting",
            question="How many?",
            image=f"{number}.png",
            expected="1",
            grader="integer",
        )
        for number in range(count)
    ]


def answered(job: Job) -> Record:
    return Record(
        case=job.case,
        outcome=Reply(text="1", latency_s=0.0),
        verdict=Verdict(passed=True, answer="1", reason=""),
        started_at=datetime.now(UTC),
    )


def test_what_is_asked_next_is_prepared_while_an_answer_is_waited_for() -> None:
    prepared = {case.id: threading.Event() for case in cases(5)}

    def ask(job: Job) -> Record:
        following = f"c{int(job.case.id[1:]) + 1}"
        if following in prepared:
            assert prepared[following].wait(30)
        return answered(job)

    runner = Runner(
        plan(cases(5)),
        ask,
        workers=1,
        stopping=threading.Event(),
        prepare=lambda job: prepared[job.case.id].set(),
    )
    runner.start()
    assert [record.case.id for batch in runner for record in batch] == list(prepared)


def test_no_more_is_prepared_than_the_workers_take_next() -> None:
    prepared: list[str] = []
    enough, go_on = threading.Event(), threading.Event()

    def ask(job: Job) -> Record:
        assert go_on.wait(30)
        return answered(job)

    def prepare(job: Job) -> None:
        prepared.append(job.case.id)
        if len(prepared) == 2:
            enough.set()

    runner = Runner(plan(cases(40)), ask, workers=2, stopping=threading.Event(), prepare=prepare)
    runner.start()
    assert enough.wait(30)
    assert set(prepared) <= {"c0", "c1", "c2", "c3"}
    go_on.set()
    assert len([record for batch in runner for record in batch]) == 40
