"""The sight test, against endpoints whose eyesight is known."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.adapters import Target
from harness.adapters.openai import open_openai
from harness.eyes import card as cards
from harness.eyes.card import EyeCard, Thinking
from harness.eyes.exam import Exam
from harness.eyes.marking import mark, summary
from harness.eyes.questions import Answer, questions
from harness.records import Price
from harness.transport import Limits
from tests.conftest import Evalrun, VisionServer, _Handler, body, fail, say
from tests.eyes.sighted import Sighted, drawn

SEED = 11


def examine(server: VisionServer, *tests: str, **options: Any) -> EyeCard:
    """Sit the exam, or these tests of it behind the first."""
    asked = [it for it in drawn(SEED) if not tests or it.test in ("arrives", *tests)]
    limits = Limits(tries=2, give_up_s=0.3)
    target = Target(model="tiny", base_url=server.url, limits=limits)
    with open_openai(target) as adapter:
        exam = Exam(asked, **options)
        answers: list[Answer] = list(exam.sit(adapter))
        now = datetime.now(UTC)
        return mark(
            answers,
            exam,
            endpoint=adapter.opened.base_url,
            backend=adapter.opened.backend,
            model="tiny",
            seed=SEED,
            measured_at=now,
            seconds=1.0,
        )


Mortal = tuple[ThreadingHTTPServer, VisionServer]


@pytest.fixture
def mortal() -> Iterator[Mortal]:
    """A server that the test may end."""
    state = VisionServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("H", (_Handler,), {"state": state}))
    state.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server, state
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_endpoint_that_sees_well_gets_a_card_without_a_fault(
    vision_server: VisionServer,
) -> None:
    vision_server.default = Sighted(SEED).answer
    price = Price(in_usd_per_mtok=1.0, out_usd_per_mtok=0.0, as_of="2026-11-26")

    card = examine(vision_server, price=price)

    assert card.arrives is True
    assert card.shrinks_to_px is None
    assert "a picture of 1,024 px costs $0.001369" in card.verdicts["image tokens"]
    assert card.whole_picture is True
    assert set(card.formats.values()) == {"read"}
    assert card.coordinates == "1000-xyxy"
    assert card.mixes_up_concurrent_pictures is False
    assert card.pictures_per_question == 4
    assert card.repeatable is True
    assert card.schema is True
    assert card.counting is not None
    assert card.counting.right == card.counting.asked == 3
    assert card.colour is not None
    assert card.colour.right == 12
    assert card.not_run == {}
    assert summary(card) == "sees colours, numbers of things, text, places"
    assert card.calls == len(vision_server.seen) <= 50


@pytest.mark.parametrize("shrinks_to_px", [512, 1024])
def test_shrinking_on_the_way_is_found_within_a_fifth(
    vision_server: VisionServer, shrinks_to_px: int
) -> None:
    vision_server.default = Sighted(SEED, shrinks_to_px=shrinks_to_px).answer

    card = examine(vision_server, "acuity")

    assert card.shrinks_to_px == pytest.approx(shrinks_to_px, rel=0.2)
    low, high = card.shrinks_between_px or (0, 0)
    assert high is not None
    assert low <= shrinks_to_px <= high
    assert card.settings["image-max-side"] == card.shrinks_to_px


@pytest.mark.parametrize(
    "convention",
    [
        "pixel-xyxy",
        "pixel-yxyx",
        "pixel-xywh",
        "pixel-cxcywh",
        "1000-xyxy",
        "1000-yxyx",
        "1000-cxcywh",
        "unit-xyxy",
        "unit-yxyx",
        "unit-xywh",
    ],
)
def test_the_convention_of_coordinates_is_found_through_noise(
    vision_server: VisionServer, convention: str
) -> None:
    vision_server.default = Sighted(SEED, convention=convention).answer

    assert examine(vision_server, "where").coordinates == convention


def test_pixels_of_a_shrunk_picture_are_told_as_such(vision_server: VisionServer) -> None:
    vision_server.default = Sighted(SEED, convention="half-xyxy").answer

    card = examine(vision_server, "where")

    assert card.coordinates is None
    assert "pixels of a picture shrunk to about" in card.verdicts["where"]


def test_pictures_that_are_mixed_up_flat_tokens_and_crops_are_found(
    vision_server: VisionServer,
) -> None:
    vision_server.default = Sighted(
        SEED,
        mixes_up=True,
        flat_tokens=True,
        crops_to_middle=True,
        takes_webp=False,
        turns_upright=False,
        most_pictures=1,
    ).answer

    card = examine(vision_server)

    assert card.mixes_up_concurrent_pictures is True
    assert "flat rate" in card.verdicts["image tokens"]
    assert card.whole_picture is False
    assert "wide: not seen top left" in card.verdicts["whole picture"]
    assert card.formats["WebP"].startswith("refused")
    assert card.formats["Exif"] == "not turned upright"
    assert card.pictures_per_question == 1
    assert card.settings["concurrency"] == 1


def test_an_endpoint_that_drops_pictures_has_no_eyes_after_four_calls(
    vision_server: VisionServer,
) -> None:
    vision_server.default = Sighted(SEED, drops_pictures=True).answer

    card = examine(vision_server)

    assert (card.arrives, card.calls) == (False, 4)
    assert card.not_run["smallest_legible_px"] == "pictures do not arrive"


def test_reasoning_in_the_content_is_not_read_as_the_answer(vision_server: VisionServer) -> None:
    vision_server.default = Sighted(SEED, mixes_up=True, thinks_aloud=True).answer

    card = examine(vision_server, "concurrent")

    assert card.arrives is True
    assert card.mixes_up_concurrent_pictures is True


@pytest.mark.parametrize(
    ("thinks_tokens", "obeys", "found"),
    [
        (400, True, Thinking(unasked=True, can_be_switched_off=True, keeps_to_budget=True)),
        (400, False, Thinking(unasked=True, can_be_switched_off=False, keeps_to_budget=False)),
        (50, True, Thinking(unasked=True, can_be_switched_off=True)),
        (0, True, Thinking(unasked=False)),
    ],
)
def test_thinking_unasked_its_switch_and_its_budget_are_found(
    vision_server: VisionServer, thinks_tokens: int, obeys: bool, found: Thinking
) -> None:
    vision_server.default = Sighted(SEED, thinks_tokens=thinks_tokens, obeys=obeys).answer

    card = examine(vision_server, "counting", "thinking")

    assert card.thinking == found
    assert card.settings.get("thinking") == ("off" if found.can_be_switched_off else None)
    assert ("cannot tell" in card.verdicts["thinking"]) == (thinks_tokens == 50)


def test_a_text_only_model_has_no_eyes_after_one_call(vision_server: VisionServer) -> None:
    vision_server.default = fail(400, "this model does not support image input")

    card = examine(vision_server)

    assert (card.arrives, card.calls) == (False, 1)
    assert summary(card).startswith("no eyes")


def test_a_failed_call_costs_its_test_and_not_the_card(vision_server: VisionServer) -> None:
    sighted = Sighted(SEED)

    def answer(handler: Any, request: dict[str, Any]) -> None:
        text = str(request["messages"][-1]["content"])
        (fail(400, "no dots here") if "dots" in text else sighted.answer)(handler, request)

    vision_server.default = answer

    card = examine(vision_server)

    assert card.counting is None
    assert "no dots here" in card.not_run["counting"]
    assert card.arrives is True


def test_a_spent_budget_and_a_stop_leave_a_partial_card(vision_server: VisionServer) -> None:
    vision_server.default = Sighted(SEED).answer
    price = Price(in_usd_per_mtok=1000.0, out_usd_per_mtok=0.0, as_of="2026-11-26")

    card = examine(vision_server, price=price, max_cost_usd=5.0)

    assert card.arrives is True
    assert card.not_run["counting"] == "--max-cost was reached"
    assert card.cost_usd is not None

    stopping = threading.Event()
    stopping.set()
    stopped = examine(vision_server, stopping=stopping)
    assert stopped.not_run["smallest_legible_px"] == "stopped"


def test_a_card_is_kept_and_the_newest_of_the_same_endpoint_is_found(
    vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = say("I see nothing.")
    card = examine(vision_server)

    path = cards.save(tmp_path, card)

    assert path.parent.name == "tiny"
    assert path.name.startswith("eyes-")
    assert cards.read(path) == card
    assert cards.newest(tmp_path, "tiny", card.endpoint) == card
    assert cards.newest(tmp_path, "tiny", "http://elsewhere/v1") is None


def test_charts_are_new_for_each_seed_and_the_same_for_the_same() -> None:
    again = questions(SEED)

    assert [it.images for it in again] == [it.images for it in drawn(SEED)]
    assert again[0].images != questions(SEED + 1)[0].images


def test_the_command_shows_the_card_keeps_it_and_writes_the_charts(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = Sighted(SEED, shrinks_to_px=1024).answer
    where = ("--model", "tiny", "--base-url", vision_server.url, "--seed", str(SEED))

    shown = evalrun("eyes", *where, "--charts", "charts")
    as_json = evalrun("eyes", *where, "--json", "--log", "calls.jsonl")

    assert shown.returncode == as_json.returncode == 0, shown.stderr
    assert "tiny: sees colours, numbers of things, text, places" in shown.stdout
    assert "--coordinates 1000-xyxy" in " ".join(shown.stdout.split())
    card = json.loads(as_json.stdout)
    assert abs(card["shrinks_to_px"] / 1024 - 1) < 0.2
    assert len(list((tmp_path / "results" / "tiny").glob("eyes-*.json"))) >= 1
    assert len(list((tmp_path / "charts").iterdir())) > 40
    assert len((tmp_path / "calls.jsonl").read_text().splitlines()) == card["calls"]


def test_the_demonstration_model_sees_colours_and_nothing_else(evalrun: Evalrun) -> None:
    done = evalrun("eyes", "--json", "--seed", "3")

    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    assert card["arrives"] is True
    assert card["left_right"] == {"right": 4, "asked": 4}
    assert card["counting"]["right"] <= 1
    assert not any(card["smallest_legible_px"].values())
    assert card["coordinates"] is card["whole_picture"] is None
    assert card["formats"]["Exif"] == card["formats"]["greyscale PNG"] == "taken"


def test_nobody_answering_is_exit_4_and_bad_options_exit_2(
    evalrun: Evalrun, free_port: int, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")

    gone = evalrun("eyes", "--model", "m", "--base-url", f"http://127.0.0.1:{free_port}/v1")
    no_folder = evalrun("eyes", "--charts", "file/charts")
    recorded = evalrun("eyes", "--replay", "example")

    assert gone.returncode == 4
    assert "Traceback" not in gone.stderr
    assert no_folder.returncode == recorded.returncode == 2
    assert "fix: name a folder" in no_folder.stderr


def test_a_run_follows_the_newest_card_and_compare_warns_of_shrunk_pictures(
    evalrun: Evalrun, vision_server: VisionServer, suite: Path, tmp_path: Path
) -> None:
    vision_server.default = Sighted(SEED, shrinks_to_px=512, convention="1000-yxyx").answer
    where = ("--model", "tiny", "--base-url", vision_server.url)
    assert evalrun("eyes", *where, "--seed", str(SEED)).returncode == 0
    vision_server.default = say("yes")

    run = evalrun("--suite", suite, *where)
    again = evalrun("--suite", suite, *where, "--fresh")
    ids = sorted(path.stem for path in (tmp_path / "results" / "tiny").glob("2*.jsonl"))
    compared = evalrun("compare", *(f"tiny/{it}" for it in ids))

    assert run.returncode == again.returncode == 0, run.stderr
    assert "coordinates 1000-yxyx, as the sight test tiny/eyes-" in " ".join(run.stderr.split())
    assert "pictures arrived shrunk to about" in " ".join(compared.stdout.split())


def test_a_card_that_cannot_be_kept_is_shown_all_the_same(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = fail(400, "image input is not supported by this model")
    (tmp_path / "full").write_text("a file where the folder would be")

    where = ("--model", "tiny", "--base-url", vision_server.url, "--results", "full")
    done = evalrun("eyes", *where, "--json")

    assert done.returncode == 7
    assert json.loads(done.stdout)["arrives"] is False
    assert "cannot be written" in done.stderr


def test_a_server_that_dies_midway_ends_the_exam_soon_with_a_partial_card(mortal: Mortal) -> None:
    server, state = mortal
    sighted, calls = Sighted(SEED), itertools.count()

    def answer(handler: Any, request: dict[str, Any]) -> None:
        if next(calls) == 12:
            server.shutdown()
            server.server_close()
        sighted.answer(handler, request)
        handler.close_connection = True

    state.default = answer

    card = examine(state)

    assert card.arrives
    assert "no connection to" in card.not_run["counting"]


def test_an_exam_that_ends_midway_is_exit_5_with_a_partial_card(
    evalrun: Evalrun, vision_server: VisionServer
) -> None:
    vision_server.then(*[Sighted(SEED).answer] * 12)
    vision_server.default = fail(401, "the key has expired")

    where = ("--model", "t", "--base-url", vision_server.url, "--seed", str(SEED))
    done = evalrun("eyes", *where, "--json")

    assert done.returncode == 5, done.stderr
    assert "expired" in json.loads(done.stdout)["not_run"]["counting"]


def test_a_stop_does_not_wait_for_a_call_that_hangs(vision_server: VisionServer) -> None:
    stopping, sighted, released = threading.Event(), Sighted(SEED), threading.Event()
    calls = itertools.count(1)

    def answer(handler: Any, request: dict[str, Any]) -> None:
        if next(calls) == 6:
            stopping.set()
            released.wait(20)
        sighted.answer(handler, request)

    vision_server.default = answer
    began = time.monotonic()

    card = examine(vision_server, "counting", stopping=stopping, grace_s=0.2)
    took_s = time.monotonic() - began
    released.set()

    assert took_s < 10
    assert card.arrives
    assert card.not_run["counting"] == "stopped"


def test_a_server_fault_is_no_refusal(vision_server: VisionServer) -> None:
    sighted = Sighted(SEED)

    def answer(handler: Any, request: dict[str, Any]) -> None:
        several = "Each picture shows" in str(request["messages"])
        (body(200, b"") if several else sighted.answer)(handler, request)

    vision_server.default = answer

    card = examine(vision_server, "several")

    assert card.pictures_per_question is None
    assert "pictures_per_question" in card.not_run
