"""Anthropic's Messages API: what is sent, what is read, its own errors."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.adapters import Request, Target
from harness.adapters.anthropic import open_anthropic
from harness.errors import BadReply, ServerFault, TargetError
from harness.records import EncodedImage, Reply, Sampling
from harness.transport import Limits
from tests.conftest import Answer, Evalrun, VisionServer, body, fail, stream

PICTURE = EncodedImage(
    data=b"\x89PNG...", media_type="image/png", width_px=2, height_px=2, sha256="0" * 64
)
USAGE = {"input_tokens": 20, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 300}
START = {"type": "message_start", "message": {"model": "claude-x-20261101", "usage": USAGE}}
STOP = {
    "type": "message_delta",
    "delta": {"stop_reason": "end_turn"},
    "usage": {"output_tokens": 12},
}


def delta(**more: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": more}


def events(*data: dict[str, Any]) -> Answer:
    return stream(*(f"event: {it['type']}\ndata: {json.dumps(it)}\n\n" for it in data))


def message(*blocks: dict[str, Any], reason: str = "end_turn") -> Answer:
    whole = {
        "type": "message",
        "content": blocks,
        "stop_reason": reason,
        "usage": {"input_tokens": 320, "output_tokens": 5},
    }
    return body(200, json.dumps(whole).encode())


def ask(
    server: VisionServer,
    *,
    blind: bool = False,
    schema: dict[str, Any] | None = None,
    **target: Any,
) -> Reply:
    target = {"limits": Limits(tries=1), **target}
    with open_anthropic(Target(model="claude-x", base_url=server.url, **target)) as model:
        images = () if blind else (PICTURE,)
        return model.ask(Request(id="p", question="How many?", images=images, answer_schema=schema))


def test_the_picture_goes_before_the_question_and_the_key_into_its_own_header(
    vision_server: VisionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_KEY", "sk-ant-0123456789")
    vision_server.then(message({"type": "text", "text": "4"}))

    ask(vision_server, api_key_env="OUR_KEY", system="Be brief.", sampling=Sampling(max_tokens=9))

    sent, headers = vision_server.seen[0], vision_server.headers[0]
    picture, text = sent["messages"][0]["content"]
    assert base64.b64decode(picture["source"]["data"]) == PICTURE.data
    assert picture["source"]["media_type"] == "image/png"
    assert text == {"type": "text", "text": "How many?"}
    assert (sent["system"], sent["max_tokens"], sent["temperature"]) == ("Be brief.", 9, 0)
    assert "seed" not in sent
    assert (headers["x-api-key"], headers["anthropic-version"]) == (
        "sk-ant-0123456789",
        "2023-06-01",
    )
    assert "authorization" not in headers


def test_a_streamed_message_is_read_with_its_thinking_and_cache(
    vision_server: VisionServer,
) -> None:
    vision_server.then(
        events(
            START,
            {"type": "ping"},
            delta(type="thinking_delta", thinking="two and two"),
            delta(type="signature_delta", signature="x"),
            delta(type="text_delta", text="fo"),
            delta(type="text_delta", text="ur"),
            STOP,
            {"type": "message_stop"},
        )
    )

    reply = ask(vision_server)

    assert (reply.text, reply.reasoning, reply.finish_reason) == ("four", "two and two", "end_turn")
    assert (reply.tokens_in, reply.tokens_out, reply.tokens_cached) == (320, 12, 300)
    assert reply.ttft_s is not None
    assert reply.image_cached
    assert reply.served_model == "claude-x-20261101"


@pytest.mark.parametrize(
    ("thinking", "sent"),
    [
        ("off", {"thinking": {"type": "disabled"}, "temperature": 0}),
        ("2048", {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 2560}),
        ("low", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
    ],
)
def test_thinking_is_steered_in_its_own_words(
    vision_server: VisionServer, thinking: str, sent: dict[str, Any]
) -> None:
    vision_server.then(message({"type": "text", "text": "4"}))

    ask(vision_server, sampling=Sampling(thinking=thinking, max_tokens_retry=4096))

    assert vision_server.seen[0].items() >= sent.items()
    assert ("temperature" in vision_server.seen[0]) == (thinking == "off")


def test_a_model_that_takes_no_temperature_is_asked_without(vision_server: VisionServer) -> None:
    vision_server.then(
        fail(400, "`temperature` is deprecated for this model."),
        message({"type": "text", "text": "4"}),
    )

    reply = ask(vision_server)

    assert reply.adapted == ("temperature: left out",)
    assert "temperature" not in vision_server.seen[1]


def test_a_question_without_a_picture_is_a_plain_string(vision_server: VisionServer) -> None:
    vision_server.then(message({"type": "text", "text": "4"}))

    ask(vision_server, blind=True)

    assert vision_server.seen[0]["messages"][0]["content"] == "How many?"


@pytest.mark.parametrize(
    ("reason", "truncated", "refusal"),
    [("max_tokens", True, None), ("refusal", False, "I will not."), ("end_turn", False, None)],
)
def test_how_a_message_ended_is_kept(
    vision_server: VisionServer, reason: str, truncated: bool, refusal: str | None
) -> None:
    vision_server.then(message({"type": "text", "text": "I will not."}, reason=reason))

    reply = ask(vision_server)

    assert (reply.truncated, reply.refusal) == (truncated, refusal)


def test_an_error_in_the_stream_is_what_it_would_be_outside(vision_server: VisionServer) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    vision_server.default = events(START, error)

    with pytest.raises(ServerFault, match="Overloaded"):
        ask(vision_server)


def test_a_message_that_breaks_off_is_no_reply(vision_server: VisionServer) -> None:
    vision_server.default = events(START, delta(type="text_delta", text="fo"))

    with pytest.raises(BadReply, match="broke off"):
        ask(vision_server)


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (401, "invalid x-api-key", "key was not accepted"),
        (400, "Your credit balance is too low to access the Anthropic API.", "no credit"),
        (404, "model: claude-x", "no such model"),
    ],
)
def test_its_refusals_end_the_run_with_what_to_do(
    vision_server: VisionServer, status: int, message: str, says: str
) -> None:
    vision_server.default = fail(status, message)

    with pytest.raises(TargetError, match=says):
        ask(vision_server)


def test_a_used_up_rate_limit_is_waited_for_as_its_headers_say(
    vision_server: VisionServer,
) -> None:
    until = datetime.now(UTC) + timedelta(seconds=1)
    limits = {
        "anthropic_ratelimit_requests_remaining": "0",
        "anthropic_ratelimit_requests_reset": until.isoformat(),
    }
    vision_server.then(fail(429, "slow down", **limits), message({"type": "text", "text": "4"}))

    reply = ask(vision_server)

    assert reply.effort.attempts == 2
    assert datetime.now(UTC) >= until


def test_a_run_through_it_is_like_any_other(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.default = message({"type": "text", "text": "yes"})

    done = evalrun(
        *("--suite", suite, "--model", "claude-x", "--backend", "anthropic"),
        *("--base-url", vision_server.url),
    )

    assert done.returncode == 0, done.stderr
    assert "claude-x · anthropic" in done.stdout


def test_a_schema_of_the_reply_stands_beside_the_effort(vision_server: VisionServer) -> None:
    vision_server.then(message({"type": "text", "text": '{"answer": 4}'}))
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}

    ask(vision_server, schema=schema, sampling=Sampling(thinking="low"))

    wanted = {"type": "json_schema", "schema": schema}
    assert vision_server.seen[0]["output_config"] == {"effort": "low", "format": wanted}
