"""What servers in the field send, and what a run makes of it: streams, ends and refusals."""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from harness import store
from harness.adapters import Request, Target
from harness.adapters.openai import OpenAIChat, open_openai
from harness.errors import BadReply, RequestRefused, ServerFault, TargetError
from harness.records import Record, Reply
from harness.transport import Limits, Transport
from tests.conftest import Answer, Evalrun, VisionServer, body, chat, fail, say

ROLE = {"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
RED = {"choices": [{"delta": {"content": "red"}, "finish_reason": None}]}
STOP = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
USAGE = {"prompt_tokens": 300, "completion_tokens": 2}
WHOLE = (ROLE, RED, STOP, {"choices": [], "usage": USAGE})


def events(*data: Any, end: str = "\n\n", done: bool = True) -> str:
    lines = [f"data: {it if isinstance(it, str) else json.dumps(it)}{end}" for it in data]
    return "".join(lines) + (f"data: [DONE]{end}" if done else "")


def chunked(text: str, *, kind: str | None = "text/event-stream", end: bool = True) -> Answer:
    """A chunked body over a connection that stays open; `end`: whether the body is ended."""

    def answer(handler: Any, _: dict[str, Any]) -> None:
        handler.send_response(200)
        if kind:
            handler.send_header("content-type", kind)
        handler.send_header("transfer-encoding", "chunked")
        handler.end_headers()
        data = text.encode()
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data) + (b"0\r\n\r\n" if end else b""))
        handler.wfile.flush()
        if not end:
            handler.rfile.read(1)  # until the client hangs up

    return answer


def read(server: VisionServer) -> Reply:
    with Transport(server.url, Limits(tries=1, timeout_s=20)) as transport:
        return transport.post(
            "chat/completions", b"{}", OpenAIChat(transport, Target(model="m")).read
        ).value


def only(tmp_path: Path) -> Record:
    (path,) = store.runs(tmp_path / "results")
    (record,) = store.read(path).records()
    return record


def run(evalrun: Evalrun, suite: Path, server: VisionServer, *more: str) -> Any:
    return evalrun("--suite", suite, "--model", "m", "--base-url", server.url, *more)


@pytest.mark.parametrize(
    "answer",
    [
        chunked(events(*WHOLE), kind=None),
        chunked(events(*WHOLE), kind="application/json"),
        chunked("\ufeff" + events(*WHOLE)),
        chunked(events(*WHOLE, end="\r\r")),
        chunked(events(*WHOLE, end="\r\n\r\n")),
        chunked(events(*WHOLE, end="\n")),
        chunked(events(*(json.dumps(it, indent=1).replace("\n", "\ndata: ") for it in WHOLE))),
        chunked(": OPENROUTER PROCESSING\n\nevent: message\nid: 7\n" + events(*WHOLE)),
        chunked(events(ROLE, RED, STOP, {"id": "c", "usage": USAGE})),
        chunked(events(ROLE, RED, STOP, {"choices": None, "usage": USAGE})),
        chunked(events(*WHOLE, done=False)),
        chunked(events(*WHOLE, '{"error": {"message": "too late"}}')),
        chunked(json.dumps(chat("red", usage=USAGE)), kind="text/event-stream"),
        chunked(events({"choices": [{"message": {"content": "red"}, "finish_reason": "stop"}]})),
        chunked(json.dumps(chat("red")), end=False),
    ],
    ids=[
        *("no content type", "wrong content type", "BOM", "CR", "CRLF", "no empty lines"),
        *("several data lines", "comments and fields", "usage without choices", "null choices"),
        *("no DONE", "an error behind the end", "a whole body called a stream"),
        *("a whole message in a chunk", "a whole body held open"),
    ],
)
def test_a_stream_is_read_whatever_its_form(vision_server: VisionServer, answer: Answer) -> None:
    vision_server.then(answer)

    reply = read(vision_server)

    assert (reply.text, reply.finish_reason) == ("red", "stop")


@pytest.mark.parametrize("done", [True, False], ids=["behind DONE", "without DONE"])
def test_a_finished_answer_is_not_lost_when_the_connection_is_held_open(
    vision_server: VisionServer, done: bool
) -> None:
    vision_server.then(chunked(events(*WHOLE, done=done), end=False))

    reply = read(vision_server)

    assert (reply.text, reply.tokens_in) == ("red", 300)


def test_a_worker_uses_one_connection_for_all_its_streams(vision_server: VisionServer) -> None:
    ports = set()
    streamed = chunked(events(*WHOLE))

    def answer(handler: Any, request: dict[str, Any]) -> None:
        ports.add(handler.client_address[1])
        streamed(handler, request)

    vision_server.default = answer
    with Transport(vision_server.url) as transport:
        for _ in range(5):
            transport.post("chat/completions", b"{}", OpenAIChat(transport, Target(model="m")).read)

    assert len(ports) == 1


def test_a_kept_connection_that_the_server_closed_costs_no_try(vision_server: VisionServer) -> None:
    def answer_and_close(handler: Any, request: dict[str, Any]) -> None:
        say("red")(handler, request)
        handler.close_connection = True  # unannounced

    vision_server.then(answer_and_close, say("red"))
    with Transport(vision_server.url, Limits(tries=1)) as transport:
        texts = [
            transport.post("x", b"{}", OpenAIChat(transport, Target(model="m")).read).value.text
            for _ in range(2)
        ]

    assert texts == ["red", "red"]


@pytest.mark.parametrize("reason", ["error", "ERROR", "abort", "network_error"])
def test_a_generation_that_broke_off_is_no_answer(vision_server: VisionServer, reason: str) -> None:
    vision_server.default = say("Generation failed: red", choice={"finish_reason": reason})

    with pytest.raises(ServerFault, match="Generation failed"):
        read(vision_server)


@pytest.mark.parametrize(
    "answer",
    [
        say("", choice={"error": {"code": 502, "message": "upstream died"}}),
        say("", choice={"native_finish_reason": "MALFORMED_RESPONSE"}),
        body(200, b'{"object": "error", "message": "upstream died", "code": 500}'),
    ],
    ids=["in the choice", "in the provider's words", "the whole body"],
)
def test_an_error_is_one_wherever_it_stands(vision_server: VisionServer, answer: Answer) -> None:
    vision_server.default = answer

    with pytest.raises(ServerFault):
        read(vision_server)


@pytest.mark.parametrize(
    "answer",
    [
        body(200, b'{"id": null, "choices": null, "usage": null}'),
        chunked("data: [DONE]\n\n"),
        chunked(events(RED, done=False) + 'event: error\ndata: {"message": "died"}\n\n' + events()),
        chunked(events(RED, done=False) + '{"error": {"message": "upstream reset"}}\n\n'),
    ],
    ids=["null choices", "no choice at all", "an error event", "an error between the events"],
)
def test_what_holds_no_answer_is_a_failed_call(vision_server: VisionServer, answer: Answer) -> None:
    vision_server.default = answer

    with pytest.raises((BadReply, ServerFault)):
        read(vision_server)


@pytest.mark.parametrize(
    "message",
    [
        {"content": "red", "reasoning_content": "left"},
        {"content": "red", "reasoning_details": [{"type": "reasoning.summary", "summary": "left"}]},
        {"content": "red", "thinking_blocks": [{"type": "thinking", "thinking": "left"}]},
        {"content": [{"type": "reasoning", "text": "left"}, {"type": "text", "text": "red"}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "left"}]},
                {"type": "text", "text": "red"},
            ]
        },
    ],
    ids=["a field", "a summary", "blocks", "a part of the content", "a part with parts"],
)
def test_reasoning_is_kept_apart_wherever_it_comes(
    vision_server: VisionServer, message: dict[str, Any]
) -> None:
    vision_server.then(say("", choice={"message": message}))

    reply = read(vision_server)

    assert (reply.text, reply.reasoning) == ("red", "left")


def test_a_count_of_nothing_for_a_reply_that_says_something_is_not_known(
    vision_server: VisionServer,
) -> None:
    vision_server.then(say("red", usage={"prompt_tokens": 0, "completion_tokens": 0}))

    reply = read(vision_server)

    assert (reply.tokens_in, reply.tokens_out) == (None, None)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Response filtered: content management policy (ResponsibleAIPolicyViolation)"),
        (403, "m requires moderation. Your input was flagged for violence."),
    ],
)
def test_a_prompt_that_a_filter_stops_is_an_answer_that_fails(
    evalrun: Evalrun,
    suite: Path,
    vision_server: VisionServer,
    tmp_path: Path,
    status: int,
    message: str,
) -> None:
    vision_server.default = fail(status, message)

    done = run(evalrun, suite, vision_server, "--limit", "1")

    record = only(tmp_path)
    assert (done.returncode, record.state) == (0, "fail")
    assert isinstance(record.outcome, Reply)
    assert message in (record.outcome.refusal or "")
    assert "content filter" in done.stdout


def test_a_filtered_choice_needs_no_message(vision_server: VisionServer) -> None:
    choice = {"finish_reason": "content_filter: PROHIBITED_CONTENT", "index": 0}
    vision_server.then(body(200, json.dumps({"choices": [choice]}).encode()))

    assert read(vision_server).filtered


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        ("Rate limit. Please retry after 0.3 seconds.", {}),
        ("Rate limit", {"retry_after_ms": "300"}),
        ("Rate limit", {"x_rate_limit_reset_tokens": "300ms"}),
        (
            "Rate limit",
            {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "0.3s"},
        ),
    ],
    ids=["words", "milliseconds", "a reset", "a limit used up"],
)
def test_a_rate_limit_is_waited_for_as_the_server_says(
    vision_server: VisionServer, message: str, headers: dict[str, str]
) -> None:
    vision_server.then(fail(429, message, **headers))
    with Transport(vision_server.url) as transport:
        call = transport.post(
            "chat/completions", b"{}", OpenAIChat(transport, Target(model="m")).read
        )

    assert call.effort.attempts == 2
    assert 0.29 <= call.effort.backoff_s < 0.4


@pytest.mark.parametrize(
    ("status", "error", "gone"),
    [
        (
            422,
            {"detail": [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}]},
            "seed",
        ),
        (400, {"error": {"message": "Unsupported value", "param": "temperature"}}, "temperature"),
        (500, {"error": "create() got an unexpected keyword argument 'seed'"}, "seed"),
        (400, {"error": {"message": "`temperature` must be strictly positive"}}, "temperature"),
    ],
)
def test_a_refused_parameter_is_found_by_its_name_wherever_that_stands(
    vision_server: VisionServer, status: int, error: dict[str, Any], gone: str
) -> None:
    vision_server.then(body(status, json.dumps(error).encode()))
    with open_openai(Target(model="m", base_url=vision_server.url)) as model:
        reply = model.ask(Request(id="p", question="?"))

    assert reply.adapted == (f"{gone}: left out",)


def test_a_url_of_the_chat_itself_is_understood(vision_server: VisionServer) -> None:
    with Transport(f"{vision_server.url}/chat/completions") as transport:
        assert transport.base_url == vision_server.url


def test_a_refusal_is_kept_in_its_words_fails_and_is_counted(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    message = {"role": "assistant", "content": None, "refusal": "I cannot identify that."}
    vision_server.default = say(None, choice={"message": message})

    done = run(evalrun, suite, vision_server, "--limit", "1")

    record = only(tmp_path)
    assert isinstance(record.outcome, Reply)
    assert record.outcome.refusal == "I cannot identify that."
    assert record.verdict is not None
    assert record.verdict.reason == "the model refused: I cannot identify that."
    assert "refusals: 1" in done.stdout


@pytest.mark.parametrize("reason", ["content_filter", "SAFETY"])
def test_what_a_filter_stopped_fails_with_that_reason_whatever_it_says(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, reason: str
) -> None:
    vision_server.default = say("yes", choice={"finish_reason": reason})

    done = run(evalrun, suite, vision_server, "--limit", "1")

    assert (done.returncode, only(tmp_path).state) == (0, "fail")
    assert "content filter" in done.stdout


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (400, "m is not a multimodal model", "takes no pictures"),
        (400, "Invalid content type. image_url is only supported by certain models", "pictures"),
        (500, 'can only concatenate str (not "list") to str', "takes no pictures"),
        (422, "unknown variant `image_url`, expected `text`", "takes no pictures"),
        (400, "messages[0].content must be a string", "takes no pictures"),
        (404, "No endpoints found that support image input", "takes no pictures"),
        (400, "'claude-x' does not support image input.", "takes no pictures"),
        (400, "This model only supports text input", "takes no pictures"),
        (400, "Supported values are: 'text'.", "takes no pictures"),
        (
            422,
            '"loc":["body","messages",0,"content"],"msg":"Input should be a valid string"',
            "no p",
        ),
        (400, "cannot unmarshal array into Go field messages.content of type string", "no p"),
        (500, "clip model not loaded", "takes no pictures"),
        (400, "Budget has been exceeded! Current cost: 1.0", "has no credit"),
        (403, "Your request was blocked.", "may not use this model"),
        (400, "Invalid bearer token", "key was not accepted"),
        (400, "Invalid model name passed in model=m", "no such model"),
        (400, "The model `m` does not exist or you do not have access to it.", "no such model"),
        (400, "Invalid model: m", "no such model"),
        (500, "No api key passed in.", "key was not accepted"),
        (400, "API key not valid. Please pass a valid API key.", "key was not accepted"),
        (403, "Incorrect API key provided: sk-x", "key was not accepted"),
        (400, "Your credit balance is too low", "has no credit"),
        (429, "insufficient_quota", "has no credit"),
    ],
)
def test_what_every_call_would_meet_is_known_by_its_words(
    vision_server: VisionServer, status: int, message: str, says: str
) -> None:
    vision_server.default = fail(status, message)

    with pytest.raises(TargetError, match=says):
        read(vision_server)

    assert len(vision_server.seen) == 1


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "The image format is not supported: send PNG or JPEG"),
        (400, "image_url: this model does not support image URLs larger than 20 MB"),
        (400, "Could not process image"),
        (400, "Cannot process image: corrupt data"),
        (400, "For this model, temperature is not supported"),
        (400, "Supported values are: 'text' and 'json_object'."),
        (400, "Unsupported image type webp"),
        (429, "You exceeded your current quota. Please retry in 0.01s."),
        (503, "The model is currently not available"),
    ],
)
def test_what_only_one_call_meets_does_not_end_the_run(
    vision_server: VisionServer, status: int, message: str
) -> None:
    vision_server.then(fail(status, message))

    with suppress(RequestRefused, ServerFault):
        assert read(vision_server).text == "yes"


def test_a_hopeless_run_stops_early_with_the_servers_words(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.default = fail(500, "key check is broken (worker 17)")

    done = run(evalrun, suite, vision_server, "--tries", "1", "--concurrency", "1")

    assert done.returncode == 4
    assert "the first 3 prompts all failed alike" in done.stderr
    assert "key check is broken" in done.stderr
    assert len(vision_server.seen) == 3


def test_a_server_that_loads_its_model_is_waited_for(vision_server: VisionServer) -> None:
    vision_server.then(fail(503, "Loading model"), say("red"))

    assert read(vision_server).text == "red"


def test_a_reply_that_was_cut_is_asked_for_once_more_with_eight_times_the_room(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    cut = say("", choice={"finish_reason": "length"})
    vision_server.then(cut, say("yes"))

    done = run(evalrun, suite, vision_server, "--limit", "1")

    record = only(tmp_path)
    assert [it["max_tokens"] for it in vision_server.seen] == [512, 4096]
    assert (done.returncode, record.state) == (0, "pass")
    assert isinstance(record.outcome, Reply)
    assert (record.outcome.tokens_in, record.outcome.tokens_out) == (600, 10)
    assert record.outcome.effort.attempts == 2
    assert record.outcome.adapted == ("max_tokens: 4096, as the first reply was cut",)


@pytest.mark.parametrize("reason", ["length", "model_length", "max_tokens"])
def test_what_is_still_cut_then_is_neither_pass_nor_fail(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, reason: str
) -> None:
    vision_server.default = say("", choice={"finish_reason": reason})

    done = run(evalrun, suite, vision_server, "--limit", "1")

    assert (done.returncode, only(tmp_path).state) == (5, "cut")
    assert "--max-tokens 16384" in done.stderr


@pytest.mark.parametrize("where", ["reasoning_content", "content"])
def test_a_reasoning_that_runs_in_circles_fails_with_that_reason(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, where: str
) -> None:
    circles = "<think>" * (where == "content") + "The left half is red. But wait, " * 200
    message = {"role": "assistant", "content": "", where: circles}
    vision_server.default = say("", choice={"message": message, "finish_reason": "length"})

    done = run(evalrun, suite, vision_server, "--limit", "1")

    verdict = only(tmp_path).verdict
    assert verdict is not None
    assert (done.returncode, verdict.passed, verdict.cut) == (0, False, False)
    assert verdict.reason == "repeats itself without end in its reasoning"
    assert len(vision_server.seen) == 1, "more room would not help"


def test_a_limit_that_was_given_is_never_exceeded(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = say("", choice={"finish_reason": "length"})

    run(evalrun, suite, vision_server, "--limit", "1", "--max-tokens", "99")

    assert [it["max_tokens"] for it in vision_server.seen] == [99]
    assert only(tmp_path).state == "cut"


def test_what_went_wrong_with_a_call_reaches_the_user_with_its_fix(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer
) -> None:
    vision_server.then(body(413, b"<html><title>413 Request Entity Too Large</title></html>"))

    done = run(evalrun, suite, vision_server)

    assert done.returncode == 5
    assert "fix for 1 failed calls: lower --image-max-side" in done.stderr


def test_who_answered_is_recorded(vision_server: VisionServer) -> None:
    vision_server.then(say("4", provider="Somebody", model="m-2026-11"))

    reply = read(vision_server)

    assert (reply.provider, reply.served_model) == ("Somebody", "m-2026-11")


def test_a_blind_reply_is_never_one_whose_picture_was_cached(vision_server: VisionServer) -> None:
    usage = {
        "prompt_tokens": 45,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 24},
    }
    vision_server.then(say("red", usage=usage))
    with open_openai(Target(model="m", base_url=vision_server.url)) as model:
        assert not model.ask(Request(id="p", question="?")).image_cached


@pytest.mark.parametrize("command", [("--backend", "openai"), ()])
def test_a_key_goes_to_no_host_but_its_presets(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, command: tuple[str, ...]
) -> None:
    done = evalrun(
        *("--suite", suite, "--model", "m", "--base-url", vision_server.url, *command),
        env={"OPENAI_API_KEY": "sk-live-0123456789abcdef"},
    )

    assert done.returncode == 0, done.stderr
    assert not any("authorization" in headers for headers in vision_server.headers)


def test_several_workers_stop_a_hopeless_run_together(vision_server: VisionServer) -> None:
    """The same refusal in eight threads at once is one error, not a deadlock."""
    vision_server.default = fail(401)
    errors: list[Exception] = []
    with open_openai(
        Target(model="m", base_url=vision_server.url, limits=Limits(tries=1))
    ) as model:

        def work() -> None:
            try:
                model.ask(Request(id="p", question="?"))
            except TargetError as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(errors) == 8
