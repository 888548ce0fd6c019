"""`--judge` on a run: the second opinion stands beside the rule's; its silence costs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import store
from tests.conftest import Evalrun, VisionServer, fail, say


def play_both(server: VisionServer, judged: Any) -> None:
    """The model mumbles; the judge, asked by its prompt, answers with `judged`."""

    def answer(handler: Any, request: dict[str, Any]) -> None:
        asked = str(request["messages"][-1]["content"])
        (judged if "PASS or FAIL" in asked else say("Hm, hard to put into words."))(
            handler, request
        )

    server.default = answer


def run(evalrun: Evalrun, suite: Path, server: VisionServer) -> Any:
    return evalrun(
        *("--suite", suite, "--model", "tiny", "--base-url", server.url),
        *("--judge", "judge", "--judge-base-url", server.url),
    )


def test_what_the_rules_cannot_read_is_judged_and_the_rule_is_kept_beside_it(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    play_both(vision_server, say("PASS. It says so in its way."))

    done = run(evalrun, suite, vision_server)

    assert done.returncode == 0, done.stderr
    assert "100.0 % (4/4)" in done.stdout
    (path,) = store.runs(tmp_path / "results")
    for record in store.read(path).records():
        assert record.verdict_by == "judge"
        assert record.verdict is not None
        assert not record.verdict.passed
    assert len(vision_server.seen) == 8


def test_a_judge_that_is_not_heard_leaves_the_rules_verdict_flagged(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    play_both(vision_server, fail(400, "no judging today"))

    done = run(evalrun, suite, vision_server)

    assert done.returncode == 0
    assert "0.0 % (0/4)" in done.stdout
    (path,) = store.runs(tmp_path / "results")
    for record in store.read(path).records():
        assert record.verdict_by == "rule"
        assert record.judgement is not None
        assert "no judging today" in (record.judgement.error or "")
