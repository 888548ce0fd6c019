"""`--image-tokens` and `--image-detail` on servers that run already: what is sent, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import store
from harness.adapters import Request, Target
from harness.adapters.openai import open_openai
from harness.errors import OptionRefused, UsageError
from harness.records import EncodedImage, Sampling
from harness.transport import Limits
from tests.conftest import Evalrun, VisionServer, fail

PICTURE = EncodedImage(
    data=b"\x89PNG...", media_type="image/png", width_px=2, height_px=2, sha256="0" * 64
)
LOW = {"google": {"media_resolution": "MEDIA_RESOLUTION_LOW"}}


def sent(server: VisionServer, model: str = "tiny", **target: Any) -> dict[str, Any]:
    given = Target(model=model, base_url=server.url, limits=Limits(tries=1), **target)
    with open_openai(given) as opened:
        opened.ask(Request(id="p", question="How many?", images=(PICTURE,)))
    return server.seen[-1]


@pytest.mark.parametrize(
    ("model", "tokens", "settings"),
    [
        (
            "Qwen/Qwen2.5-VL-7B-Instruct",
            (256, 1280),
            {"min_pixels": 256 * 784, "max_pixels": 1280 * 784},
        ),
        ("qwen3-vl-8b", (256, 256), {"min_pixels": 256 * 1024, "max_pixels": 256 * 1024}),
        ("google/gemma-4-31B-it", (200, 600), {"max_soft_tokens": 560}),
        ("another-vlm", (10, 20), {"min_pixels": 7840, "max_pixels": 15680}),
    ],
)
def test_vllm_is_told_in_the_words_of_the_models_processor(
    vision_server: VisionServer, model: str, tokens: tuple[int, int], settings: dict[str, int]
) -> None:
    vision_server.models = [{"id": model, "owned_by": "vllm"}]

    assert sent(vision_server, model, image_tokens=tokens)["mm_processor_kwargs"] == settings


def test_a_number_that_the_model_was_not_trained_with_is_refused(
    vision_server: VisionServer,
) -> None:
    with pytest.raises(UsageError, match="takes one of 70, 140, 280"):
        sent(vision_server, "gemma-4-12b", preset="vllm", image_tokens=(300, 500))
    assert not vision_server.seen


def test_a_run_on_vllm_records_what_it_was_told_and_another_server_is_exit_2(
    evalrun: Evalrun, suite: Path, vision_server: VisionServer, tmp_path: Path
) -> None:
    asked = ("--suite", suite, "--model", "qwen2.5-vl-7b", "--base-url", vision_server.url)
    refused = evalrun(*asked, "--image-tokens", "280-1120", "--limit", "1")
    assert refused.returncode == 2
    assert "--image-min-tokens 280 --image-max-tokens 1120" in refused.stderr
    assert """--mm-processor-kwargs '{"min_pixels": 219520, "max_pixels": 878080}'""" in (
        refused.stderr
    )
    assert not vision_server.seen

    vision_server.models = [{"id": "qwen2.5-vl-7b", "owned_by": "vllm"}]
    done = evalrun(*asked, "--image-tokens", "280-1120", "--limit", "1", "--results", tmp_path)

    assert done.returncode == 0, done.stderr
    assert vision_server.seen[0]["mm_processor_kwargs"]["max_pixels"] == 1120 * 784
    assert store.read(store.runs(tmp_path)[0]).header.image_tokens == (280, 1120)


@pytest.mark.parametrize(("detail", "extra"), [("low", LOW), ("auto", None)])
def test_gemini_is_told_a_resolution_instead_of_a_detail(
    vision_server: VisionServer, detail: Any, extra: dict[str, Any] | None
) -> None:
    request = sent(vision_server, preset="gemini", image_detail=detail)

    assert request.get("extra_body") == extra
    assert "detail" not in request["messages"][0]["content"][0]["image_url"]


def test_a_resolution_and_a_budget_of_thinking_go_together(vision_server: VisionServer) -> None:
    request = sent(
        vision_server, preset="gemini", image_detail="low", sampling=Sampling(thinking="128")
    )

    thinking = {"thinking_config": {"thinking_budget": 128}}
    assert request["extra_body"] == {"google": LOW["google"] | thinking}


def test_an_endpoint_that_refuses_the_resolution_ends_the_run(vision_server: VisionServer) -> None:
    vision_server.default = fail(
        400, "Unknown name \"media_resolution\" at 'extra_body.google': Cannot find field."
    )
    with pytest.raises(OptionRefused, match="does not take --image-detail low") as ended:
        sent(vision_server, preset="gemini", image_detail="low")
    assert "leave --image-detail out" in ended.value.fix


def test_a_parameter_of_the_users_own_and_an_option_that_sets_it_are_refused(
    vision_server: VisionServer,
) -> None:
    with pytest.raises(UsageError, match="--image-tokens 9-9 both set 'mm_processor_kwargs'"):
        sent(vision_server, preset="vllm", image_tokens=(9, 9), body={"mm_processor_kwargs": {}})
