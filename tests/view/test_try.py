"""One picture and one question to several models, answers streamed."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from harness import suites
from harness.catalogue import Catalogue
from harness.records import HostedSource, ModelCard, Preset
from tests.conftest import VisionServer, fail, say, stream
from tests.report.conftest import HOSTILE, Elements
from tests.view.conftest import Pages, Serve


def pieces(*texts: str, **more: Any) -> list[dict[str, Any]]:
    chunks = [{"choices": [{"delta": {"content": it}}]} for it in texts]
    return [*chunks, {"choices": [{"delta": {}, "finish_reason": "stop"}], **more}]


@pytest.fixture
def picture(pages: Pages, own: suites.Suite) -> str:
    return upload(pages, (own.root / "images" / "plate.png").read_bytes())


def upload(pages: Pages, data: bytes) -> str:
    answer = pages.client.post("/try/picture", content=data, headers=pages.posting)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["picture"])


def ask(pages: Pages, picture: str, *models: tuple[str, str], **more: str) -> str:
    """Put the question; the address of its answers."""
    fields = {"picture": picture, "question": "How many bolts are there?"} | more
    for at, (name, url) in enumerate(models):
        fields |= {f"model{at}": name, f"url{at}": url}
    answer = pages.post("/try/ask", **fields)
    assert answer.status_code == 200, answer.text
    (found,) = re.findall(r'data-trial="(\w+)"', answer.text)
    return f"/try/{found}"


def events(pages: Pages, address: str) -> Iterator[tuple[str, dict[str, Any]]]:
    with pages.client.stream("GET", f"{address}/events") as answer:
        kind = ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                kind = value
            elif name == "data":
                yield kind, json.loads(value)


def test_answers_stream_side_by_side_and_whether_they_agree_is_said(
    pages: Pages, picture: str, vision_server: VisionServer
) -> None:
    vision_server.default = stream(*pieces("There ", "are ", "5."), "data: [DONE]\n\n", wait_s=0.15)

    address = ask(pages, picture, ("one", vision_server.url), ("two", vision_server.url))
    seen = list(events(pages, address))

    texts = [data["text"] for kind, data in seen if kind == "text"]
    answers = [data for kind, data in seen if kind == "answer"]
    assert "There " in texts or "There are " in texts
    assert {it["at"] for it in answers} == {0, 1}
    assert all("There are 5." in it["html"] for it in answers)
    assert all("first token" in it["html"] for it in answers)
    assert seen[-1] == ("done", {"agreement": "They agree: 5"})


def test_an_endpoint_that_dies_in_mid_answer_is_said_beside_the_others(
    pages: Pages, picture: str, vision_server: VisionServer
) -> None:
    vision_server.then(say("5"))
    vision_server.default = stream({"choices": [{"delta": {"content": "There"}}]}, cut=True)

    first = list(events(pages, ask(pages, picture, ("well", vision_server.url))))
    second = list(events(pages, ask(pages, picture, ("dying", vision_server.url))))

    assert "5" in first[-2][1]["html"]
    assert "error:" in second[-2][1]["html"]
    assert second[-1][0] == "done"


def test_an_endpoint_that_refuses_is_an_error_in_its_column(
    pages: Pages, picture: str, vision_server: VisionServer
) -> None:
    vision_server.default = fail(400, "no such model")

    seen = list(events(pages, ask(pages, picture, ("m", vision_server.url))))

    assert "no such model" in seen[-2][1]["html"]


def test_a_model_of_two_servers_is_not_asked_at_one_of_them_alone(
    pages: Pages, picture: str
) -> None:
    fields = {"model0": "m", "url0": "http://127.0.0.1:1/v1", "model1": "m"}

    answer = pages.post("/try/ask", picture=picture, question="Is it?", **fields)

    assert answer.status_code == 400
    assert "wo servers are given for m" in Elements(answer.text).text


def test_anthropics_own_api_streams_as_well(
    serve: Serve, own: suites.Suite, vision_server: VisionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAUDE_KEY", "sk-ant-0123456789")
    card = ModelCard(name="claude", hosted=(HostedSource(preset="anthropic", model_id="claude-x"),))
    preset = Preset(
        name="anthropic",
        base_url=vision_server.url,
        api_key_env="CLAUDE_KEY",
        source="s",
        as_of="2026-01-01",
    )
    pages = serve(cards=Catalogue(cards={"claude": card}, presets={"anthropic": preset}))
    deltas = [
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": it}}
        for it in ("There ", "are ", "5.")
    ]
    last = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}
    vision_server.default = stream(*deltas, last, {"type": "message_stop"}, wait_s=0.15)
    picture = upload(pages, (own.root / "images" / "plate.png").read_bytes())

    seen = list(events(pages, ask(pages, picture, ("claude", ""))))

    texts = [data["text"] for kind, data in seen if kind == "text"]
    assert "There " in texts or "There are " in texts
    (html,) = (data["html"] for kind, data in seen if kind == "answer")
    assert "There are 5." in html
    assert "first token" in html


def test_hidden_names_are_shown_after_the_vote(
    pages: Pages, picture: str, vision_server: VisionServer
) -> None:
    models = (("secret-a", vision_server.url), ("secret-b", vision_server.url))
    fields = {"picture": picture, "question": "Is it?", "hidden": "1"}
    for at, (name, url) in enumerate(models):
        fields |= {f"model{at}": name, f"url{at}": url}

    started = pages.post("/try/ask", **fields).text
    (trial,) = re.findall(r'data-trial="(\w+)"', started)
    seen = json.dumps(list(events(pages, f"/try/{trial}")))
    voted = pages.post(f"/try/{trial}/vote", best="0").text

    assert "secret" not in started + seen
    assert "secret-a" in voted
    assert "your choice" in voted


def test_a_question_is_saved_as_a_case_of_ones_own_suite(
    serve: Serve, tmp_path: Path, own: suites.Suite, vision_server: VisionServer
) -> None:
    pages = serve(suite=tmp_path / "mine")
    picture = upload(pages, (own.root / "images" / "bolts.png").read_bytes())
    address = ask(pages, picture, ("m", vision_server.url))

    saved = pages.post(f"{address}/save", expected="5", category="Counting")
    without = pages.post(f"{address}/save", expected=" ")

    (case,) = suites.load(tmp_path / "mine").cases
    assert "graded as integer" in saved.text
    assert (case.question, case.expected) == ("How many bolts are there?", "5")
    assert without.status_code == 400


@pytest.mark.parametrize(
    "data", [b"no picture", b"", b"\x89PNG\r\n\x1a\n"], ids=["text", "empty", "torn"]
)
def test_what_is_no_picture_is_refused_in_words(pages: Pages, data: bytes) -> None:
    answer = pages.client.post("/try/picture", content=data, headers=pages.posting)

    assert answer.status_code == 409
    assert "What to do:" in Elements(answer.text).text


def test_a_picture_of_60_megapixels_is_refused_before_it_is_decoded(pages: Pages) -> None:
    data = io.BytesIO()
    Image.new("1", (10_000, 6_000)).save(data, "PNG")

    answer = pages.client.post("/try/picture", content=data.getvalue(), headers=pages.posting)

    assert answer.status_code == 409
    assert "The picture has 10000 x 6000 pixels" in answer.text


def test_more_than_a_picture_can_be_is_not_taken_in(pages: Pages) -> None:
    chunks = (b"x" * 2**20 for _ in range(70))

    answer = pages.client.post("/try/picture", content=chunks, headers=pages.posting)

    assert answer.status_code == 400
    assert "65,536 KiB" in answer.text


def test_a_question_without_picture_words_or_model_says_what_is_missing(
    pages: Pages, picture: str
) -> None:
    without = pages.post("/try/ask", question="?", model0="demo")
    nothing = pages.post("/try/ask", picture=picture, question=" ", model0="demo")
    nobody = pages.post("/try/ask", picture=picture, question="What?")

    assert "there is no picture" in without.text.lower()
    assert "nothing is asked" in nothing.text.lower()
    assert "no model is named" in nobody.text.lower()


def test_a_model_that_cannot_be_reached_says_what_would_help(pages: Pages, picture: str) -> None:
    seen = list(events(pages, ask(pages, picture, ("nobody-knows-it", ""))))

    assert "error:" in seen[-2][1]["html"]


def test_a_hostile_reply_is_text(pages: Pages, picture: str, vision_server: VisionServer) -> None:
    vision_server.default = stream(*pieces(HOSTILE), "data: [DONE]\n\n")

    seen = list(events(pages, ask(pages, picture, ("m", vision_server.url))))

    html = next(data["html"] for kind, data in seen if kind == "answer")
    assert not {"script", "img", "svg", "iframe", "a"} & {tag for tag, _ in Elements(html).tags}
    assert "\x1b" not in html
