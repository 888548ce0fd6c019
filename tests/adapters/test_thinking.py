"""`--thinking` and `--body`: what each kind of endpoint is sent, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest

from harness.adapters import Request, Target
from harness.adapters.endpoints import KINDS, LEVELS, UNKNOWN, kind_of, parameters
from harness.adapters.llamacpp import LlamaCpp
from harness.adapters.openai import open_openai
from harness.errors import UsageError
from harness.records import Reply, Sampling, ServerFacts
from harness.targets import body
from harness.transport import Limits, Transport
from tests.conftest import Evalrun, VisionServer, fail, say


def target(thinking: str, *, preset: str | None = None, **more: Any) -> Target:
    sampling = Sampling(thinking=thinking, max_tokens_retry=4096)
    return Target(model="m", preset=preset, limits=Limits(tries=1), sampling=sampling, **more)


def sent_to(preset: str, thinking: str) -> dict[str, Any]:
    asked = target(thinking, preset=preset)
    return parameters(asked, kind_of(asked))


def ask(server: VisionServer, thinking: str, times: int = 1, **more: Any) -> Reply:
    with open_openai(target(thinking, base_url=server.url, **more)) as model:
        for _ in range(times):
            reply = model.ask(Request(id="p", question="How many?"))
    return reply


@pytest.mark.parametrize(
    ("preset", "thinking", "sent"),
    [
        ("openai", "off", {"reasoning_effort": "none"}),
        ("ollama", "high", {"reasoning_effort": "high"}),
        ("openrouter", "low", {"reasoning": {"effort": "low"}}),
        ("openrouter", "2048", {"reasoning": {"max_tokens": 2048}}),
        (
            "gemini",
            "512",
            {"extra_body": {"google": {"thinking_config": {"thinking_budget": 512}}}},
        ),
        (
            "llamacpp",
            "64",
            {
                "chat_template_kwargs": {"enable_thinking": True, "thinking": True},
                "thinking_budget_tokens": 64,
            },
        ),
        (
            "vllm",
            "off",
            {"chat_template_kwargs": {"enable_thinking": False, "thinking": False}},
        ),
        ("anthropic", "2048", {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        ("mistral", "auto", {}),
    ],
)
def test_each_kind_of_endpoint_is_told_in_its_own_way(
    preset: str, thinking: str, sent: dict[str, Any]
) -> None:
    assert sent_to(preset, thinking) == sent


def test_every_kind_has_every_level_and_a_source() -> None:
    for kind in KINDS:
        assert set(kind.levels) == set(LEVELS), kind.name
        assert kind.source, kind.name


@pytest.mark.parametrize(
    ("preset", "thinking", "words"),
    [
        ("openai", "2048", "takes no number of tokens"),
        ("anthropic", "10", "no fewer than 1024"),
    ],
)
def test_what_a_known_endpoint_cannot_take_is_refused_with_what_it_can(
    preset: str, thinking: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        sent_to(preset, thinking)

    assert "--thinking" in refused.value.fix


def test_a_server_is_known_by_the_owner_of_its_models_and_its_host() -> None:
    assert kind_of(target("auto"), ["vllm"]).name == "vllm"
    openrouter = target("auto", base_url="https://openrouter.ai/api/v1")
    assert kind_of(openrouter).name == "openrouter"
    assert kind_of(target("auto", base_url="http://gpu-box:9000/v1"), ["someone"]) is UNKNOWN


def test_a_budget_comes_on_top_of_the_answers_own_limit(vision_server: VisionServer) -> None:
    ask(vision_server, "2000", preset="openrouter")

    assert vision_server.seen[0]["max_tokens"] == 512 + 2000


def test_a_limit_that_was_given_is_not_exceeded_and_must_hold_the_budget() -> None:
    given = Sampling(thinking="2000", max_tokens=600)
    asked = Target(model="m", preset="openrouter", sampling=given)

    with pytest.raises(UsageError, match="leaves no room"):
        parameters(asked, kind_of(asked))


def test_an_unknown_endpoint_that_refuses_the_parameter_is_asked_without_and_it_is_said_once(
    vision_server: VisionServer,
) -> None:
    told: list[str] = []
    vision_server.then(fail(400, "Unrecognized request argument supplied: reasoning_effort"))

    reply = ask(vision_server, "high", times=2, notify=told.append)

    assert reply.adapted == ("reasoning_effort: left out",)
    assert [line for line in told if "not sent any more" in line] == told
    assert len(told) == 1


def test_a_known_endpoint_that_refuses_a_level_is_exit_2_with_what_to_do(
    evalrun: Evalrun, suite: Any, vision_server: VisionServer
) -> None:
    vision_server.models = [{"id": "m", "owned_by": "vllm"}]
    vision_server.default = fail(400, "unsupported parameter: reasoning_effort")

    where = ("--suite", suite, "--model", "m", "--base-url", vision_server.url)
    done = evalrun(*where, "--thinking", "high", "--concurrency", "1")

    assert done.returncode == 2
    assert "m does not take --thinking high" in done.stderr
    assert "leave --thinking out" in done.stderr
    assert len(vision_server.seen) == 1


def test_reasoning_that_comes_though_it_is_off_is_said_once_and_recorded(
    vision_server: VisionServer,
) -> None:
    told: list[str] = []
    message = {"role": "assistant", "content": "4", "reasoning": "two and two"}
    vision_server.default = say("4", choice={"message": message})

    reply = ask(vision_server, "off", times=3, notify=told.append)

    assert "thinking: off was asked for, and reasoning came all the same" in reply.adapted
    assert len(told) == 1


def test_further_parameters_are_sent_as_given(vision_server: VisionServer) -> None:
    ask(vision_server, "auto", body=body(["top_k=1", 'stop=["END"]']))

    assert (vision_server.seen[0]["top_k"], vision_server.seen[0]["stop"]) == (1, ["END"])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("top_k", "is not KEY=JSON"),
        ("style=brief", "is not KEY=JSON"),
        ("max_tokens=9", "--max-tokens"),
        ("messages=[]", "the suite asks"),
        ("n=4", "--repeats"),
    ],
)
def test_a_parameter_that_is_no_json_or_ours_to_set_is_refused(given: str, words: str) -> None:
    with pytest.raises(UsageError) as refused:
        body([given])

    assert words in str(refused.value)


def test_a_parameter_that_thinking_sets_too_is_refused(vision_server: VisionServer) -> None:
    with pytest.raises(UsageError, match="both set 'reasoning_effort'"):
        ask(vision_server, "low", preset="openai", body={"reasoning_effort": "high"})

    assert not vision_server.seen


@pytest.mark.parametrize("options", [("--thinking", "loud"), ("--body", "n=2")])
def test_what_cannot_be_asked_for_is_exit_2_before_anything_is_asked(
    evalrun: Evalrun, suite: Any, vision_server: VisionServer, options: tuple[str, str]
) -> None:
    done = evalrun("--suite", suite, "--model", "m", "--base-url", vision_server.url, *options)

    assert done.returncode == 2, done.stderr
    assert options[0] in done.stderr
    assert not vision_server.seen


def test_an_older_llama_cpp_is_not_asked_for_a_budget_that_it_would_ignore() -> None:
    with (
        Transport("http://127.0.0.1:9/v1") as transport,
        pytest.raises(UsageError, match="b8000 takes no number"),
    ):
        LlamaCpp(transport, target("512"), ServerFacts(build="b8000-0123abc"))
