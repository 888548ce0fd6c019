"""Run files: what is on disk, what a crash leaves, what a resume finds."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import store
from harness.errors import ResultsError
from harness.records import (
    CallFailure,
    Case,
    Correction,
    FailureKind,
    Record,
    Reply,
    RunHeader,
    Sampling,
    Verdict,
)
from harness.records.settings import resume_command

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def header(**more: Any) -> RunHeader:
    fields: dict[str, Any] = {
        "run": "",
        "model": "tiny",
        "backend": "openai",
        "suite": "s",
        "suite_version": "1",
        "suite_sha256": "a" * 64,
        "suite_prompts": 3,
        "categories": {"Reading": 3},
        "prompts_sha256": "b" * 64,
        "grader_version": "1",
        "image_max_side_px": 1024,
        "sampling": Sampling(max_tokens_retry=4096),
        "concurrency": 1,
        "evalrun_version": "0",
        "started_at": NOW,
    }
    return RunHeader(**(fields | more))


def record(
    prompt: str, *, passed: bool | None = True, text: str = "yes", repeat: int = 0
) -> Record:
    case = Case(
        id=prompt, category="Reading", question="?", image="i.png", expected="yes", grader="yes_no"
    )
    if passed is None:
        failure = CallFailure(kind=FailureKind.TIMEOUT, message="silent")
        return Record(case=case, repeat=repeat, outcome=failure, started_at=NOW)
    verdict = Verdict(passed=passed, answer=text, reason="")
    reply = Reply(text=text, latency_s=1.0)
    return Record(case=case, repeat=repeat, outcome=reply, verdict=verdict, started_at=NOW)


def written(results: Path, *records: Record, **more: Any) -> Path:
    with store.create(results, header(**more)) as writer:
        writer.append(*records)
    return writer.path


def test_a_run_reads_back_as_it_was_written(tmp_path: Path) -> None:
    hostile = record("b", text='\x1b[31m"outcome":{"type":"failure"\u202e\x00\n{"type":"header"}')

    run = store.read(written(tmp_path, record("a"), hostile))

    assert list(run.records()) == [record("a"), hostile]
    assert run.header.run == "tiny/20261123T100000Z"
    assert not run.torn


def test_runs_of_the_same_second_get_names_of_their_own(tmp_path: Path) -> None:
    first, second = written(tmp_path), written(tmp_path)

    assert (first.stem, second.stem) == ("20261123T100000Z", "20261123T100000Z-2")
    assert store.read(second).header.run == "tiny/20261123T100000Z-2"
    assert store.runs(tmp_path) == [first, second]


@pytest.mark.parametrize("model", ["a/b:c", "..", "con aux", "ü" * 300, "-rf", "."])
def test_any_model_name_gives_a_folder_inside_the_results(tmp_path: Path, model: str) -> None:
    path = written(tmp_path, model=model)

    assert path.parent.parent == tmp_path
    assert store.read(path).header.model == model
    assert store.find(tmp_path, model) == path


def test_a_failed_call_that_was_answered_later_counts_once(tmp_path: Path) -> None:
    run = store.read(
        written(tmp_path, record("a", passed=None), record("b", passed=None), record("a"))
    )

    assert [(it.case.id, it.answered) for it in run.records()] == [("a", True), ("b", False)]
    assert run.answered_keys() == {("a", 0)}


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_torn_last_line_is_recognised_and_cut_off_when_the_run_goes_on(
    tmp_path: Path, cut: int
) -> None:
    path = written(tmp_path, record("a"), record("b"))
    os.truncate(path, path.stat().st_size - cut)

    run = store.read(path)
    assert [it.case.id for it in run.records()] == ["a"]
    assert run.torn

    with store.reopen(path) as writer:
        writer.append(record("b"))
    again = store.read(path)
    assert [it.case.id for it in again.records()] == ["a", "b"]
    assert not again.torn


def test_a_damaged_line_is_named_with_what_is_still_readable(tmp_path: Path) -> None:
    path = written(tmp_path, record("a"), record("b"), record("c"))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2][:40] + b"\n"
    path.write_bytes(b"".join(lines))

    with pytest.raises(ResultsError, match=r"line 3 is damaged .* the 1 records before"):
        list(store.read(path).records())


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: b"\n",
        lambda line: b"  \n",
        lambda line: line.rstrip() + b" " + line,
        lambda line: line[:40] + b"\r" + line[40:],
        lambda line: line[:-2] + b"\xff\n",
        lambda line: b"[" * 100_000 + b"\n",
    ],
    ids=["empty", "blank", "two in one", "a return", "no text", "deeply nested"],
)
def test_damage_far_into_a_long_run_is_named_and_all_before_it_is_read(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = written(tmp_path, *(record(f"p{number}") for number in range(3000)))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2000] = damage(lines[2000])
    path.write_bytes(b"".join(lines))

    read: list[str] = []
    with pytest.raises(ResultsError, match=r"line 2001 is damaged .* the 1999 records before"):
        read.extend(it.case.id for it in store.read(path).records())
    assert read == [f"p{number}" for number in range(1999)]


def test_records_longer_and_shorter_than_what_is_read_at_once_come_back_whole(
    tmp_path: Path,
) -> None:
    texts = [
        character * length for length in (1, 70_000, 3, 1_000_000, 65_536) for character in "aé"
    ]
    path = written(tmp_path, *(record(f"p{at}", text=text) for at, text in enumerate(texts)))

    assert [it.outcome.text for it in store.read(path).records()] == texts  # type: ignore[union-attr]


@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"type":"record"}\n', b'{"type":"header"'])
def test_a_file_that_is_no_run_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)

    with pytest.raises(ResultsError):
        store.read(path)


def test_two_writers_never_share_a_run(tmp_path: Path) -> None:
    path = written(tmp_path)

    with store.reopen(path), pytest.raises(ResultsError, match="another evalrun"):
        store.reopen(path)


def test_a_correction_wins_and_the_newest_one_counts(tmp_path: Path) -> None:
    path = written(tmp_path, record("a", passed=False), record("b"))
    for passed in (False, True):
        store.append_correction(
            path, Correction(prompt="a", repeat=0, passed=passed, why="I looked", at=NOW)
        )

    first, second = store.read(path).records()

    assert first.final is not None
    assert first.final.passed
    assert (first.verdict_by, second.verdict_by) == ("person", "rule")
    assert first.verdict is not None
    assert not first.verdict.passed, "what the rule said is kept"


def test_a_correction_is_written_without_reading_a_long_run(tmp_path: Path) -> None:
    path = written(tmp_path, record("a", passed=False), record("b"))
    run = store.read(path)
    [(place, first), _] = run.located()
    assert not run.at([place])[0].correction
    damaged = path.read_bytes().replace(b'"id":"b"', b'"id":7  ')
    path.write_bytes(damaged)

    why = Correction(prompt="a", repeat=0, passed=True, why="I looked", at=NOW)
    store.append_correction(path, why)
    assert run.at([place]) == [msgspec.structs.replace(first, correction=why)]

    store.append_correction(path, msgspec.structs.replace(why, withdrawn=True))
    assert run.at([place]) == [first]


def test_a_folder_removed_during_the_run_comes_back_with_everything_in_it(tmp_path: Path) -> None:
    with store.create(tmp_path / "results", header()) as writer:
        writer.append(record("a"))
        shutil.rmtree(tmp_path / "results")
        writer.append(record("b"))
        writer.append(record("c"))

    assert [it.case.id for it in store.read(writer.path).records()] == ["a", "b", "c"]


def test_a_full_disk_leaves_whole_lines_only_and_says_so(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    (tmp_path / "tiny").mkdir()

    with (
        store.RunWriter(full, os.open(full, os.O_RDWR)) as writer,
        pytest.raises(ResultsError, match="No space left"),
    ):
        writer.append(record("a"))


def test_the_newest_incomplete_run_of_the_same_header_is_resumed(tmp_path: Path) -> None:
    old = written(tmp_path, record("a"))
    written(tmp_path, record("a"), sampling=Sampling(temperature=1.0))

    run = store.newest_alike(tmp_path, header())
    assert run is not None
    assert run.path == old


@pytest.mark.parametrize(
    "other",
    [
        {"suite_sha256": "c" * 64},
        {"grader_version": "2"},
        {"image_max_side_px": 512},
        {"sampling": Sampling(max_tokens=9)},
        {"system": "Be brief."},
        {"blind": True},
        {"prompts_sha256": "d" * 64},
    ],
)
def test_a_run_of_other_settings_is_never_resumed(tmp_path: Path, other: dict[str, Any]) -> None:
    written(tmp_path, record("a"), **other)

    assert store.newest_alike(tmp_path, header()) is None


def test_a_run_is_named_by_its_file_its_id_its_time_or_its_model(tmp_path: Path) -> None:
    older, newer = written(tmp_path), written(tmp_path)

    for name in (str(older), f"tiny/{older.stem}", older.stem):
        assert store.find(tmp_path, name) == older
    assert store.find(tmp_path, "tiny") == newer
    other = written(tmp_path, suite="mine")
    assert [store.find(tmp_path, it) for it in ("tiny@s", "tiny@mine")] == [newer, other]
    with pytest.raises(ResultsError, match=r"no file gone\.jsonl"):
        store.find(tmp_path, "gone.jsonl")


def test_a_run_is_resumed_as_it_was_typed_or_by_the_settings_in_its_header() -> None:
    typed = header(arguments=("--model", "a b", "--suite", "mine"))
    settings = header(
        base_url="http://host:1/v1",
        suite_path="/data/mine",
        system="Be brief.",
        sampling=Sampling(temperature=0.7, max_tokens=64),
        repeats=3,
        blind=True,
    )

    assert resume_command(typed) == "evalrun --model 'a b' --suite mine"
    assert resume_command(header()) == "evalrun --model tiny"
    limited = header(sampling=Sampling(max_tokens=512))
    assert resume_command(limited) == "evalrun --model tiny --max-tokens 512"
    assert resume_command(settings) == (
        "evalrun --model tiny --base-url http://host:1/v1 --suite /data/mine --system 'Be brief.' "
        "--temperature 0.7 --max-tokens 64 --repeats 3 --blind"
    )


def test_an_unknown_name_suggests_its_neighbours(tmp_path: Path) -> None:
    written(tmp_path, model="mistral-small-3.1")

    with pytest.raises(ResultsError, match=r"mistral-small-3\.1"):
        store.find(tmp_path, "mistral-smal-3.1")


def test_a_derived_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "new" / "leaderboard.csv"
    store.replace_text(target, "one")
    store.replace_text(target, "two")

    assert target.read_text() == "two"
    assert list(target.parent.iterdir()) == [target]


def test_the_header_names_everything_two_halves_must_share() -> None:
    assert store.differences(header(), header(started_at=datetime.now(UTC), run="x/y")) == []
    assert store.differences(header(), header(blind=True, concurrency=4)) == [
        "blind",
        "concurrency",
    ]


def test_a_record_with_a_reply_and_no_verdict_cannot_be_made() -> None:
    reply = record("a")

    with pytest.raises(ValueError, match="a reply has a verdict"):
        msgspec.structs.replace(reply, verdict=None)
