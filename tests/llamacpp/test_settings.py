"""What a server of our own is told: image tokens, further flags; and what it took and ran on."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from harness import images
from harness.adapters import Request, Target
from harness.adapters.llamacpp.weights import Weights
from harness.adapters.routes import opener
from harness.errors import UsageError
from tests.llamacpp.tools import Notes, dynamic_projector, prompt, script

open_llamacpp = opener("llamacpp")


def replaced(target: Target, **changes: object) -> Target:
    return msgspec.structs.replace(target, **changes)


def taken_by(target: Target, side_px: int) -> int | None:
    image = images.plain("red", side_px, side_px)
    with open_llamacpp(target) as adapter:
        return adapter.ask(Request(id="p", question="Which colour?", images=(image,))).image_tokens


def test_the_tokens_of_the_pictures_are_in_the_reply_and_none_in_a_blind_one(
    target: Target,
) -> None:
    image = images.plain("red", 300, 200)
    with open_llamacpp(target) as adapter:
        for several in ((image,), (image, image)):
            asked = Request(id="p", question="Which colour?", images=several)
            assert adapter.ask(asked).image_tokens == 144 * len(several)
        assert adapter.ask(prompt(None)).image_tokens is None


def test_image_tokens_reach_the_server(target: Target, tmp_path: Path, notes: Notes) -> None:
    dynamic = replaced(target, mmproj=dynamic_projector(tmp_path / "mmproj.gguf"))
    small, large = taken_by(dynamic, 224), taken_by(dynamic, 640)
    assert small is not None
    assert large is not None
    assert small < 80
    assert large > 400

    limited = replaced(dynamic, image_tokens=(100, 150))

    for side_px in (224, 640):
        taken = taken_by(limited, side_px)
        assert taken is not None
        assert 90 < taken < 190
    assert "projector has a number of its own" not in notes


def test_a_picture_of_many_tokens_fits_into_the_micro_batch_and_the_context(
    target: Target, tmp_path: Path
) -> None:
    seen = tmp_path / "arguments"
    with pytest.MonkeyPatch.context() as patch:
        passing_on = script(tmp_path / "llama-server", f'echo "$@" >> "{seen}"\nexec $CHILD "$@"')
        patch.setenv("EVALRUN_LLAMA_SERVER", passing_on)
        with open_llamacpp(replaced(target, image_tokens=(280, 3000))) as adapter:
            assert adapter.ask(prompt("red")).text == "red"
    told = seen.read_text()
    for flags in (
        "--image-min-tokens 280 --image-max-tokens 3000",
        "--ubatch-size 3000 --batch-size 3000",
        f"--ctx-size {8192 + 3000 + target.sampling.max_tokens}",
    ):
        assert flags in told


def test_flags_of_the_users_reach_the_server_and_win_over_its_threads(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("--ctx-size=2048", "--threads=2", "--swa-full", "--cache-type-k=q8_0")
    with open_llamacpp(replaced(target, server_args=args)) as adapter:
        assert adapter.ask(prompt("blue")).text == "blue"
        assert adapter.opened.server is not None
        assert adapter.opened.server.context_tokens == 2048
        assert adapter.opened.server.machine is not None
        assert adapter.opened.server.machine.threads == 2


@pytest.mark.parametrize(
    ("arg", "problem", "fix"),
    [
        ("--port=80", "--port would undo a setting", "leave it out"),
        ("--parallel=4", "--parallel would undo a setting", "use --concurrency"),
        ("--image-max-tokens=9", "--image-max-tokens would undo", "use --image-tokens"),
        ("--api-key=secret", "--api-key would undo", "leave it out"),
        ("--nonsense=1", "xllamacpp", "EVALRUN_LLAMA_SERVER"),
        ("-c=4", "is not a long flag", "--server-arg=--flag=value"),
    ],
)
def test_a_flag_that_does_not_go_is_refused_before_anything_starts(
    target: Target, notes: Notes, arg: str, problem: str, fix: str
) -> None:
    with (
        pytest.raises(UsageError) as caught,
        open_llamacpp(replaced(target, server_args=(arg,))),
    ):
        pass
    assert problem in caught.value.problem
    assert fix in caught.value.fix
    assert caught.value.exit_code == 2
    assert "starting" not in notes


def test_an_old_server_that_has_no_image_tokens_is_refused(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = script(tmp_path / "llama-server", "$CHILD --help | sed s/image-/picture-/")
    monkeypatch.setenv("EVALRUN_LLAMA_SERVER", old)
    with (
        pytest.raises(UsageError, match="does not know --image-min-tokens, --image-max-tokens"),
        open_llamacpp(replaced(target, image_tokens=(280, 280))),
    ):
        pass


def test_what_it_ran_on_is_put_on_record(
    target: Target, pair: Weights, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    script(tmp_path / "nvidia-smi", NVIDIA_SMI)
    with open_llamacpp(target) as adapter:
        facts = adapter.opened.server
    assert facts is not None
    ran_on = facts.machine
    assert ran_on is not None
    assert ran_on.cpu
    assert (ran_on.threads, ran_on.offloaded_layers) == (1, None)
    assert (ran_on.gpus, ran_on.gpu_driver) == (("NVIDIA H100 80GB HBM3 (86 GB)",), "570.86.10")
    assert ran_on.weights_gb == pytest.approx(pair.gguf.stat().st_size / 1e9, rel=1e-3)
    assert ran_on.projector_gb == pytest.approx(pair.mmproj.stat().st_size / 1e9, rel=1e-3)
    assert ran_on.peak_memory_gb is not None
    assert 0.01 < ran_on.peak_memory_gb < 1
    assert "there is an NVIDIA H100 80GB HBM3 (86 GB), but xllamacpp" in notes
    assert "xllamacpp/whl/cu" in notes


NVIDIA_SMI = """
case "$*" in
    *query-gpu*) echo "NVIDIA H100 80GB HBM3, 570.86.10, 81559, 80994";;
esac
"""


def test_a_model_that_is_sent_no_pictures_needs_no_projector(
    target: Target, pair: Weights, tmp_path: Path
) -> None:
    alone = tmp_path / "text-only.gguf"
    alone.write_bytes(pair.gguf.read_bytes())
    blind = replaced(target, gguf=alone, mmproj=None, sends_pictures=False)
    with open_llamacpp(blind) as adapter:
        assert adapter.ask(prompt(None)).text == "gray"
        assert adapter.opened.server is not None
        assert adapter.opened.server.mmproj_file is None
        assert adapter.opened.server.machine is not None
        assert adapter.opened.server.machine.projector_gb is None


def test_the_text_is_counted_as_it_is_sent(target: Target) -> None:
    """A system prompt and what the template is told count as text, not as picture."""
    with open_llamacpp(replaced(target, system="Be very brief.")) as adapter:
        assert adapter.ask(prompt("red")).image_tokens == 144


def test_a_server_that_uses_the_card_is_recorded_with_its_layers_and_not_warned_of(
    target: Target, notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    script(tmp_path / "nvidia-smi", NVIDIA_SMI)
    log = "load_tensors: offloaded 33/33 layers to GPU"
    on_card = f'[ "$1" = --help ] || echo "{log}" >&2\nexec $CHILD "$@"'
    monkeypatch.setenv("EVALRUN_LLAMA_SERVER", script(tmp_path / "llama-server", on_card))
    with open_llamacpp(target) as adapter:
        assert adapter.opened.server is not None
        assert adapter.opened.server.machine is not None
        assert adapter.opened.server.machine.offloaded_layers == "33/33"
    assert "WARNING" not in notes


def test_a_micro_batch_of_the_users_does_not_undo_image_tokens(target: Target) -> None:
    told = replaced(target, image_tokens=(280, 280), server_args=("--ubatch-size=64",))
    with pytest.raises(UsageError, match="use --image-tokens"), open_llamacpp(told):
        pass
