"""Defaults that stay: evalrun.toml of project and user, profiles, EVALRUN_* variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Evalrun, VisionServer, say


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """The variable that names the user's configuration folder, which is made."""
    (tmp_path / "config" / "evalrun").mkdir(parents=True)
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


def write(tmp_path: Path, *, project: str = "", user: str = "") -> None:
    (tmp_path / "evalrun.toml").write_text(project)
    (tmp_path / "config" / "evalrun" / "evalrun.toml").write_text(user)


def test_an_option_wins_over_the_environment_the_project_and_the_user(
    evalrun: Evalrun, suite: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    write(
        tmp_path,
        project='[run]\nsuite = "suite"\nseed = 3\nmax-tokens = 30\ntemperature = 0.3',
        user="[run]\nseed = 2\nmax-tokens = 20\ntemperature = 0.2\nlimit = 2",
    )

    done = evalrun(
        "--dry-run", "--temperature", "0.5", env=home | {"EVALRUN_MAX_TOKENS": "40"}, timeout=20
    )

    assert done.returncode == 0, done.stderr
    users = tmp_path / "config" / "evalrun" / "evalrun.toml"
    for line in (
        "--suite suite ([run] of evalrun.toml)",
        "--seed 3 ([run] of evalrun.toml)",
        "--temperature 0.5 (typed)",
        "--max-tokens 40 ($EVALRUN_MAX_TOKENS)",
        f"--limit 2 ([run] of {users})",
    ):
        assert line in done.stdout
    assert "would ask    2:" in done.stdout
    assert done.stdout.count("\noptions      --") == 1


def test_a_profile_wins_over_run_and_comes_from_either_file(
    evalrun: Evalrun, suite: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    write(
        tmp_path,
        project='[run]\nsuite = "suite"\nlimit = 1',
        user='[profile.careful]\nlimit = 3\ncategory = ["Reading", "Counting"]',
    )

    done = evalrun("--dry-run", "--profile", "careful", env=home)

    assert "would ask    3: Counting 2, Reading 1" in done.stdout
    assert "--category Reading,Counting ([profile.careful] of" in done.stdout
    assert evalrun("--dry-run", env=home | {"EVALRUN_PROFILE": "careful"}).stdout == (
        done.stdout.replace("--profile careful (typed)", "--profile careful ($EVALRUN_PROFILE)")
    )


def test_a_variable_holds_several_values_with_commas_between(
    evalrun: Evalrun, suite: Path, tmp_path: Path
) -> None:
    done = evalrun("--dry-run", "--suite", suite, env={"EVALRUN_CATEGORY": "Reading,Counting"})

    assert "would ask    4:" in done.stdout


@pytest.mark.parametrize(
    ("project", "arguments", "words"),
    [
        ("[run]\nlimits = 3", (), "[run] limits is not an option of `evalrun run`"),
        ("[run]\nlimit = 3.5", (), "[run] limit: '3.5' is not a valid"),
        ("[run]\nlimit = [1, 2]", (), "[run] limit: takes one value"),
        ("run = 3", (), "run is not a table"),
        ("[run", (), "evalrun.toml cannot be read"),
        ("", ("--profile", "fast"), "there is no profile 'fast' (there are: none)"),
        ('[run]\napi-key-env = "HOME"', (), "may not come from the folder that evalrun runs in"),
        ("[run]\nyes = true", (), "may not come from the folder that evalrun runs in"),
    ],
)
def test_a_mistake_in_a_file_is_named_with_the_file_and_the_key(
    evalrun: Evalrun, tmp_path: Path, project: str, arguments: tuple[str, ...], words: str
) -> None:
    (tmp_path / "evalrun.toml").write_text(project)

    done = evalrun("--dry-run", *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert "fix: " in done.stderr


def test_a_models_entry_says_where_it_is_served(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    vision_server.default = say("yes")
    (tmp_path / "evalrun.toml").write_text(f'[models.ours]\nbase_url = "{vision_server.url}"\n')

    done = evalrun("--suite", suite, "--model", "ours", "--limit", "1")

    assert done.returncode == 0, done.stderr
    assert f"ours: {vision_server.url}, from your catalogue" in done.stderr
    assert vision_server.seen[0]["model"] == "ours"


def test_a_models_entry_names_its_weights(
    evalrun: Evalrun, suite: Path, tmp_path: Path, home: dict[str, str]
) -> None:
    write(tmp_path, project='[models.ours]\ngguf = "no.gguf"\nmmproj = "mm.gguf"\n')

    done = evalrun("--suite", suite, "--model", "ours", "--dry-run", env=home)

    assert done.returncode == 4
    assert "no.gguf does not exist" in done.stderr


def test_the_address_in_a_models_entry_is_sent_no_key(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, home: dict[str, str]
) -> None:
    write(
        tmp_path,
        project=f'[models.ours]\nbase_url = "{vision_server.url}"\n',
        user='[run]\napi-key-env = "OUR_KEY"\n',
    )
    env = home | {"OUR_KEY": "sk-very-secret-key"}

    done = evalrun("--suite", suite, "--model", "ours", env=env)

    assert done.returncode == 2
    assert f"no key is sent to {vision_server.url}" in done.stderr
    assert not vision_server.seen


@pytest.mark.parametrize("word", ["base-url", "judge-base-url"])
def test_an_address_from_the_folder_is_sent_a_key_only_when_that_is_typed(
    evalrun: Evalrun,
    suite: Path,
    vision_server: VisionServer,
    tmp_path: Path,
    home: dict[str, str],
    word: str,
) -> None:
    option = word.replace("base-url", "api-key-env")
    write(
        tmp_path,
        project=f'[run]\n{word} = "{vision_server.url}"\n',
        user=f'[run]\nmodel = "m"\n{option} = "OUR_KEY"\n',
    )
    env = home | {"OUR_KEY": "sk-very-secret-key"}

    done = evalrun("--suite", suite, env=env)
    typed = evalrun("--suite", suite, f"--{option}", "OUR_KEY", "--dry-run", env=env)

    assert done.returncode == 2
    assert f"[run] {word} says where to ask" in done.stderr
    assert not vision_server.seen
    assert "says where to ask" not in typed.stderr


@pytest.mark.parametrize("command", ["run", "ask", "eyes", "view"])
def test_a_folder_of_somebody_else_cannot_send_a_key_to_its_own_host(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, command: str
) -> None:
    (tmp_path / "evalrun.toml").write_text(
        f'[presets.theirs]\nbase_url = "{vision_server.url}"\napi_key_env = "OPENROUTER_KEY"\n'
        'source = "us"\nas_of = "2026-01-01"\n[run]\nbackend = "theirs"\nmodel = "m"\n'
    )
    words = {
        "run": ("--suite", suite),
        "ask": (next(suite.rglob("*.png")), "How many?"),
        "eyes": (),
        "view": ("--no-open",),
    }

    done = evalrun(command, *words[command], env={"OPENROUTER_KEY": "sk-very-secret-key"})

    assert done.returncode == 4
    assert "may not send a key to a host of its own" in done.stderr
    assert not vision_server.seen


ENTRY = """
[models.ours]
base_url = "{url}"
temperature = 0.25
max_tokens = 77
thinking = "auto"
system = "Be short."
body = ["top_k=40"]
image_max_side = 64
"""


def test_a_models_entry_says_how_it_is_asked_where_no_option_does(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, home: dict[str, str]
) -> None:
    vision_server.default = say("yes")
    project = ENTRY.format(url=vision_server.url) + "[run]\nseed = 7\n"
    write(tmp_path, project=project, user="[models.ours]\nseed = 3\nmax_tokens = 5\n")
    words = ("--suite", suite, "--model", "ours", "--limit", "1", "--max-tokens", "99")

    planned = evalrun(*words, "--dry-run", env=home)
    done = evalrun(*words, env=home)

    assert done.returncode == 0, done.stderr
    sent = vision_server.seen[0]
    assert {name: sent[name] for name in ("temperature", "max_tokens", "top_k", "seed")} == {
        "temperature": 0.25,
        "max_tokens": 99,
        "top_k": 40,
        "seed": 7,
    }
    assert sent["messages"][0] == {"role": "system", "content": "Be short."}
    assert "--temperature 0.25 (the model's entry in evalrun.toml)" in planned.stdout
    assert "\noptions      --" in planned.stdout
    assert "--max-tokens 99 (typed)" in planned.stdout
    assert "--image-max-side 64 (the model's entry in evalrun.toml)" in planned.stdout
    assert "--seed 7 ([run] of evalrun.toml)" in planned.stdout


def test_a_wrong_setting_of_a_models_entry_is_named(evalrun: Evalrun, tmp_path: Path) -> None:
    (tmp_path / "evalrun.toml").write_text("[models.ours]\ntemperature = 9\n")

    done = evalrun("--model", "ours", "--dry-run")

    assert done.returncode == 4
    assert "models.ours.temperature: Expected" in done.stderr


def test_defaults_reach_every_command_that_shares_the_option(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path, home: dict[str, str]
) -> None:
    vision_server.default = say("yes")
    project = '[run]\nmodel = "m"\ntemperature = 0.5\nresults = "mine"\nlimit = 1\ncategory = "x"\n'
    project += "[profile.long]\nmax-tokens = 900\n"
    write(tmp_path, project=project, user=f'[run]\nbase-url = "{vision_server.url}"\n')
    picture = next(suite.rglob("*.png"))

    env = home | {"EVALRUN_SYSTEM": "Be short."}
    asked = evalrun("ask", picture, "How many?", "--profile", "long", env=env)
    seen = evalrun("eyes", "--quiet", env=home, timeout=120)
    listed = evalrun("runs", env=home)

    assert asked.returncode == 0, asked.stderr
    sent = vision_server.seen[0]
    assert (sent["model"], sent["temperature"], sent["max_tokens"]) == ("m", 0.5, 900)
    assert sent["messages"][0]["content"] == "Be short."
    assert vision_server.seen[-1]["model"] == "m", seen.stderr
    assert (tmp_path / "mine" / "m").is_dir()
    assert "no runs in mine yet" in listed.stderr


@pytest.mark.parametrize("command", ["ask", "eyes", "sweep"])
def test_no_command_sends_a_key_where_the_folders_file_says(
    evalrun: Evalrun,
    suite: Path,
    vision_server: VisionServer,
    tmp_path: Path,
    home: dict[str, str],
    command: str,
) -> None:
    write(
        tmp_path,
        project=f'[run]\nbase_url = "{vision_server.url}"\n',
        user='[run]\napi_key_env = "OUR_KEY"\n',
    )
    words = {
        "ask": (next(suite.rglob("*.png")), "How many?", "--model", "m"),
        "eyes": ("--model", "m"),
        "sweep": ("m", "--suite", suite, "--temperature", "0,1"),
    }

    done = evalrun(command, *words[command], env=home | {"OUR_KEY": "sk-very-secret-key"})

    assert done.returncode == 2
    assert "[run] base-url says where to ask" in done.stderr
    assert not vision_server.seen


@pytest.mark.parametrize("name", ["server-arg", "log", "models-file"])
def test_the_folders_file_names_no_program_and_no_file_to_write(
    evalrun: Evalrun, tmp_path: Path, name: str
) -> None:
    (tmp_path / "evalrun.toml").write_text(f'[run]\n{name} = "x"\n')

    for command in ("run", "eyes"):
        done = evalrun(command, "--model", "m")

        assert done.returncode == 2
        assert "may not come from the folder that evalrun runs in" in done.stderr
