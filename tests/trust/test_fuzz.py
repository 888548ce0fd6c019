"""Nonsense in, and never a crash out: whatever is wrong is one of our errors."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness import store, suites
from harness.adapters import Target
from harness.adapters.openai import OpenAIChat
from harness.errors import CallError, ResultsError, SuiteError
from harness.records import Case, Record, RunHeader, Verdict
from harness.text import inert
from harness.transport import ErrorInside, Transport
from harness.transport.faults import message_in, seconds_in
from tests.conftest import clean_environment
from tests.store.test_store import header, record

QUIETLY = settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ANY_TEXT = st.text(st.characters(exclude_categories=()))
"""Half characters included."""
WORDS = """choices message delta content text reasoning finish_reason usage prompt_tokens error code
    completion_tokens timings cache_n prompt_ms prompt_tokens_details cached_tokens"""
KEYS = st.sampled_from(WORDS.split())
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
NEARLY_RIGHT = st.fixed_dictionaries(
    {
        "choices": st.lists(
            st.fixed_dictionaries({"message": ANY_JSON, "delta": ANY_JSON}) | ANY_JSON
        )
    },
    optional={"usage": ANY_JSON, "timings": ANY_JSON, "error": ANY_JSON},
)


class Arrived:
    """What a server sent, without the socket: a body, or a stream of one event."""

    done = True

    def __init__(self, body: Any, *, streamed: bool) -> None:
        self._body, self._streamed = body, streamed

    def is_stream(self) -> bool:
        return self._streamed

    def json(self) -> Any:
        return self._body

    def events(self) -> list[Any]:
        return [self._body]

    def be_quick(self, seconds: float) -> None: ...

    def elapsed_s(self) -> float:
        return 0.0


@QUIETLY
@given(body=NEARLY_RIGHT | ANY_JSON)
def test_any_body_is_a_reply_that_can_be_stored_or_a_call_not_heard(
    tmp_path: Path, body: Any
) -> None:
    chat = OpenAIChat(Transport("http://127.0.0.1:9/v1"), Target(model="m"))
    for streamed in (False, True):
        try:
            reply = chat.read(Arrived(body, streamed=streamed))  # type: ignore[arg-type]
        except (CallError, ErrorInside) as error:
            inert(str(error)).encode()
            continue
        verdict = Verdict(passed=False, answer=reply.text, reason="")
        case = Case(
            id="a", category="Reading", question="?", image="i", expected="x", grader="text"
        )
        kept = Record(case=case, outcome=reply, verdict=verdict, started_at=datetime.now(UTC))
        with store.create(tmp_path, header()) as writer:
            writer.append(kept)
        (back,) = store.read(writer.path).records()
        assert back == kept


@QUIETLY
@given(said=st.text() | ANY_JSON.map(json.dumps))
def test_any_error_body_has_a_message_of_one_bounded_line(said: str) -> None:
    words = message_in(said)

    assert 0 < len(words) < 700
    assert "\n" not in words


@QUIETLY
@given(value=st.text() | st.floats().map(str) | st.datetimes().map(str))
def test_any_retry_after_is_a_time_to_come_or_none(value: str) -> None:
    seconds = seconds_in(value)

    assert seconds is None or 0 <= seconds < float("inf")


@QUIETLY
@given(junk=st.binary(max_size=200), at=st.integers(0, 3000), cut=st.integers(0, 400))
def test_any_damage_to_a_run_file_is_named_or_costs_its_tail_only(
    tmp_path: Path, junk: bytes, at: int, cut: int
) -> None:
    with store.create(tmp_path, header()) as writer:
        writer.append(*map(record, "abc"))
    data = writer.path.read_bytes()
    writer.path.write_bytes(data[:at] + junk + data[at + cut :])

    with contextlib.suppress(ResultsError):
        answered = store.read(writer.path).answered_keys()
        assert len(answered) <= 3 + junk.count(b"\n")
        with store.reopen(writer.path) as again:
            again.append(record("d"))
        assert ("d", 0) in store.read(writer.path).answered_keys()


SEEDS = {
    "s.toml": b'category = "C"\nsuite = "s"\nversion = "1"\n[[case]]\nid = "a"\nquestion = "?"\n'
    b'image = "i.png"\nexpected = "5"\ngrader = "integer"\n',
    "s.csv": b'file_name,prompt,answer,category\ni.png,"How, many?",5,C\n',
    "s.tsv": b"index\timage\tquestion\tanswer\tA\tB\n1\ti.png\tWhich?\tA\tred\tblue\n",
    "s.jsonl": b'{"image": "i.png", "question": "How many?", "answer": [5, "six"]}\n',
}


@pytest.mark.parametrize("name", SEEDS)
@QUIETLY
@given(data=st.data())
def test_any_suite_file_is_a_suite_or_a_message_that_can_be_shown(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    seed = SEEDS[name]
    at = data.draw(st.integers(0, len(seed)))
    cut = data.draw(st.integers(0, 30))
    junk = data.draw(
        st.binary(max_size=40) | st.sampled_from([b"\x00", b"[" * 3000, b'"', b"\xff\xfe"])
    )
    path = tmp_path / name
    path.write_bytes(seed[:at] + junk + seed[at + cut :])

    words = ""
    try:
        suites.load(path)
    except SuiteError as error:
        words = str(error)

    assert len(words) < 20_000
    assert inert(words) == words


@pytest.mark.parametrize("option", ["--model", "--system"])
def test_an_argument_that_is_no_utf_8_is_refused_with_a_message(
    tmp_path: Path, suite: Path, option: str
) -> None:
    given = {b"--model": b"m", b"--base-url": b"http://127.0.0.1:9/v1"} | {
        option.encode(): b"a\xff"
    }
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "harness",
            "--suite",
            suite,
            *(it for pair in given.items() for it in pair),
        ],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert f"{option} is not valid UTF-8" in done.stderr


def test_the_header_of_a_run_takes_half_characters(tmp_path: Path) -> None:
    """From a suite's folder, say: file names need not be text."""
    odd: RunHeader = header(suite="half \udcff", model="m\udcff")
    with store.create(tmp_path, odd) as writer:
        pass

    assert store.read(writer.path).header.suite == "half \ufffd"
