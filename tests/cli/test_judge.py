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


def test_a_judge_gets_its_own_key_and_without_it_the_fix_names_the_judges_option(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    def locked(handler: Any, request: dict[str, Any]) -> None:
        judged = "PASS or FAIL" in str(request["messages"][-1]["content"])
        key = handler.headers.get("authorization")
        answer = say("PASS. Yes.") if judged else say("Hm, hard to put into words.")
        (fail(401) if judged and key != "Bearer judges-own-key" else answer)(handler, request)

    vision_server.default = locked

    without = run(evalrun, suite, vision_server)
    given = evalrun(
        *("--suite", suite, "--model", "tiny", "--base-url", vision_server.url, "--fresh"),
        *("--judge", "judge", "--judge-base-url", vision_server.url),
        *("--judge-api-key-env", "JUDGES_KEY"),
        env={"JUDGES_KEY": "judges-own-key"},
    )

    assert without.returncode == 4
    assert "--judge-api-key-env" in without.stderr
    assert given.returncode == 0, given.stderr
    assert "verdicts of the judge" in given.stdout


def test_what_a_judge_says_instead_of_a_verdict_is_told_apart_from_its_silence(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    play_both(vision_server, say("It depends."))

    done = run(evalrun, suite, vision_server)

    assert "neither PASS nor FAIL from the judge, where the rule's verdict stands: 4" in done.stdout
    (path,) = store.runs(tmp_path / "results")
    words = [it.judgement.words for it in store.read(path).records() if it.judgement]
    assert words == ["It depends."] * 4
