"""One call: what is retried, how long is waited, what is counted, what ends the run."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from harness.errors import (
    BadReply,
    CallTimeout,
    RateLimited,
    RequestRefused,
    ServerFault,
    TargetError,
)
from harness.transport import Call, Limits, Stopped, Transport
from tests.conftest import VisionServer, body, fail, hang, reset, say, stream


class Clock(threading.Event):
    """Time that passes while somebody waits, and at once."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def wait(self, timeout: float | None = None) -> bool:
        self.now += timeout or 0.0
        return self.is_set()


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"


def ask(server: VisionServer, key: str | None = None, **limits: Any) -> Call[Any]:
    clock, chosen = Clock(), Limits(**limits)
    with Transport(
        server.url, chosen, key=key, key_env="MY_KEY", stopping=clock, clock=clock
    ) as transport:
        return transport.post("chat/completions", b"{}", lambda incoming: incoming.json())


def test_a_rate_limited_call_is_asked_again_after_the_servers_own_delay(
    vision_server: VisionServer,
) -> None:
    vision_server.then(fail(429, retry_after="60"), say("4"))

    call = ask(vision_server)

    assert call.effort.attempts == 2
    assert call.effort.backoff_s == 60.0
    assert call.latency_s < 1.0


def test_a_retry_after_given_as_a_date_is_honoured(vision_server: VisionServer) -> None:
    until = datetime.now(UTC) + timedelta(seconds=60)
    vision_server.then(fail(429, retry_after=format_datetime(until, usegmt=True)), say("4"))

    assert 50 < ask(vision_server).effort.backoff_s <= 60


@pytest.mark.parametrize("wish", ["9999", "Fri, 31 Dec 2100 23:59:59 GMT"])
def test_a_wish_to_wait_longer_than_we_will_ends_the_call_unheard(
    vision_server: VisionServer, wish: str
) -> None:
    vision_server.then(fail(429, retry_after=wish))

    with pytest.raises(RateLimited) as caught:
        ask(vision_server, max_wait_s=5)

    assert caught.value.effort.attempts == 1
    assert len(vision_server.seen) == 1


@pytest.mark.parametrize("wish", ["soon", "-3", "nan", ""])
def test_a_senseless_retry_after_falls_back_to_our_own_pause(
    vision_server: VisionServer, wish: str
) -> None:
    vision_server.then(fail(429, retry_after=wish), say("4"))

    assert ask(vision_server).effort.attempts == 2


def test_rate_limits_use_up_no_tries(vision_server: VisionServer) -> None:
    vision_server.then(*[fail(429, retry_after="0")] * 5, say("4"))

    assert ask(vision_server, tries=2).effort.attempts == 6


@pytest.mark.parametrize(
    "fault",
    [
        fail(500),
        fail(503),
        reset,
        body(200, b""),
        body(200, b'{"choices": [{"mess'),
        body(200, b"<html>starting</html>", content_type="text/html"),
        body(200, b"\x1f\x8b", content_encoding="gzip"),
        body(408, b""),
    ],
    ids=["500", "503", "reset", "empty", "malformed", "html", "compressed", "408"],
)
def test_a_passing_fault_is_tried_again_and_kept_out_of_the_latency(
    vision_server: VisionServer, fault: Any
) -> None:
    vision_server.then(fault, say("4"))

    call = ask(vision_server)

    assert call.effort.attempts == 2
    assert call.effort.backoff_s > 0
    assert call.latency_s < call.effort.backoff_s + call.effort.failed_s


def test_the_last_error_is_raised_with_all_that_was_tried(vision_server: VisionServer) -> None:
    vision_server.default = fail(500, "out of memory")

    with pytest.raises(ServerFault, match="out of memory") as caught:
        ask(vision_server, tries=2)

    assert caught.value.effort.attempts == 2


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_refused_request_is_not_sent_twice(vision_server: VisionServer, status: int) -> None:
    vision_server.default = fail(status, "no such thing")

    with pytest.raises(RequestRefused, match="no such thing"):
        ask(vision_server)

    assert len(vision_server.seen) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_what_every_call_would_meet_ends_the_run_at_the_first(
    vision_server: VisionServer, status: int
) -> None:
    vision_server.default = fail(status)

    with pytest.raises(TargetError):
        ask(vision_server)

    assert len(vision_server.seen) == 1


def test_a_404_after_good_replies_is_only_that_calls_failure(vision_server: VisionServer) -> None:
    vision_server.then(say("1"), fail(404))

    with Transport(vision_server.url) as transport:
        transport.post("chat/completions", b"{}", lambda incoming: incoming.json())
        with pytest.raises(RequestRefused):
            transport.post("chat/completions", b"{}", lambda incoming: incoming.json())


def test_a_blind_server_ends_the_run_though_it_says_500(vision_server: VisionServer) -> None:
    vision_server.default = fail(500, "image input is not supported - hint: provide the mmproj")

    with pytest.raises(TargetError, match="takes no pictures"):
        ask(vision_server)

    assert len(vision_server.seen) == 1


def test_a_redirect_is_not_followed(vision_server: VisionServer) -> None:
    vision_server.default = fail(307, location="http://elsewhere.example/v1")

    with pytest.raises(TargetError, match="elsewhere"):
        ask(vision_server, key="secret")

    assert len(vision_server.seen) == 1


def test_silence_ends_an_attempt(vision_server: VisionServer) -> None:
    vision_server.then(hang(1.5), say("4"))

    call = ask(vision_server, timeout_s=0.4)

    assert call.effort.attempts == 2
    assert call.effort.failed_s >= 0.4


def test_a_slow_drip_is_no_silence(vision_server: VisionServer) -> None:
    vision_server.then(stream(*["data: 1\n\n"] * 8, wait_s=0.1))

    with Transport(vision_server.url, Limits(timeout_s=0.4)) as transport:
        call = transport.post("x", b"{}", lambda incoming: list(incoming.events()))

    assert call.value == [1] * 8
    assert call.latency_s > 0.4


def test_an_endless_stream_is_given_up(vision_server: VisionServer) -> None:
    vision_server.default = stream(*["data: 1\n\n"] * 400, wait_s=0.02)

    with (
        Transport(vision_server.url, Limits(timeout_s=0.1, tries=1)) as transport,
        pytest.raises(CallTimeout, match="does not end"),
    ):
        transport.post("x", b"{}", lambda incoming: list(incoming.events()))


def test_events_are_read_whatever_way_they_are_cut_up(vision_server: VisionServer) -> None:
    vision_server.then(stream(": ping\n", "da", 'ta: "a"', '\r\n\r\ndata:"b"\n\n', "event: x\n"))

    with Transport(vision_server.url) as transport:
        call = transport.post("x", b"{}", lambda incoming: list(incoming.events()))

    assert call.value == ["a", "b"]


def test_a_server_that_was_never_there_is_given_up_with_an_instruction(free_port: int) -> None:
    clock = Clock()
    with (
        Transport(url(free_port), stopping=clock, clock=clock) as transport,
        pytest.raises(TargetError, match="no connection") as caught,
    ):
        transport.post("x", b"{}", lambda incoming: incoming.json())

    assert "start the server" in caught.value.fix


def test_a_call_that_gives_a_dead_server_up_lets_the_next_one_find_out(free_port: int) -> None:
    gave_up: list[TargetError] = []
    with Transport(url(free_port), Limits(give_up_s=0.2), concurrency=2) as transport:

        def work() -> None:
            try:
                transport.post("x", b"{}", lambda incoming: incoming.json())
            except TargetError as error:
                gave_up.append(error)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)

    assert len(gave_up) == 3


def test_while_a_server_is_gone_one_call_probes_and_the_others_wait(free_port: int) -> None:
    answered: list[Any] = []
    with Transport(url(free_port), Limits(give_up_s=30), concurrency=8) as transport:
        transport.answered_before = True

        def work() -> None:
            answered.append(transport.post("x", b"{}", lambda incoming: incoming.json()))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(1.2)
        connections = _answer_once_there(free_port, 8)
        for thread in threads:
            thread.join(timeout=20)

    assert len(answered) == 8
    assert connections == 8
    assert sorted(call.effort.attempts for call in answered)[6] <= 2, "seven of eight only waited"


def test_a_probe_that_meets_another_error_lets_the_others_go(free_port: int) -> None:
    ended: list[TargetError] = []
    with Transport(url(free_port), Limits(give_up_s=30), concurrency=2) as transport:

        def work() -> None:
            with pytest.raises(TargetError, match="key was not accepted") as caught:
                transport.post("x", b"{}", lambda incoming: incoming.json())
            ended.append(caught.value)

        threads = [threading.Thread(target=work, daemon=True) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        _answer_once_there(free_port, 2, "401 Unauthorized")
        for thread in threads:
            thread.join(timeout=20)

    assert len(ended) == 2


def _answer_once_there(port: int, calls: int, status: str = "200 OK") -> int:
    served = 0
    data = json.dumps({"ok": True}).encode()
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(15)
        while served < calls:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s"
                    % (status.encode(), len(data), data)
                )
            served += 1
    return served


def test_a_limit_on_calls_at_once_is_found_out_once(vision_server: VisionServer) -> None:
    places = threading.Semaphore(4)

    def at_most_four(handler: Any, request: dict[str, Any]) -> None:
        if not places.acquire(blocking=False):
            return fail(429, retry_after="0")(handler, request)
        time.sleep(0.03)
        places.release()
        return say("yes")(handler, request)

    vision_server.default = at_most_four
    with Transport(vision_server.url, concurrency=16) as transport:

        def work() -> None:
            for _ in range(5):
                transport.post("x", b"{}", lambda incoming: incoming.json())

        threads = [threading.Thread(target=work) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(vision_server.seen) <= 80 + 12 + 8


def test_a_wait_is_called_off_when_the_run_stops(vision_server: VisionServer) -> None:
    stopping = threading.Event()
    vision_server.default = fail(429, retry_after="60")
    threading.Timer(0.2, stopping.set).start()

    with Transport(vision_server.url, stopping=stopping) as transport, pytest.raises(Stopped):
        transport.post("x", b"{}", lambda incoming: incoming.json())


def test_the_key_goes_to_the_server_and_into_no_message(vision_server: VisionServer) -> None:
    vision_server.default = fail(401, "bad key")

    with pytest.raises(TargetError) as caught:
        ask(vision_server, key="canary-123")

    assert vision_server.headers[0]["authorization"] == "Bearer canary-123"
    assert "canary-123" not in str(caught.value) + repr(caught.value.__cause__)
    assert "MY_KEY" in caught.value.fix


def test_cookies_of_a_server_are_not_kept(vision_server: VisionServer) -> None:
    vision_server.then(body(200, b"{}", set_cookie="track=1"), body(200, b"{}"))

    with Transport(vision_server.url) as transport:
        for _ in range(2):
            transport.post("x", b"{}", lambda incoming: incoming.json())

    assert "cookie" not in vision_server.headers[1]


def test_a_body_that_is_no_json_is_quoted_from_its_start(vision_server: VisionServer) -> None:
    vision_server.default = body(200, b"<html>hello", content_type="text/html")

    with pytest.raises(BadReply, match="<html>hello"):
        ask(vision_server, tries=1)


@pytest.mark.parametrize(
    "given", ["localhost:8080", "ftp://127.0.0.1/v1", "http://", "http://[::1"]
)
def test_a_url_that_is_none_is_said_to_be_none_at_once(given: str) -> None:
    with pytest.raises(TargetError, match="usable URL"):
        Transport(given)


def test_a_secure_connection_to_a_plain_server_is_explained(vision_server: VisionServer) -> None:
    secure = vision_server.url.replace("http:", "https:")

    with Transport(secure) as transport, pytest.raises(TargetError, match="no secure connection"):
        transport.post("x", b"{}", lambda incoming: incoming.json())


def test_a_server_that_only_ever_says_wait_a_little_is_given_up(
    vision_server: VisionServer,
) -> None:
    vision_server.default = fail(429, retry_after="0")

    with pytest.raises(RateLimited) as caught:
        ask(vision_server, max_wait_s=1.0)

    assert caught.value.effort.attempts <= 12
