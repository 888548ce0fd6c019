"""Adapters that other packages bring, found by their entry point."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Evalrun

EXAMPLE = Path(__file__).parent / "example"
"""As an installer lays it out: the module, and its metadata beside it."""


def test_an_adapter_of_another_package_is_found_and_asked(evalrun: Evalrun, suite: Path) -> None:
    done = evalrun(
        *("--suite", suite, "--model", "parrot", "--backend", "echo"),
        env={"PYTHONPATH": str(EXAMPLE)},
    )

    assert done.returncode == 0, done.stderr
    assert "parrot · echo" in done.stdout
    assert "0.0 % (0/4)" in done.stdout, "each question ends in «no»"


def test_its_errors_leave_by_the_same_door(evalrun: Evalrun, suite: Path) -> None:
    done = evalrun(
        *("--suite", suite, "--model", "deaf", "--backend", "echo"),
        env={"PYTHONPATH": str(EXAMPLE)},
    )

    assert done.returncode == 4
    assert "choose another model" in done.stderr


def test_one_that_cannot_be_loaded_says_which_package_to_repair(
    evalrun: Evalrun, suite: Path
) -> None:
    done = evalrun(
        *("--suite", suite, "--model", "m", "--backend", "broken"),
        env={"PYTHONPATH": str(EXAMPLE)},
    )

    assert done.returncode == 4
    assert "evalrun_echo:no_such_thing" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_backend_lists_the_known_ones_of_both_kinds(
    evalrun: Evalrun, suite: Path
) -> None:
    done = evalrun(
        *("--suite", suite, "--model", "m", "--backend", "ecko"),
        env={"PYTHONPATH": str(EXAMPLE)},
    )

    assert done.returncode == 4
    assert "echo" in done.stderr
    assert "llamacpp" in done.stderr
