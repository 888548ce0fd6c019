"""`evalrun check`: what is found in a suite, what guessing scores, and how it is said."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

from harness.records import Case
from harness.suites import Level
from harness.suites.lint import Report, lint, options_named, policies

from .conftest import Workshop

Evalrun = Callable[..., "subprocess.CompletedProcess[str]"]


def found(report: Report, level: Level) -> list[str]:
    return [f"{it.where}: {it.what}" for it in report.findings if it.level is level]


def a_case(**fields: object) -> Case:
    sound = {
        "id": "a",
        "category": "Counting",
        "question": "How many? Answer with a number.",
        "image": "a.png",
        "expected": "7",
        "grader": "integer",
    }
    return Case(**{**sound, **fields})  # type: ignore[arg-type]


# --- findings -------------------------------------------------------------------------------


def test_a_sound_suite_has_nothing_to_mend(shop: Workshop) -> None:
    shop.toml(shop.case())

    report = lint(shop.root)

    assert (report.sound, report.pictures, report.findings) == (True, 1, ())


def test_problems_of_loading_are_found_beside_those_of_sound_cases(shop: Workshop) -> None:
    shop.toml(shop.case(image="nope.png"), shop.case(id="b", grader="conut"), shop.case(id="c"))

    report = lint(shop.root)

    said = "\n".join(found(report, Level.PROBLEM))
    assert "case bolts: " in said
    assert "case b: grader 'conut' is not one of" in said
    assert [case.id for case in report.suite.cases] == ["c"]


def test_two_answers_to_one_question_contradict_even_across_copies(shop: Workshop) -> None:
    (shop.root / "b.png").write_bytes((shop.root / "a.png").read_bytes())
    shop.toml(shop.case(id="one"), shop.case(id="two", image="b.png", expected="8"))

    report = lint(shop.root)

    assert "two: contradicts one: '8' here, '7' there" in found(report, Level.PROBLEM)
    assert "pictures: 1 are copies of others under another name" in found(report, Level.NOTE)


def test_a_question_put_twice_is_a_warning(shop: Workshop) -> None:
    shop.toml(
        shop.case(id="one"),
        shop.case(id="two", question="how many bolts are  there? Answer with a number."),
    )

    report = lint(shop.root)

    assert found(report, Level.WARNING) == ["two: asks what one asks of the same picture"]
    assert report.sound
    assert not lint(shop.root, strict=True).sound


def test_a_damaged_picture_is_found_though_its_header_is_sound(shop: Workshop) -> None:
    path = shop.root / "b.jpg"
    Image.effect_noise((200, 200), 80).convert("RGB").save(path)
    path.write_bytes(path.read_bytes()[:-900])
    shop.toml(shop.case(), shop.case(id="b", image="b.jpg"))

    (said,) = found(lint(shop.root), Level.PROBLEM)

    assert "b.jpg is damaged" in said


def test_pictures_that_are_not_sent_as_they_are_are_counted(shop: Workshop) -> None:
    Image.new("RGBA", (8, 8)).save(shop.root / "b.png")
    Image.new("RGB", (2000, 8)).save(shop.root / "c.webp")
    shop.toml(shop.case(), shop.case(id="b", image="b.png"), shop.case(id="c", image="c.webp"))

    report = lint(shop.root)

    assert found(report, Level.NOTE) == [
        "pictures: 1 will be sent as PNG, made from: alpha",
        "pictures: 1 will be sent as PNG, made from: WEBP, which not every server reads",
        "pictures: 1 will be sent as PNG, made from: longer than 1024 px",
    ]
    assert report.sound


def test_leading_zeros_that_a_spreadsheet_ate_are_suspected(shop: Workshop) -> None:
    rows = ["a.png,Read the four-digit number.,123"]
    rows.append("a.png,Read the 3 digit number.,123")
    rows.append("a.png,What is the serial number?,1.23E+11")
    rows.append("a.png,Which range is marked?,3-May")
    shop.write("a.csv", "\n".join(["file_name,prompt,answer", *rows]))

    said = found(lint(shop.root / "a.csv"), Level.WARNING)

    for part in [
        "0001-a: '123' has fewer digits",
        "0003-a: '1.23E+11' looks like a text",
        "0004-a: '3-May' looks like a text",
    ]:
        assert any(part in each for each in said), part
    assert not any("0002-a" in each for each in said)


# --- guessing -------------------------------------------------------------------------------


def scores(cases: Sequence[Case]) -> dict[str, float]:
    return {policy.name: round(policy.overall, 3) for policy in policies(cases)}


def test_each_policy_scores_what_it_would_score() -> None:
    lettered = "Which? A) nut B) bolt C) pin"
    cases = [
        a_case(
            id="1", category="X", question="Open? Answer yes or no.", expected="no", grader="yes_no"
        ),
        a_case(
            id="2", category="X", question="Shut? Answer yes or no.", expected="no", grader="yes_no"
        ),
        a_case(
            id="3",
            category="Y",
            question="Full? Answer yes or no.",
            expected="yes",
            grader="yes_no",
        ),
        a_case(
            id="4",
            category="Y",
            question="Left or right?",
            expected="left",
            grader="choice",
            options={"choices": ["right", "left"]},
        ),
        a_case(id="5", category="Y", question=lettered, expected="C", grader="choice"),
        a_case(id="6", category="Z", expected="7"),
        a_case(id="7", category="Z", expected="7"),
        a_case(id="8", category="Z", expected="8"),
    ]

    assert scores(cases) == {
        "constant": 2 / 8,
        "category": round((2 + 1 + 2) / 8, 3),
        "type": round((2 + 1 + 2) / 8, 3),
        "first": round((1 + 1) / 8, 3),
        "last": round((2 + 1) / 8, 3),
        "guess": round((0.5 * 3 + 0.5 + 1 / 3) / 8, 3),
    }


def test_answers_within_a_tolerance_count_as_right() -> None:
    cases = [
        a_case(id=text, expected=text, grader="decimal", options={"tolerance": 1})
        for text in ("4", "5", "6")
    ]

    assert scores(cases)["constant"] == 1.0


def test_the_category_figures_are_those_of_the_same_policy() -> None:
    cases = [
        a_case(id="1", category="X", expected="1"),
        a_case(id="2", category="X", expected="2"),
        a_case(id="3", category="Y", expected="2"),
    ]

    (constant, *_) = policies(cases)

    assert constant.answers == {"all": "2"}
    assert constant.categories == {"X": 0.5, "Y": 1.0}


@pytest.mark.parametrize(
    ("question", "grader", "options", "named"),
    [
        ("Is it open?", "yes_no", {}, ["yes", "no"]),
        ("Is it open? no or yes", "yes_no", {}, ["no", "yes"]),
        ("Which? A. nut\nB. bolt", "choice", {}, ["A", "B"]),
        (
            "Red, green or blue?",
            "choice",
            {"choices": ["blue", "red", "green"]},
            ["red", "green", "blue"],
        ),
        ("How many?", "integer", {}, []),
    ],
)
def test_options_are_those_the_question_names_in_its_order(
    question: str, grader: str, options: dict[str, object], named: list[str]
) -> None:
    case = a_case(question=question, grader=grader, options=options, expected="no")

    assert options_named(case) == named


def test_a_suite_that_guessing_beats_is_warned_of(shop: Workshop) -> None:
    shop.toml(
        *[
            shop.case(
                id=f"c{n}",
                question=f"Is number {n} there? Answer yes or no.",
                expected="yes",
                grader="yes_no",
            )
            for n in range(6)
        ]
    )

    warned = found(lint(shop.root), Level.WARNING)

    assert warned == ["guessable: one answer to all: 100.0 %, over 20.0 %"]


def test_a_category_that_guessing_beats_is_warned_of(shop: Workshop) -> None:
    asked = [
        shop.case(
            id=f"y{n}",
            question=f"Is number {n} there? Answer yes or no.",
            expected="yes",
            grader="yes_no",
            category="Presence",
        )
        for n in range(5)
    ]
    counted = [
        shop.case(id=f"c{n}", question=f"How many {n}?", expected=str(n)) for n in range(1, 30)
    ]
    shop.toml(*asked, *counted)

    warned = found(lint(shop.root), Level.WARNING)

    assert "guessable: one answer to all: 100.0 % in Presence, over 34.0 %" in warned


def test_a_few_prompts_with_answers_of_their_own_raise_no_alarm(shop: Workshop) -> None:
    shop.toml(*[shop.case(id=f"c{n}", question=f"How many {n}?", expected=f"{n}") for n in "234"])

    assert found(lint(shop.root), Level.WARNING) == []


def test_pictures_may_be_as_long_as_the_suite_says(shop: Workshop) -> None:
    Image.new("RGB", (1600, 8)).save(shop.root / "a.png")
    shop.toml(shop.case(), head="image_max_side_px = 1600\n")
    assert lint(shop.root).findings == ()

    shop.toml(shop.case())
    assert "longer than 1024 px" in found(lint(shop.root), Level.NOTE)[0]


# --- the command ----------------------------------------------------------------------------


def test_the_command_exits_with_0_for_a_sound_suite_and_3_for_a_problem(
    shop: Workshop, evalrun: Evalrun
) -> None:
    shop.toml(shop.case())
    done = evalrun("check", shop.root)
    assert (done.returncode, done.stderr) == (0, "")
    assert "sound: nothing to mend" in done.stdout

    shop.toml(shop.case(image="nope.png"))
    done = evalrun("check", shop.root)
    assert done.returncode == 3
    assert "nope.png" in done.stdout
    assert "1 problem" in done.stdout


def test_without_a_suite_the_command_says_what_to_do(tmp_path: Path, evalrun: Evalrun) -> None:
    done = evalrun("check", tmp_path / "nope")

    assert done.returncode == 3
    assert done.stderr.startswith("evalrun: ")
    assert "fix: " in done.stderr
    assert "Traceback" not in done.stderr


def test_what_to_do_about_a_problem_is_said_once_with_the_first_place(
    shop: Workshop, evalrun: Evalrun
) -> None:
    shop.write("bad.csv", "foo,bar\n1,2\n3,4\n")

    said = " ".join(evalrun("check", shop.root / "bad.csv").stdout.split())

    assert said.count("call a column `question`, or name it in [columns] of the side file") == 1
    assert "fix for bad.csv, line 2 and 1 more: call a column `picture`" in said


def test_strict_makes_warnings_problems(shop: Workshop, evalrun: Evalrun) -> None:
    shop.toml(shop.case(), shop.case(id="b"))

    assert evalrun("check", shop.root).returncode == 0
    assert evalrun("check", "--strict", shop.root).returncode == 3


def test_json_has_everything_and_nothing_else_is_on_stdout(
    shop: Workshop, evalrun: Evalrun
) -> None:
    shop.toml(*[shop.case()] * 50)

    done = evalrun("check", shop.root, "--json")

    said = json.loads(done.stdout)
    assert (said["suite"], said["prompts"], said["sound"]) == ("suite", 1, False)
    assert said["counts"]["problem"] == len(said["findings"]) == 49
    assert said["policies"][0]["name"] == "constant"
    assert said["cases"][0]["grader"] == "integer"


def test_a_terminal_of_60_columns_says_what_it_leaves_out(shop: Workshop, evalrun: Evalrun) -> None:
    questions = [shop.case(id=f"c{n}", question=f"How many {n}?") for n in range(9)]
    shop.toml(*(it + '\ncategory = "Document Understanding"' for it in questions))
    done = evalrun("check", shop.root, env={"COLUMNS": "60"})

    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 60
    assert re.search("^Document( Understanding)? +9 ", done.stdout, re.MULTILINE)
    assert "…" not in done.stdout
    assert "left out at 60 characters a line: yes/no" in done.stdout


def test_10000_problems_are_listed_in_bounds(shop: Workshop, evalrun: Evalrun) -> None:
    shop.toml(*[shop.case()] * 10_001)

    done = evalrun("check", shop.root)

    assert "9,980 more" in done.stdout
    assert "10,000 problems" in done.stdout
    assert len(done.stdout) < 8_000


def test_a_hostile_suite_cannot_act_on_the_terminal(shop: Workshop, evalrun: Evalrun) -> None:
    shop.toml(
        shop.case(
            id="\x1b[2Ja", question="\x1b]0;x\x07 [red]how[/red] many?", category="[b]\x1b[0m"
        ),
        shop.case(question="[bold]7[/bold] \x1b[31m"),
        shop.case(question="[/]", id="z"),
    )

    done = evalrun("check", shop.root)

    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "[bold]7[/bold]" in done.stdout


def test_contact_sheets_show_every_category(
    shop: Workshop, evalrun: Evalrun, tmp_path: Path
) -> None:
    shop.toml(*[shop.case(id=f"c{n}", question=f"How many {n}?") for n in range(30)])
    shop.toml(shop.case(id="other", category="Defect Detection"), name="prompts/b.toml")

    done = evalrun("check", shop.root, "--contact-sheet", tmp_path / "sheets")

    names = sorted(path.name for path in (tmp_path / "sheets").iterdir())
    assert names == ["counting-1.png", "counting-2.png", "defect-detection.png"]
    assert "wrote " in done.stderr
    with Image.open(tmp_path / "sheets" / "counting-1.png") as sheet:
        assert sheet.width == 1520
        assert sheet.getcolors(100_000) is not None


def test_a_sheet_that_cannot_be_written_is_an_error_of_its_own(
    shop: Workshop, evalrun: Evalrun
) -> None:
    shop.toml(shop.case())

    done = evalrun("check", shop.root, "--contact-sheet", shop.root / "a.png" / "sheets")

    assert done.returncode == 3
    assert "cannot be written" in done.stderr
