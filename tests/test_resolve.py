"""A name stands for, in this order: what the options say, a running server, weights, a key."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.adapters import Target
from harness.adapters.llamacpp.weights import quantized
from harness.adapters.routes import Route, bare_name, look_around, resolve
from harness.catalogue import Catalogue, load
from harness.errors import TargetError, UsageError
from harness.records import GgufFiles, GgufSource, HostedSource, ModelCard, Preset
from tests.conftest import Evalrun, VisionServer

REPO, MODEL, MMPROJ = "org/seer-GGUF", "seer-7b-Q4_K_M.gguf", "mmproj-seer-7b-f16.gguf"
SEER = ModelCard(
    name="seer-7b",
    aliases=("seer-7b-it",),
    gguf=GgufSource(
        repo=REPO,
        model_file=MODEL,
        mmproj_file=MMPROJ,
        quantization="Q4_K_M",
        context_tokens=12288,
        size_gb=4.7,
    ),
    hosted=(
        HostedSource(preset="alpha", model_id="org/seer-7b-instruct"),
        HostedSource(preset="beta", model_id="seer"),
        HostedSource(preset="here", model_id="seer:7b"),
    ),
)


@pytest.fixture(autouse=True)
def own_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without weights, an environment without keys."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    for name in ("ALPHA_KEY", "BETA_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("EVALRUN_LLAMA_SERVER", raising=False)


def catalogue(*cards: ModelCard, here: str = "http://127.0.0.1:9/v1") -> Catalogue:
    presets = {
        "alpha": ("https://alpha.example/v1", "ALPHA_KEY"),
        "beta": ("https://beta.example/v1", "BETA_KEY"),
        "here": (here, None),
    }
    return Catalogue(
        cards={card.name: card for card in cards or (SEER,)},
        presets={
            name: Preset(name=name, base_url=url, api_key_env=key, source="s", as_of="2026-01-01")
            for name, (url, key) in presets.items()
        },
    )


def resolved(
    name: str | None,
    *,
    backend: str | None = None,
    known: Catalogue | None = None,
    notes: list[str] | None = None,
    **given: Any,
) -> Route:
    notify = (notes if notes is not None else []).append
    target = Target(model="", notify=notify, **given)
    return resolve(name, target, backend=backend, catalogue=known or catalogue())


@contextmanager
def server(*models: str, owner: str = "somebody") -> Iterator[str]:
    """Something that lists models as every OpenAI-compatible server does."""
    listed = {"data": [{"id": it, "owned_by": owner} for it in models]}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(listed).encode() if self.path == "/v1/models" else b"{}"
            self.send_response(200 if self.path == "/v1/models" else 404)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as it:
        thread = threading.Thread(target=it.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{it.server_port}/v1"
        finally:
            it.shutdown()
            thread.join()


def put_into_cache(tmp_path: Path, *names: str, commit: str = "c0ffee") -> Path:
    repo = tmp_path / "hf" / "hub" / "models--org--seer-GGUF"
    folder = repo / "snapshots" / commit
    folder.mkdir(parents=True, exist_ok=True)
    (repo / "refs").mkdir(exist_ok=True)
    (repo / "refs" / "main").write_text("c0ffee")
    for name in names:
        (folder / name).write_text(commit)
    return folder


def test_no_name_means_the_demonstration() -> None:
    route = resolved(None)
    assert (route.backend, route.target.model, route.local) == ("demo", "demo", True)
    assert resolved("demo").backend == "demo"


def test_a_running_server_that_serves_it_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHA_KEY", "k")
    put_into_cache(tmp_path, MODEL, MMPROJ)
    notes: list[str] = []
    with server("other", "seer:7b") as url:
        route = resolved("Seer 7B", known=catalogue(here=url), notes=notes)
    assert (route.backend, route.target.base_url) == ("openai", url)
    assert (route.target.model, route.target.model_id) == ("seer-7b", "seer:7b")
    assert route.target.api_key_env is None
    assert route.local
    assert notes == [f"seer-7b: running server: {url} serves it as 'seer:7b'"]


@pytest.mark.parametrize(
    "served",
    ["/models/seer-7b-Q4_K_M.gguf", "org/seer-7b-it-GGUF:Q8_0", "SEER_7B", "seer-7b:latest"],
)
def test_a_server_may_call_it_by_its_file_or_by_the_form_of_its_weights(served: str) -> None:
    with server(served, owner="llamacpp") as url:
        route = resolved("seer-7b", known=catalogue(here=url))
    assert (route.backend, route.target.model_id) == ("llamacpp", served)


@pytest.mark.parametrize("served", ["seer-70b", "see", "seer-7b-thinking", "superseer-7b"])
def test_a_server_with_a_similar_model_is_not_taken(served: str) -> None:
    assert bare_name(served) != "seer-7b"
    with server(served) as url, pytest.raises(TargetError, match="cannot be reached"):
        resolved("seer-7b", known=catalogue(here=url))


def test_a_file_name_that_says_nothing_is_not_recognised() -> None:
    source = GgufSource(
        repo=REPO, model_file="ggml-model-Q4_K_M.gguf", mmproj_file=MMPROJ, quantization="Q4_K_M"
    )
    known = ModelCard(name="seer-7b", gguf=source)
    with server("ggml-model-Q8_0.gguf") as url, pytest.raises(TargetError, match="cannot be"):
        resolved("seer-7b", known=catalogue(known, here=url))


def test_a_name_outside_the_catalogue_is_found_on_a_running_server() -> None:
    with server("my-own-vlm") as url:
        route = resolved("my-own-vlm", known=catalogue(here=url))
    assert (route.target.model, route.target.base_url) == ("my-own-vlm", url)


def test_local_weights_come_before_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_KEY", "k")
    folder = put_into_cache(tmp_path, MODEL, MMPROJ)
    notes: list[str] = []
    route = resolved("seer-7b", notes=notes)
    assert route.backend == "llamacpp"
    assert (route.target.gguf, route.target.mmproj) == (folder / MODEL, folder / MMPROJ)
    assert notes == ["seer-7b: local weights: Q4_K_M weights in the local cache"]


def test_weights_without_their_mmproj_are_not_taken(tmp_path: Path) -> None:
    put_into_cache(tmp_path, MODEL)
    with pytest.raises(TargetError, match=r"4\.7 GB to download once from org/seer-GGUF"):
        resolved("seer-7b")


def test_the_newest_weights_of_the_main_branch_are_taken(tmp_path: Path) -> None:
    put_into_cache(tmp_path, MODEL, MMPROJ, commit="aaaa")
    put_into_cache(tmp_path, MODEL, MMPROJ, commit="c0ffee")
    route = resolved("seer-7b")
    assert route.target.gguf is not None
    assert route.target.gguf.read_text() == "c0ffee"


def test_other_weights_of_the_repository_are_taken_from_the_cache_by_their_quantization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, parts = "seer-7b-Q8_0.gguf", "seer-7b-BF16-0000{}-of-00002.gguf"
    put_into_cache(tmp_path, MODEL, MMPROJ, other, parts.format(1), parts.format(2))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    given = Target(model="seer-7b")

    for wanted, file in (("q8_0", other), ("BF16", parts.format(1)), ("Q4_K_M", MODEL)):
        target, card = quantized(given, SEER, wanted)
        assert card is not None
        route = resolve("seer-7b", target, backend=None, catalogue=catalogue(card))
        assert route.target.gguf is not None
        assert route.target.gguf.name == file
        assert route.target.weights is not None
        assert route.target.weights.quantization == wanted.upper()


def test_two_bit_weights_are_never_taken_unasked(tmp_path: Path) -> None:
    coarse = ModelCard(
        name="seer-7b",
        gguf=GgufSource(
            repo=REPO, model_file="seer-7b-IQ2_M.gguf", mmproj_file=MMPROJ, quantization="IQ2_M"
        ),
    )
    put_into_cache(tmp_path, "seer-7b-IQ2_M.gguf", MMPROJ)
    with pytest.raises(TargetError, match="cannot be reached"):
        resolved("seer-7b", known=catalogue(coarse))


def test_files_of_ones_own_catalogue_are_taken_as_they_are(tmp_path: Path) -> None:
    files = GgufFiles(model=str(tmp_path / MODEL), mmproj=str(tmp_path / MMPROJ))
    own = ModelCard(name="mine", files=files)
    with pytest.raises(TargetError, match=f"{MODEL} does not exist"):
        resolved("mine", known=catalogue(own))
    (tmp_path / MODEL).write_text("")
    (tmp_path / MMPROJ).write_text("")
    assert resolved("mine", known=catalogue(own)).target.gguf == tmp_path / MODEL


def test_the_first_endpoint_whose_key_is_set_comes_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BETA_KEY", "k")
    route = resolved("seer-7b")
    assert (route.backend, route.preset, route.local) == ("openai", "beta", False)
    assert route.target.base_url == "https://beta.example/v1"
    assert (route.target.model_id, route.target.api_key_env) == ("seer", "BETA_KEY")
    monkeypatch.setenv("ALPHA_KEY", "k")
    assert resolved("seer-7b").preset == "alpha"


def test_when_nothing_is_open_every_route_is_named_with_its_command() -> None:
    with pytest.raises(TargetError) as caught:
        resolved("seer-7b")
    for command in (
        "evalrun --model seer-7b --base-url http://127.0.0.1:8080/v1",
        "evalrun --model seer-7b --backend llamacpp",
        "export ALPHA_KEY=…; evalrun --model seer-7b --backend alpha",
        "export BETA_KEY=…; evalrun --model seer-7b --backend beta",
    ):
        assert command in caught.value.fix
    assert "ALPHA_KEY is not set" in caught.value.problem
    assert caught.value.exit_code == 4


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(TargetError, match="nearest are seer-7b"):
        resolved("seer-7")


def test_a_key_goes_only_to_the_host_of_its_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_KEY", "k")
    for url in (
        "http://127.0.0.1:10/v1",
        "http://alpha.example/v1",
        "https://alpha.example.org/v1",
    ):
        elsewhere = resolved("seer-7b", backend="alpha", base_url=url)
        assert (elsewhere.backend, elsewhere.preset) == ("openai", None)
        assert (elsewhere.target.base_url, elsewhere.target.api_key_env) == (url, None)
        assert elsewhere.price is None
    named = resolved("seer-7b", backend="alpha", base_url=url, api_key_env="OTHER_KEY")
    assert named.target.api_key_env == "OTHER_KEY"
    home = resolved("seer-7b", backend="alpha", base_url="https://ALPHA.example/v2")
    assert (home.preset, home.target.api_key_env) == ("alpha", "ALPHA_KEY")


def test_the_key_of_an_endpoint_is_not_sent_to_another_host(
    evalrun: Evalrun, vision_server: VisionServer, suite: Path
) -> None:
    asking = ("--suite", suite, "--limit", "1", "--model", "m", "--base-url", vision_server.url)
    keys = {"OPENAI_API_KEY": "sk-secret", "MINE": "own-key"}

    assert evalrun(*asking, "--backend", "openai", env=keys).returncode == 0
    assert evalrun(*asking, "--backend", "openai", "--fresh", env={}).returncode == 0
    assert evalrun(*asking, "--fresh", "--api-key-env", "MINE", env=keys).returncode == 0

    sent = [it.get("authorization") for it in vision_server.headers]
    assert sent == [None, None, "Bearer own-key"]


def test_a_server_on_this_machine_is_asked_one_thing_at_a_time_unless_told_otherwise() -> None:
    with server("a") as url:
        assert resolved("a", base_url=url).target.concurrency == 1
        assert resolved("a", base_url=url, concurrency=4).target.concurrency == 4
    assert resolved("a", base_url="https://alpha.example/v1").target.concurrency is None


@pytest.mark.parametrize(
    ("given", "how"),
    [
        ({"image_tokens": (280, 1120)}, "--image-min-tokens 280 --image-max-tokens 1120"),
        ({"server_args": ("--flash-attn=on",)}, "start it with --flash-attn=on"),
        ({"image_detail": "low"}, "--image-tokens"),
    ],
)
def test_what_a_running_server_cannot_be_told_is_refused_with_how_to_start_it(
    given: dict[str, Any], how: str
) -> None:
    with server("seer-7b", owner="llamacpp") as url, pytest.raises(UsageError) as caught:
        resolved("seer-7b", base_url=url, **given)
    assert how in caught.value.fix
    assert caught.value.exit_code == 2


def test_an_unknown_endpoint_may_take_either_and_a_known_one_is_refused_at_once() -> None:
    far = "https://alpha.example/v1"
    assert resolved("m", base_url=far, image_detail="low").target.image_detail == "low"
    assert resolved("m", base_url=far, image_tokens=(1, 2)).target.image_tokens == (1, 2)
    with pytest.raises(UsageError, match="--image-detail"):
        resolved("m", base_url="https://api.openai.com/v1", image_tokens=(1, 2))


@pytest.mark.parametrize("given", ["300-100", "0", "many", "-5", "1-2-3"])
def test_a_range_of_image_tokens_that_is_none_is_refused(evalrun: Evalrun, given: str) -> None:
    done = evalrun(f"--image-tokens={given}", "--limit", "1")
    assert done.returncode == 2
    assert f"--image-tokens {given!r} is neither a number nor a range" in done.stderr
    assert done.stderr.count("fix:") == 1


def test_a_base_url_makes_any_name_good_and_sends_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHA_KEY", "k")
    route = resolved("my-own-vlm", base_url="https://alpha.example/v1")
    assert (route.backend, route.target.model, route.target.model_id) == (
        "openai",
        "my-own-vlm",
        "my-own-vlm",
    )
    assert route.target.api_key_env is None
    known = resolved("seer-7b", base_url="https://alpha.example/v1/")
    assert known.target.model_id == "org/seer-7b-instruct"


def test_a_base_url_alone_asks_the_only_model_there_is() -> None:
    with server("/models/seer-7b-Q4_K_M.gguf", owner="llamacpp") as url:
        route = resolved(None, base_url=url)
        assert (route.backend, route.target.model) == ("llamacpp", "seer-7b-Q4_K_M")
        assert resolved("mine", base_url=url, backend="openai").backend == "openai"
    with server("a", "b") as url, pytest.raises(TargetError, match="it serves a, b"):
        resolved(None, base_url=url)
    with pytest.raises(TargetError, match="--model NAME"):
        resolved(None, base_url="http://127.0.0.1:9/v1")


def test_weights_that_are_named_need_no_model_name(tmp_path: Path) -> None:
    gguf = tmp_path / "my-model-Q5_K_M.gguf"
    assert resolved(None, gguf=gguf).target.model == "my-model-Q5_K_M"
    assert resolved("mine", gguf=gguf).target.model == "mine"
    with pytest.raises(UsageError):
        resolved("mine", gguf=gguf, base_url="http://127.0.0.1:9/v1")


def test_a_backend_may_be_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    route = resolved("seer-7b", backend="alpha")
    assert (route.backend, route.preset) == ("openai", "alpha")
    assert route.target.model_id == "org/seer-7b-instruct"
    assert route.target.api_key_env == "ALPHA_KEY"
    assert resolved("unlisted", backend="beta").target.model_id == "unlisted"
    with pytest.raises(TargetError, match="which model to ask"):
        resolved(None, backend="alpha")


def test_the_llamacpp_backend_downloads_what_it_has_to(tmp_path: Path) -> None:
    route = resolved("seer-7b", backend="llamacpp")
    assert (route.target.gguf, route.target.weights) == (None, SEER.gguf)
    put_into_cache(tmp_path, MODEL, MMPROJ)
    assert resolved("seer-7b", backend="llamacpp").target.gguf is not None
    with pytest.raises(TargetError, match="--gguf FILE"):
        resolved("far", backend="llamacpp", known=catalogue(ModelCard(name="far")))


def test_a_backend_that_does_not_exist_lists_those_that_do() -> None:
    with pytest.raises(TargetError) as caught:
        resolved("seer-7b", backend="lamacpp")
    for name in ("llamacpp", "openai", "replay", "alpha"):
        assert name in caught.value.fix


def test_a_recording_is_replayed_under_its_own_name(tmp_path: Path) -> None:
    route = resolved(None, replay=tmp_path / "answers.jsonl")
    assert (route.backend, route.target.model) == ("replay", "answers")


def test_servers_that_are_no_servers_are_passed_over() -> None:
    with server() as empty, server("a") as one:
        urls = {
            "gone": "http://127.0.0.1:9/v1",
            "x": empty,
            "y": one,
            "far": "https://a.example/v1",
        }
        presets = [
            Preset(name=name, base_url=url, source="s", as_of="2026-01-01")
            for name, url in urls.items()
        ]
        found = look_around(presets)
    assert [(it.base_url, it.preset, it.models) for it in found] == [
        (empty, "x", ()),
        (one, "y", ("a",)),
    ]


def test_every_model_of_the_catalogue_resolves_or_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    known = load([])
    for preset in known.presets.values():
        if preset.api_key_env:
            monkeypatch.delenv(preset.api_key_env, raising=False)
    card = known.find("mistral-small-3.1")
    with pytest.raises(TargetError) as caught:
        resolved(
            "mistral-small-3.1", known=Catalogue(cards={card.name: card}, presets=known.presets)
        )
    assert "15.2 GB to download" in caught.value.problem
    assert "(Q4_K_M)" in caught.value.problem
