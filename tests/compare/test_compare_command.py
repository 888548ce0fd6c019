"""`evalrun compare` as a process: every format, every exit code, hostile replies."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from tests.compare.conftest import WriteRun, cases
from tests.conftest import Evalrun, VisionServer, say, write_suite

IDS = [case.id for case in cases()]
HOSTILE = "\x1b]0;owned\x07\x1b[31m[bold]<script>alert(1)</script> | `x` \u202egnp.exe @all\x00"
ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]")

PUBLISHED = """
organization | Google | Mistral AI
category | open | open
modality | multimodal | multimodal
release date | June 2026 | 17 March 2025
context window | – | 128K
parameters | 12B | 24B
license | Apache 2.0 | Apache 2.0
price in / out per 1M tokens | – | $0.351 / $0.555
vision tasks | – | Captioning, OCR, Visual Question Answering, Vision Language
features | – | –
score key | fair | poor
overall | 62.69 % (42/67) | 38.81 % (26/67)
avg response time | 6.88 s | 3.18 s
cost per task | – | $0.0005
Defect Detection | 73.3 % (11/15) | 66.7 % (10/15)
Document Understanding | 88.9 % (8/9) | 11.1 % (1/9)
Object Counting | 10 % (1/10) | 0 % (0/10)
Object Understanding | 78.6 % (11/14) | 50 % (7/14)
Spatial Understanding | 57.9 % (11/19) | 42.1 % (8/19)
"""


@pytest.fixture
def two_runs(write_run: WriteRun) -> None:
    write_run("old", lambda case: case.id in IDS[:50])
    write_run("new", lambda case: case.id in IDS[:30], texts={"dd-00": HOSTILE, IDS[40]: HOSTILE})


def test_the_published_table_is_reproduced_figure_for_figure(evalrun: Evalrun) -> None:
    done = evalrun("compare", "gemma-4-12b", "mistral-small-3.1", "--csv", "-")

    table = list(csv.DictReader(io.StringIO(done.stdout)))
    printed = [(it["row"], it["gemma-4-12b"], it["mistral-small-3.1"]) for it in table[1:]]
    wanted = [tuple(line.split(" | ")) for line in PUBLISHED.strip().splitlines()]
    assert printed == [tuple("" if it == "–" else it for it in line) for line in wanted]
    assert table[0]["gemma-4-12b"] == "published, not measured here"


def test_the_terminal_shows_the_published_table_with_its_overviews_and_tasks(
    evalrun: Evalrun,
) -> None:
    done = evalrun("compare", "gemma-4-12b", "mistral-small-3.1")

    assert done.returncode == 0, done.stderr
    positions = []
    for line in PUBLISHED.strip().splitlines():
        label, *cells = line.split(" | ")
        start = " ".join(label.split()[:2])
        row = next(it for it in done.stdout.splitlines() if it.strip().startswith(start))
        assert all(cell.split(", ")[0] in row for cell in cells), line
        positions.append(done.stdout.index(row))
    assert positions == sorted(positions)
    for text in (
        "published, not measured here",
        "rank 68 of 74",
        "pairing unknown",
        "About gemma-4-12b:",
        "About mistral-small-3.1:",
        "too few vision tasks",
        "score key: good >= 75 %, fair 40 to under 75 %, poor < 40 %",
    ):
        assert text in " ".join(done.stdout.split())


@pytest.mark.usefixtures("two_runs")
def test_the_terminal_puts_the_verdict_first_and_the_differing_prompts_below(
    evalrun: Evalrun,
) -> None:
    done = evalrun("compare", "old", "new", "--results", "results")

    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    assert text.startswith("new is worse than old: 44.8 % against 74.6 %")
    assert "Prompts where they differ (20)" in text
    assert "su-02" not in text
    ou = text[text.index("ou-01") :]
    assert "asked What is number 1? expected 1 old pass 1 new fail no idea" in ou
    assert "p < 0.001" in text


@pytest.mark.parametrize(
    ("old", "noise"), [((True, True), 5.0), ((True,), 10.0)], ids=["both repeat", "one repeats"]
)
def test_how_many_flips_the_noise_between_repeats_explains_is_shown(
    evalrun: Evalrun, write_run: WriteRun, old: tuple[bool, ...], noise: float
) -> None:
    wobbly = dict.fromkeys(IDS[:10], (True, False))
    write_run("old", dict.fromkeys(IDS, old), repeats=len(old))
    write_run("new", dict.fromkeys(IDS, (True, True)) | wobbly, repeats=2)

    shown = evalrun("compare", "old", "new")
    (contrast,) = json.loads(evalrun("compare", "old", "new", "--json").stdout)["contrasts"]

    assert contrast["flips"] == {"seen": 5.0, "by_noise": noise}
    assert (
        f"disagrees on 5.0 of 67 verdicts; the noise between repeats alone would explain {noise}"
        in (" ".join(shown.stdout.split()))
    )


@pytest.mark.usefixtures("two_runs")
@pytest.mark.parametrize("columns", ["60", "80", "200"])
def test_no_line_is_wider_than_the_terminal(evalrun: Evalrun, columns: str) -> None:
    done = evalrun("compare", "old", "new", "gemma-4-12b", env={"COLUMNS": columns})

    assert done.returncode == 0, done.stderr
    assert max(map(len, done.stdout.splitlines())) <= int(columns)
    assert "Defect" in done.stdout


@pytest.mark.usefixtures("two_runs")
@pytest.mark.parametrize("flag", ["--md", "--latex", "--json", "--csv=-", "--force"])
def test_a_hostile_reply_acts_in_no_format(evalrun: Evalrun, flag: str) -> None:
    done = evalrun("compare", "old", "new", flag, env={"FORCE_COLOR": ""})

    assert done.returncode == 0, done.stderr
    if flag != "--json":
        assert not ACTIVE.search(done.stdout.replace("\r\n", "\n"))
    if flag == "--md":
        assert "&lt;script&gt;" in done.stdout
        assert "<script" not in done.stdout
        assert " @all" not in done.stdout
        rows = [line for line in done.stdout.splitlines() if line.startswith(f"| {IDS[40]}<")]
        assert len(re.findall(r"(?<!\\)\|", rows[0])) == 6


@pytest.mark.usefixtures("two_runs")
def test_json_has_everything_a_program_needs(evalrun: Evalrun) -> None:
    done = evalrun("compare", "old", "new", "--json")

    data = json.loads(done.stdout)
    assert [side["label"] for side in data["sides"]] == ["old", "new"]
    overall = data["sides"][0]["scores"][0]
    assert (overall["passed"], overall["asked"], overall["score_pct"]) == (50, 67, 74.63)
    [contrast] = data["contrasts"]
    assert contrast["verdict"].startswith("new is worse than old")
    assert contrast["outcome"] == "worse"
    assert contrast["overall"]["first_only"] == 20
    assert len(contrast["categories"]) == 5
    assert len(data["disagreements"]) == 20
    kept = next(it for it in data["disagreements"] if it["prompt"] == IDS[40])
    assert kept["answers"][1]["text"] == HOSTILE
    assert data["sides"][0]["header"]["suite"] == "builtin"


@pytest.mark.usefixtures("two_runs")
def test_csv_goes_to_a_file_beside_the_table_with_the_differences(
    evalrun: Evalrun, tmp_path: Path
) -> None:
    done = evalrun("compare", "old", "new", "--csv", "out.csv")

    assert "worse than old" in done.stdout
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["row"]: row for row in csv.DictReader(file)}
    assert rows["overall"]["old"] == "74.63 % (50/67)"
    assert rows["overall"]["difference_points"] == "-29.85"
    assert float(rows["overall"]["p"]) < 0.001
    assert rows["Spatial Understanding"]["p_holm"] == "1"


@pytest.mark.usefixtures("two_runs")
def test_markdown_is_a_verdict_and_tables(evalrun: Evalrun) -> None:
    lines = evalrun("compare", "old", "new", "--md").stdout.splitlines()

    assert lines[0].startswith("**new is worse than old: 44.8 % against 74.6 %")
    assert "|  | old | new |" in lines
    assert any(line.startswith("| Defect Detection | 100 % (15/15) good") for line in lines)


@pytest.mark.usefixtures("two_runs")
def test_latex_is_balanced_and_leaves_nothing_special_unescaped(evalrun: Evalrun) -> None:
    table = evalrun("compare", "old", "new", "--latex").stdout

    body = "\n".join(table.splitlines()[1:])
    assert not re.search(r"(?<!\\)[%#$](?!p\$|\})", body.replace("$p$", ""))
    assert table.count("\\begin{") == table.count("\\end{") == 3
    assert "Defect Detection & 100 \\% (15/15) good" in table


@pytest.mark.usefixtures("two_runs")
def test_a_regression_exits_6_and_an_improvement_0(evalrun: Evalrun) -> None:
    worse = evalrun("compare", "old", "new", "--fail-on-regression")
    better = evalrun("compare", "new", "old", "--fail-on-regression")

    assert worse.returncode == 6
    assert "regression: new is 29.9 percentage points worse than old (p < 0.001)" in worse.stderr
    assert "worse than old" in worse.stdout
    assert better.returncode == 0


@pytest.mark.usefixtures("two_runs")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["old"], 2, "at least two models or runs"),
        (["old", "old"], 2, "named twice"),
        (["old", "new", "--json", "--md"], 2, "one format, not json and md"),
        (["old", "nwe"], 7, "nearest: new"),
        (["old", "missing.jsonl"], 7, "no file missing.jsonl"),
        (["old", "gemma-4-12b", "--fail-on-regression"], 7, "no verdict to fail on"),
    ],
)
def test_what_cannot_be_compared_says_what_to_do(
    evalrun: Evalrun, arguments: list[str], code: int, words: str
) -> None:
    done = evalrun("compare", *arguments)

    assert done.returncode == code
    assert words in done.stderr
    assert "fix: " in done.stderr
    assert "Traceback" not in done.stderr


def test_an_incomplete_run_exits_5_with_its_range_and_the_resume_command(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    write_run("a", lambda case: None if case.id == "dd-00" else True)
    write_run("b", lambda case: True)

    done = evalrun("compare", "a", "b")

    assert done.returncode == 5
    assert "between 98.5 % and 100.0 %" in done.stderr
    assert "evalrun --model a" in done.stderr


def test_runs_of_unlike_settings_exit_7_naming_them_all_and_force_overrides(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    write_run("a", lambda case: True)
    write_run("b", lambda case: True, image_max_side_px=512, system="Be brief.")

    refused = evalrun("compare", "a", "b")
    forced = evalrun("compare", "a", "b", "--force")

    assert refused.returncode == 7
    assert "image limit: 1024 px against 512 px" in refused.stderr
    assert "system prompt: none against Be brief." in refused.stderr
    assert forced.returncode == 0
    assert "forced: image limit" in forced.stdout


def test_a_full_terminal_of_models_is_cut_into_tables_that_fit(
    evalrun: Evalrun, write_run: WriteRun
) -> None:
    for name in "abcdef":
        write_run(f"model-{name}", lambda case: True)

    done = evalrun("compare", *(f"model-{name}" for name in "abcdef"), env={"COLUMNS": "60"})

    heads = [line for line in done.stdout.splitlines() if re.fullmatch(r" +(model-. *)+", line)]
    assert [line.split() for line in heads] == [
        ["model-a", "model-b"],
        ["model-c", "model-d"],
        ["model-e", "model-f"],
    ]


def test_a_models_runs_over_two_forms_of_a_suite_are_joined_by_name(
    evalrun: Evalrun, vision_server: VisionServer, tmp_path: Path
) -> None:
    forms = [write_suite(tmp_path / name, prompts) for name, prompts in (("1", 6), ("2", 8))]
    for form in forms:
        for toml in form.glob("prompts/*.toml"):
            other = toml.read_text().replace('version = "1"', f'version = "{form.name}"')
            toml.write_text(other.replace("Is number", f"In form {form.name}, is number"))
    for model, answer in (("a", "no"), ("b", "yes")):
        vision_server.default = say(answer)
        for form in forms:
            base = ("--model", model, "--base-url", vision_server.url)
            assert evalrun(*base, "--suite", form).returncode == 0

    done = evalrun("compare", "a+a@2", "b+b@2", "--json")
    turned = evalrun("compare", "a@2+a", "b@2+b@1")
    apart = evalrun("compare", "a", "b@1")
    alone = evalrun("compare", "a@2+a@2", "b")

    data = json.loads(done.stdout)
    assert [side["scores"][0]["asked"] for side in data["sides"]] == [14, 14]
    assert data["sides"][0]["run"].count("a/") == 2
    assert data["contrasts"][0]["overall"]["second_only"] == 14
    assert {"p-00", "p-00@2", "p-07@2"} <= {it["prompt"] for it in data["disagreements"]}
    assert "14 prompts" in " ".join(turned.stdout.split())
    assert (apart.returncode, alone.returncode) == (7, 7)
    assert "suite: tiny 2" in apart.stderr
    assert "no run of another form of the suite" in alone.stderr
