"""The render command on flat pictures: what it writes, skips, redraws and refuses."""

import os
import signal
import subprocess
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from fixtures.scenes.output import sha256

ROOT = Path(__file__).parents[2]
IMAGE = "fixtures/images/object-counting/oc-01-thing.jpg"


def test_a_picture_comes_with_its_facts_its_prompt_and_its_source(studio) -> None:
    studio.family("thing", questions=("oc-01-thing-first", "oc-01-thing-second"))
    done = studio.run("render", "--seed", "7")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(studio.out / IMAGE)]
    with Image.open(studio.out / IMAGE) as image:
        assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (640, 480))
    facts = studio.pictures()["oc-01-thing"]
    assert facts["sha256"] == sha256(studio.out / IMAGE)
    assert facts["recipe"]["seed"] == 7
    assert facts["attempt"] == 0
    cases = tomllib.loads((studio.out / "prompts/object-counting.toml").read_text())["case"]
    assert [case["id"] for case in cases] == ["oc-01-thing-first", "oc-01-thing-second"]
    assert {case["image"] for case in cases} == {IMAGE}
    assert cases[0]["expected"] == str(facts["notes"]["color"][0])
    assert facts["sha256"] in (studio.out / "fixtures/images/SOURCES.md").read_text()


def test_only_the_form_that_viewers_saw_says_how_many_were_right(studio) -> None:
    studio.family("thing")
    for seed, said in (("1", True), ("2", False)):
        studio.run("render", "--seed", seed)
        sources = (studio.out / "fixtures/images/SOURCES.md").read_text()
        assert ("| `oc-01-thing-asked` | medium |" in sources) is said


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_answer(studio) -> None:
    studio.family("thing")
    studio.run("render", "--seed", "1")
    first = studio.pictures()["oc-01-thing"]
    studio.run("render", "--seed", "1", "--force")
    assert studio.pictures()["oc-01-thing"]["sha256"] == first["sha256"]
    studio.run("render", "--seed", "2")
    assert studio.pictures()["oc-01-thing"]["questions"] != first["questions"]


def test_what_is_there_is_not_made_again(studio) -> None:
    studio.family("thing")
    studio.run("render")
    again = studio.run("render")
    assert again.returncode == 0
    assert "oc-01-thing: is there already" in again.stderr
    assert again.stdout == ""
    assert "is there already" in studio.run("render", "--draft").stderr


@pytest.mark.parametrize("damage", ["unlink", "spoil", "edit", "draft"])
def test_a_picture_is_made_again_when_it_is_gone_spoilt_outdated_or_a_draft(
    studio, damage: str
) -> None:
    studio.family("thing")
    studio.run("render", *(["--draft"] if damage == "draft" else []))
    if damage == "unlink":
        (studio.out / IMAGE).unlink()
    elif damage == "spoil":
        (studio.out / IMAGE).write_bytes(b"not a picture")
    elif damage == "edit":
        studio.family("thing", body="pass  # changed")
    assert "oc-01-thing: done" in studio.run("render").stderr
    assert studio.pictures()["oc-01-thing"]["sha256"] == sha256(studio.out / IMAGE)


def test_a_failed_check_draws_again_with_the_next_sub_seed_and_says_so(studio) -> None:
    studio.family("thing", body="if ctx.attempt < 2: raise Redraw('a nut hides the bolt')")
    done = studio.run("render")
    assert done.returncode == 0
    assert "drawn again with sub-seed 2: a nut hides the bolt" in done.stderr
    facts = studio.pictures()["oc-01-thing"]
    assert (facts["attempt"], len(facts["redraws"])) == (2, 2)


def test_a_scene_that_never_passes_is_given_up_after_twelve_sub_seeds(studio) -> None:
    studio.family("thing", body="raise Redraw('never right')")
    studio.family("other", id="oc-02-other")
    done = studio.run("render")
    assert done.returncode == 3
    assert "failed its own check with all 12 sub-seeds" in done.stderr
    assert "1 not made: oc-01-thing" in done.stderr
    assert list(studio.pictures()) == ["oc-02-other"]


def test_a_build_that_crashes_fails_alone(studio) -> None:
    studio.family("thing", body="raise ZeroDivisionError('in the scene')")
    studio.family("other", id="oc-02-other")
    done = studio.run("render", "--jobs", "2")
    assert done.returncode == 3
    assert "ZeroDivisionError: in the scene" in done.stderr
    assert list(studio.pictures()) == ["oc-02-other"]


def test_questions_must_be_the_announced_ones(studio) -> None:
    studio.family("thing")
    file = studio.families / "thing.py"
    file.write_text(file.read_text().replace("Question(id=q", "Question(id='oc-01-else'"))
    done = studio.run("render")
    assert done.returncode == 3
    assert "build asks ('oc-01-else',)" in done.stderr


def test_a_picture_no_family_makes_any_more_is_removed_by_a_full_render(studio) -> None:
    studio.family("thing")
    studio.family("other", id="oc-02-other")
    studio.run("render")
    (studio.families / "thing.py").unlink()
    studio.run("render", "--id", "oc-02-other")
    assert (studio.out / IMAGE).exists()
    assert "oc-01-thing: removed" in studio.run("render").stderr
    assert not (studio.out / IMAGE).exists()
    assert list(studio.pictures()) == ["oc-02-other"]


def test_two_renders_at_once_lose_nothing(studio) -> None:
    ids = [f"oc-{i:02d}-thing" for i in range(1, 7)]
    for name in ids:
        studio.family(name.replace("-", "_"), id=name)
    both = [
        subprocess.Popen(
            studio.command("render", *(f"--id={name}" for name in half)),
            cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for half in (ids[:3], ids[3:])
    ]  # fmt: skip
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert list(studio.pictures()) == ids
    cases = tomllib.loads((studio.out / "prompts/object-counting.toml").read_text())["case"]
    assert len(cases) == 6


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_render_keeps_what_is_finished_and_leaves_no_rubbish(
    studio, number: int, code: int
) -> None:
    studio.family("a", id="oc-01-thing")
    studio.family("b", id="oc-02-slow", body="time.sleep(600)")
    process = subprocess.Popen(
        studio.command("render", "--jobs", "1"), cwd=ROOT, text=True, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    with process.stderr as words:
        for line in words:
            if line.startswith("oc-02-slow: started"):
                break
        os.killpg(process.pid, number)
        said = words.read()
    assert process.wait(timeout=60) == code
    assert "finished pictures are kept" in said
    assert "run the same command again" in said
    assert list(studio.pictures()) == ["oc-01-thing"]
    assert studio.leftovers() == []


def test_a_disk_that_refuses_is_reported_in_one_sentence(studio) -> None:
    studio.family("thing")
    command = [
        "bash",
        "-c",
        'ulimit -f 1; export PYTHONDONTWRITEBYTECODE=1; exec "$@"',
        "bash",
        *studio.command("render"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7
    assert "Traceback" not in done.stderr
    assert "free some disk space" in done.stderr
    assert not (studio.out / IMAGE).exists()
    assert studio.leftovers() == []


def test_an_output_folder_that_is_a_file_is_refused(studio) -> None:
    studio.family("thing")
    studio.out.write_text("in the way")
    done = studio.run("render")
    assert done.returncode == 7
    assert "Traceback" not in done.stderr
    assert "--out" in done.stderr


@pytest.mark.skipif(find_spec("bpy") is not None, reason="bpy is installed here")
def test_without_blender_render_says_what_to_install(studio) -> None:
    studio.family("thing", flat=False)
    done = studio.run("render")
    assert done.returncode == 2
    assert "pip install -e '.[scenes]'" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--seed", "-1"], "use a whole number from 0 up"),
        (["--seed", "one"], "use a whole number from 0 up"),
        (["--jobs", "0"], "use 1 or more"),
        (["--id", "oc-09"], "list` shows them all"),
        (["--category", "animals"], "there is no category 'animals'"),
        (["--device", "tpu"], "choose from"),
    ],
)
def test_a_wrong_argument_is_answered_with_what_is_right(
    studio, arguments: list[str], words: str
) -> None:
    studio.family("thing")
    done = studio.run("render", *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert not studio.out.exists()


def test_list_shows_pictures_questions_states_and_sums(studio) -> None:
    studio.family("thing")
    studio.family("odd", id="su-01-odd", draws="YesNo(),")
    studio.run("render", "--id", "oc-01-thing")
    shown = studio.run("list")
    assert shown.returncode == 0
    assert "oc-01-thing  (thing.py; final, seed 1)" in shown.stdout
    assert "    oc-01-thing-asked" in shown.stdout
    assert "su-01-odd  (odd.py; not rendered)" in shown.stdout
    assert "Object Counting: 1 questions on 1 pictures" in shown.stdout
    assert "1 yes/no members" in shown.stderr
