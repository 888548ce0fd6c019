"""The chat-completions wire: what is sent, what is read, what is adapted."""

from __future__ import annotations

import base64
import json
import threading
from typing import Any

import pytest

from harness.adapters import Request, Target
from harness.adapters.openai import NOT_CONSTRAINED, open_openai
from harness.errors import BadReply, RequestRefused, ServerFault, TargetError
from harness.records import EncodedImage, Reply, Sampling
from harness.transport import Limits
from tests.conftest import VisionServer, body, chat, fail, say, stream

PICTURE = EncodedImage(
    data=b"\x89PNG...", media_type="image/png", width_px=2, height_px=2, sha256="0" * 64
)
SCHEMA = {"type": "object", "properties": {"answer": {"type": "integer"}}}


def ask(
    server: VisionServer,
    *,
    times: int = 1,
    image: Any = PICTURE,
    schema: dict[str, Any] | None = None,
    **target: Any,
) -> Reply:
    target = {"limits": Limits(tries=1), **target}
    with open_openai(Target(model="tiny", base_url=server.url, **target)) as model:
        for _ in range(times):
            reply = model.ask(
                Request(
                    id="p",
                    question="How many?",
                    images=(image,) if image else (),
                    answer_schema=schema,
                )
            )
    return reply


def delta(text: str | None = None, **more: Any) -> dict[str, Any]:
    finish = more.pop("finish_reason", None)
    choice = {"delta": {"content": text, **more}, "finish_reason": finish}
    return {"choices": [choice]}


def test_the_picture_goes_before_the_question_as_a_data_uri(vision_server: VisionServer) -> None:
    ask(vision_server, system="Be brief.", sampling=Sampling(seed=7, max_tokens=9))

    sent = vision_server.seen[0]
    system, user = sent["messages"]
    picture, text = user["content"]
    head, _, data = picture["image_url"]["url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data) == PICTURE.data
    assert text == {"type": "text", "text": "How many?"}
    assert system == {"role": "system", "content": "Be brief."}
    assert (sent["temperature"], sent["seed"], sent["max_tokens"]) == (0, 7, 9)


def test_the_detail_is_sent_and_the_image_tokens_that_are_told_are_kept(
    vision_server: VisionServer,
) -> None:
    usage = {"prompt_tokens": 300, "prompt_tokens_details": {"image_tokens": 272}}
    vision_server.then(say("two", usage=usage), say("two"))

    assert ask(vision_server, image_detail="low").image_tokens == 272
    assert ask(vision_server).image_tokens is None

    with_detail, without = (
        it["messages"][0]["content"][0]["image_url"] for it in vision_server.seen
    )
    assert with_detail["detail"] == "low"
    assert "detail" not in without


def test_each_repeat_sends_the_next_seed(vision_server: VisionServer) -> None:
    with open_openai(Target(model="tiny", base_url=vision_server.url)) as model:
        for repeat in range(3):
            model.ask(Request(id="p", question="?", images=(PICTURE,), repeat=repeat))

    assert [sent["seed"] for sent in vision_server.seen] == [1, 2, 3]


def test_a_blind_question_carries_no_picture(vision_server: VisionServer) -> None:
    ask(vision_server, image=None)

    assert vision_server.seen[0]["messages"][0]["content"] == "How many?"


def test_a_streamed_reply_has_a_time_to_first_token_and_usage(vision_server: VisionServer) -> None:
    usage = {
        "prompt_tokens": 300,
        "completion_tokens": 12,
        "completion_tokens_details": {"reasoning_tokens": 7},
        "prompt_tokens_details": {"cached_tokens": 200},
    }
    vision_server.then(
        stream(
            ": keep-alive\n\n",
            delta("", role="assistant"),
            delta(reasoning_content="let me see"),
            delta("fo"),
            delta("ur", finish_reason="stop"),
            {"choices": [], "usage": usage},
            "data: [DONE]\n\n",
            wait_s=0.05,
        )
    )

    reply = ask(vision_server)

    assert (reply.text, reply.reasoning, reply.finish_reason) == ("four", "let me see", "stop")
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_reasoning) == (300, 12, 7)
    assert reply.ttft_s is not None
    assert 0.09 <= reply.ttft_s < reply.latency_s
    assert reply.image_cached, "two thirds of the input came out of the cache"


def test_a_server_that_answers_plainly_is_read_plainly(vision_server: VisionServer) -> None:
    vision_server.then(say("4", timings={"cache_n": 2, "prompt_n": 290, "prompt_ms": 8.5}))

    reply = ask(vision_server)

    assert (reply.text, reply.ttft_s) == ("4", None)
    assert reply.timings is not None
    assert (reply.timings.prompt_ms, reply.tokens_cached) == (8.5, 2)


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, ""), ("", ""), ([{"type": "text", "text": "4"}], "4"), ([{"type": "image"}], "")],
)
def test_content_may_be_missing_or_in_parts(
    vision_server: VisionServer, content: Any, text: str
) -> None:
    vision_server.then(say(content))

    assert ask(vision_server).text == text


def test_a_stream_that_breaks_off_is_no_reply(vision_server: VisionServer) -> None:
    vision_server.default = stream(delta("fo"))

    with pytest.raises(BadReply, match="broke off"):
        ask(vision_server)


def test_a_stream_cut_by_the_network_is_asked_again(vision_server: VisionServer) -> None:
    vision_server.then(stream(delta("fo"), cut=True), say("four"))

    reply = ask(vision_server, limits=Limits(tries=3))

    assert reply.text == "four"
    assert reply.effort.attempts == 2


@pytest.mark.parametrize(
    "data",
    [b"[]", b'{"choices": []}', b'{"choices": [{}]}', b'{"choices": [{"message": 3}]}', b"null"],
)
def test_json_of_another_shape_is_a_bad_reply(vision_server: VisionServer, data: bytes) -> None:
    vision_server.default = body(200, data)

    with pytest.raises(BadReply, match="choices"):
        ask(vision_server)


def test_an_error_inside_a_200_is_a_fault_of_the_server(vision_server: VisionServer) -> None:
    vision_server.default = body(200, b'{"error": {"code": 502, "message": "upstream"}}')

    with pytest.raises(ServerFault, match="upstream"):
        ask(vision_server)


@pytest.mark.parametrize(
    ("message", "gone", "instead"),
    [
        (
            "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("'temperature' does not support 0 with this model", "temperature", None),
        ("Unrecognized request argument supplied: seed", "seed", None),
        ("stream_options: Extra inputs are not permitted", "stream_options", None),
    ],
)
def test_a_refused_parameter_is_adapted_once_and_recorded(
    vision_server: VisionServer, message: str, gone: str, instead: str | None
) -> None:
    vision_server.then(fail(400, message))

    reply = ask(vision_server, times=2)

    assert len(vision_server.seen) == 3, "the second question knows already"
    assert gone not in vision_server.seen[1]
    assert instead is None or vision_server.seen[1][instead] == 512
    assert reply.adapted == (f"{gone}: {instead or 'left out'}",)


def test_threads_that_meet_the_same_refusal_all_get_their_answer(
    vision_server: VisionServer,
) -> None:
    def picky(handler: Any, request: dict[str, Any]) -> None:
        refused = "max_tokens" in request
        (fail(400, "unsupported parameter: max_tokens") if refused else say("4"))(handler, request)

    vision_server.default = picky
    replies: list[Reply] = []
    with open_openai(Target(model="tiny", base_url=vision_server.url)) as model:

        def work() -> None:
            replies.append(model.ask(Request(id="p", question="?", images=(PICTURE,))))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert [reply.text for reply in replies] == ["4"] * 8


def test_a_refusal_that_names_no_parameter_of_ours_is_final(vision_server: VisionServer) -> None:
    vision_server.default = fail(400, "the picture is too dark")

    with pytest.raises(RequestRefused, match="too dark"):
        ask(vision_server)

    assert len(vision_server.seen) == 1


@pytest.mark.parametrize("value", [None, "", "two\nlines", "ключ"])
def test_a_missing_or_unusable_key_says_which_variable_to_set(
    vision_server: VisionServer, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("TINY_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("TINY_KEY", value)

    with pytest.raises(TargetError, match="TINY_KEY") as caught:
        ask(vision_server, api_key_env="TINY_KEY")

    assert "export TINY_KEY=" in caught.value.fix
    assert not vision_server.seen


def test_reasoning_is_kept_apart_from_the_answer(vision_server: VisionServer) -> None:
    choice = {"message": {"content": "4", "reasoning": "two and two"}, "finish_reason": "length"}
    vision_server.then(body(200, json.dumps(chat("", choice=choice)).encode()))

    reply = ask(vision_server)

    assert (reply.text, reply.reasoning, reply.truncated) == ("4", "two and two", True)


def test_a_schema_of_the_reply_is_sent(vision_server: VisionServer) -> None:
    vision_server.default = say('{"answer": 4}')

    reply = ask(vision_server, schema=SCHEMA)

    (sent,) = vision_server.seen
    assert sent["response_format"]["type"] == "json_schema"
    assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
    assert reply.adapted == ()


def test_an_endpoint_that_takes_no_schema_ends_the_run(vision_server: VisionServer) -> None:
    vision_server.default = fail(400, "Unsupported parameter: response_format")

    with pytest.raises(TargetError, match="does not take --answer-format constrained"):
        ask(vision_server, schema=SCHEMA)


def test_one_schema_that_is_refused_is_that_questions_error(vision_server: VisionServer) -> None:
    vision_server.default = fail(400, "Invalid schema for response_format 'answer'")

    with pytest.raises(RequestRefused, match="Invalid schema"):
        ask(vision_server, schema=SCHEMA)


def test_a_schema_that_is_ignored_is_said_once_and_recorded(vision_server: VisionServer) -> None:
    told: list[str] = []
    vision_server.default = say("There are four.")

    reply = ask(vision_server, schema=SCHEMA, times=2, notify=told.append)

    assert reply.adapted == (NOT_CONSTRAINED,)
    assert [line for line in told if NOT_CONSTRAINED in line] == told
    assert len(told) == 1
