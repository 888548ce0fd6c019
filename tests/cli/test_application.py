"""The application itself: its table of commands, its help, its speed, its completion."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from harness.cli.app import COMMANDS
from tests.conftest import Evalrun, on_a_terminal


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_help_is_the_first_of_the_commands_docstring(name: str) -> None:
    where, line = COMMANDS[name]
    module, function = where.split(":")

    command = getattr(import_module(f"harness.cli.{module}"), function)

    assert command.__doc__.splitlines()[0] == line


def test_help_names_every_command_and_both_ways_of_running(evalrun: Evalrun) -> None:
    shown = evalrun("--help").stdout

    assert all(f"  {name} " in shown for name in COMMANDS)
    assert "`evalrun --model NAME` and `evalrun run --model NAME` are the same" in shown
    assert "--version" in shown
    assert "--install-completion" in shown


def test_the_options_of_run_stand_under_headings(evalrun: Evalrun) -> None:
    lines = evalrun("run", "--help").stdout.splitlines()

    headings = [line for line in lines if line.endswith("options:")]
    names = "Model", "Suite", "Sampling", "Limit", "Placement", "Judge", "Output", "Log", "Command"
    assert headings == [f"{it} options:" for it in names]


def test_help_loads_neither_rich_nor_what_only_commands_need(evalrun: Evalrun) -> None:
    for arguments in (["--help"], ["run", "--help"]):
        told = evalrun(*arguments, env={"PYTHONPROFILEIMPORTTIME": "1"}).stderr
        loaded = {line.rsplit("|", 1)[-1].strip() for line in told.splitlines()}

        assert "typer" in loaded
        assert not loaded & {"rich", "httpx", "PIL.Image", "pandas", "numpy"}


def test_ctrl_c_while_the_command_is_still_loading_is_an_interruption(
    evalrun: Evalrun, tmp_path: Path
) -> None:
    lines = "import os, signal", "os.kill(os.getpid(), signal.SIGINT)"
    tmp_path.joinpath("platformdirs.py").write_text("\n".join(lines))

    done = evalrun("runs", env={"PYTHONPATH": str(tmp_path)})

    assert (done.returncode, done.stderr) == (130, "")


def test_the_shell_is_told_what_can_be_typed_next(evalrun: Evalrun) -> None:
    def completed(words: str) -> str:
        line = f"evalrun {words}"
        shell = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        return evalrun(env={"_EVALRUN_COMPLETE": "complete_bash"} | shell).stdout

    assert completed("lea").split() == ["leaderboard"]
    assert "--max-tokens" in completed("run --max")
    assert "mistral-small-3.1" in completed("--model mistral").split()
    evalrun("--limit", "1", "--replay", "example")
    assert completed("show ex").split()[0] == "example"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("list", "`evalrun runs` (measured) or `evalrun models` (known)"),
        ("ls", "`evalrun runs`"),
        ("results", "`evalrun runs`"),
        ("help", "`evalrun --help`"),
        ("version", "`evalrun --version`"),
        ("init", "`evalrun new DIR`"),
        ("compar", "`evalrun compare`"),
        ("mistral-small-3.1", "`evalrun --model mistral-small-3.1`"),
        ("run mistral-small-3.1", "`evalrun --model mistral-small-3.1`"),
        ("run nobody", "`evalrun --model nobody`"),
        ("my-model", "`evalrun show my-model`; or ask it: `evalrun --model my-model`"),
        ("audit my-model", "evalrun audit my-model --judge MODEL"),
        ("photos", "`evalrun --suite photos`"),
        ("measured", "`evalrun runs --results measured`"),
        ("--models", "--model"),
    ],
)
def test_a_wrong_guess_is_answered_with_the_command_that_was_meant(
    evalrun: Evalrun, tmp_path: Path, words: str, meant: str
) -> None:
    (tmp_path / "photos").mkdir()
    for run in ("measured/tiny", "results/my-model"):
        (tmp_path / run).mkdir(parents=True)
        (tmp_path / run / "20260101T000000Z.jsonl").touch()

    done = evalrun(*words.split())

    assert done.returncode == 2
    assert meant in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("columns", [40, 100, 200])
def test_a_terminal_gets_whole_words_on_every_line(tmp_path: Path, columns: int) -> None:
    shown = on_a_terminal(["--model", "no-such-model"], tmp_path, columns=columns, code=4)

    lines = [line.rstrip("\r") for line in shown.splitlines()]
    assert max(map(len, lines)) <= columns
    words = [word for line in lines for word in line.split()]
    assert " ".join(words).count("choose one that `evalrun models` lists, say where the model") == 1


def test_quiet_leaves_errors_and_the_data(evalrun: Evalrun, suite: Path, tmp_path: Path) -> None:
    answers = tmp_path / "a.jsonl"
    answers.write_text("".join(f'{{"prompt": "p-0{n}", "response": "yes"}}\n' for n in range(4)))

    done = evalrun("--replay", answers, "--suite", suite, "--quiet")
    wrong = evalrun("--replay", "nowhere.jsonl", "--suite", suite, "--quiet")

    assert done.stderr == ""
    assert "100.0 % (4/4)" in done.stdout
    assert "nowhere.jsonl" in wrong.stderr
