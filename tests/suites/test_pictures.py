"""Questions on several pictures, from the suite to the record."""

import hashlib
import json
from pathlib import Path

from PIL import Image

from tests.conftest import Evalrun, VisionServer, say

from .conftest import Workshop


def test_all_pictures_of_a_question_are_sent_in_their_order_and_recorded(
    shop: Workshop, vision_server: VisionServer, evalrun: Evalrun, tmp_path: Path
) -> None:
    second = shop.picture("b.png", "blue")
    question = "Which is red, <image 1> or <image 2>? Answer first or second."
    shop.toml(
        shop.case(
            question=question,
            image=None,
            images=["b.png", "a.png"],
            expected="second",
            grader="choice",
            choices=["first", "second"],
        ),
        shop.case(id="one", expected="second", grader="text"),
    )
    vision_server.default = say("second")

    done = evalrun("--suite", shop.root, "--model", "m", "--base-url", vision_server.url)

    assert done.returncode == 0, done.stderr
    asked = [body["messages"][-1]["content"] for body in vision_server.seen]
    (both,) = [content for content in asked if len(content) == 3]
    assert [part["type"] for part in both] == ["image_url", "image_url", "text"]
    assert both[0] != both[1]
    assert question in both[2]["text"]
    (path,) = (tmp_path / "results").glob("m/*.jsonl")
    records = {
        line["case"]["id"]: line
        for line in map(json.loads, path.read_text().splitlines())
        if line["type"] == "record"
    }
    sent = [hashlib.sha256(it.read_bytes()).hexdigest() for it in (second, shop.root / "a.png")]
    assert records["bolts"]["images_sha256"] == sent
    assert records["bolts"]["image_sha256"] == sent[0]
    assert records["bolts"]["case"]["images"] == ["b.png", "a.png"]
    assert "images_sha256" not in records["one"]


def test_a_limit_that_makes_pictures_smaller_is_said_with_both_sizes(
    shop: Workshop, vision_server: VisionServer, evalrun: Evalrun
) -> None:
    Image.new("RGB", (100, 800), "red").save(shop.root / "tall.png")
    shop.write("questions.csv", "image,question,answer\ntall.png,How many dots?,2\n")
    asked = ("--suite", shop.root, "--model", "m", "--base-url", vision_server.url, "--fresh")

    own = evalrun(*asked)
    limited = evalrun(*asked, "--image-max-side", "400")

    assert "tall.png" not in own.stderr
    assert "tall.png, 100 x 800, is sent as 50 x 400" in limited.stderr
