"""Questions on several pictures, from the suite to the record."""

import hashlib
import json
from pathlib import Path

from PIL import Image

from tests.conftest import Evalrun, VisionServer, fail, say

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


SCHEMA = {"type": "object", "properties": {"total": {"type": "number"}}}


def test_the_schema_of_a_case_is_sent_and_stated_in_words_where_the_endpoint_takes_none(
    shop: Workshop, vision_server: VisionServer, evalrun: Evalrun, tmp_path: Path
) -> None:
    shop.write("total.json", json.dumps(SCHEMA))
    case = shop.case(question="What is the total?", expected='{"total": 24.1}', grader="json")
    shop.toml(f'{case}\nschema = "total.json"')
    asked = ("--suite", shop.root, "--model", "m", "--base-url", vision_server.url, "--fresh")
    vision_server.default = say('{"total": 24.1}')

    assert evalrun(*asked).returncode == 0
    assert vision_server.seen[-1]["response_format"]["json_schema"]["schema"] == SCHEMA

    vision_server.then(fail(400, "Unsupported parameter: response_format"))
    done = evalrun(*asked)

    assert done.returncode == 0, done.stderr
    assert "response_format" not in vision_server.seen[-1]
    said = vision_server.seen[-1]["messages"][-1]["content"][-1]["text"]
    assert said.startswith("What is the total?\n")
    assert json.dumps(SCHEMA, separators=(",", ":")) in said
    runs = [path.read_text() for path in (tmp_path / "results").glob("m/*.jsonl")]
    assert ["the schema stands in the question" in run for run in runs].count(True) == 1


def test_a_run_remembers_where_its_pictures_lie(
    shop: Workshop, vision_server: VisionServer, evalrun: Evalrun, tmp_path: Path
) -> None:
    folder = shop.picture("../photos/tray.png").parent
    shop.write("questions.csv", "image,question,answer\ntray.png,Is it red?,yes\n")
    asked = ("--suite", shop.root, "--model", "m", "--base-url", vision_server.url)

    done = evalrun(*asked, "--images", folder)
    report = evalrun("report", "m")

    assert done.returncode == 0, done.stderr
    assert "1 prompts, 1 pictures" in report.stderr
    assert "no picture" not in report.stderr
    (folder / "tray.png").rename(folder / "other.png")
    assert "no picture" in evalrun("report", "m").stderr


def test_a_limit_that_makes_pictures_smaller_is_said_with_both_sizes(
    shop: Workshop, vision_server: VisionServer, evalrun: Evalrun
) -> None:
    Image.new("RGB", (100, 800), "red").save(shop.root / "tall.png")
    shop.write("questions.csv", "image,question,answer\ntall.png,How many dots?,2\n")
    asked = ("--suite", shop.root, "--model", "m", "--base-url", vision_server.url, "--fresh")

    own = evalrun(*asked)
    limited = evalrun(*asked, "--image-max-side", "400")
    unlimited = evalrun(*asked, "--image-max-side", "0")
    tiny = evalrun(*asked, "--image-max-side", "9")

    assert "tall.png" not in own.stderr + unlimited.stderr
    assert unlimited.returncode == 0
    assert (tiny.returncode, "leaves nothing to see" in tiny.stderr) == (2, True)
    assert "tall.png, 100 x 800, is sent as 50 x 400" in limited.stderr
