"""A server that cannot be used is refused with one clear message and the end of its own log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import numpy as np
import pytest

from harness.adapters import Target
from harness.adapters.llamacpp.server import trouble_lines
from harness.adapters.llamacpp.weights import Weights
from harness.adapters.routes import opener
from harness.errors import TargetError
from tests.llamacpp.tools import Notes, altered, prompt, running_server, script

open_llamacpp = opener("llamacpp")


def refused(target: Target) -> TargetError:
    with pytest.raises(TargetError) as caught, open_llamacpp(target):
        pass
    return caught.value


def with_files(target: Target, gguf: Path, mmproj: Path | None) -> Target:
    return msgspec.structs.replace(target, gguf=gguf, mmproj=mmproj)


def cut(path: Path, to: Path) -> Path:
    to.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return to


def no_gguf(to: Path) -> Path:
    to.write_text("not a GGUF file at all\n" * 100)
    return to


Files = Callable[[Weights, Path], tuple[Path, Path]]


@pytest.mark.parametrize(
    ("files", "problem", "fix"),
    [
        pytest.param(
            lambda pair, tmp: (no_gguf(tmp / "m.gguf"), pair.mmproj),
            "invalid magic",
            "download that file again",
            id="not a GGUF",
        ),
        pytest.param(
            lambda pair, tmp: (cut(pair.gguf, tmp / "m.gguf"), pair.mmproj),
            "not within the file bounds",
            "download that file again",
            id="truncated",
        ),
        pytest.param(
            lambda pair, tmp: (pair.mmproj, pair.mmproj),
            "CLIP cannot be used as main model",
            "this with --mmproj",
            id="mmproj as model",
        ),
        pytest.param(
            lambda pair, tmp: (pair.gguf, cut(pair.mmproj, tmp / "mmproj.gguf")),
            "failed to seek",
            "download that file again",
            id="truncated mmproj",
        ),
        pytest.param(
            lambda pair, tmp: (pair.gguf, pair.gguf),
            "failed to load",
            "model's own mmproj",
            id="model as mmproj",
        ),
        pytest.param(
            lambda pair, tmp: (pair.gguf, of_another_model(pair.mmproj, tmp / "mmproj.gguf")),
            "n_embd = 64",
            "from the same place as the GGUF",
            id="mmproj of another model",
        ),
        pytest.param(
            lambda pair, tmp: (of_a_newer_kind(tmp / "m.gguf"), pair.mmproj),
            "unknown model architecture",
            "take a newer llama.cpp",
            id="unknown architecture",
        ),
    ],
)
def test_files_that_cannot_be_served(
    target: Target, pair: Weights, tmp_path: Path, files: Files, problem: str, fix: str
) -> None:
    error = refused(with_files(target, *files(pair, tmp_path)))
    assert problem in error.problem
    assert fix in error.fix
    assert "Traceback" not in str(error)


def of_another_model(mmproj: Path, to: Path) -> Path:
    return altered(
        mmproj,
        to,
        clip__vision__projection_dim=32,
        mm__2__weight=np.zeros((32, 64), np.float32),
        mm__2__bias=np.zeros(32, np.float32),
    )


def of_a_newer_kind(to: Path) -> Path:
    from gguf import GGUFWriter

    writer = GGUFWriter(to, "llama9")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return to


def test_files_that_are_not_there_are_refused_before_anything_starts(
    target: Target, pair: Weights, tmp_path: Path, notes: Notes
) -> None:
    gone = tmp_path / "gone.gguf"
    assert f"{gone} is not a file" in refused(with_files(target, gone, pair.mmproj)).problem
    assert f"{gone} is not a file" in refused(with_files(target, pair.gguf, gone)).problem
    assert "is not a file" in refused(with_files(target, tmp_path, pair.mmproj)).problem
    assert "starting" not in notes


def test_the_mmproj_beside_the_model_is_taken_unless_there_are_several(
    target: Target, pair: Weights, tmp_path: Path, notes: Notes
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(pair.gguf.read_bytes())
    assert "its folder holds none" in refused(with_files(target, model, None)).problem
    (tmp_path / "mmproj-a.gguf").write_bytes(pair.mmproj.read_bytes())
    with open_llamacpp(with_files(target, model, None)) as adapter:
        assert adapter.ask(prompt("red")).text == "red"
    assert "taking mmproj-a.gguf" in notes
    (tmp_path / "mmproj-b.gguf").write_bytes(pair.mmproj.read_bytes())
    assert "holds mmproj-a.gguf, mmproj-b.gguf" in refused(with_files(target, model, None)).problem


def test_too_little_memory(target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = '[ "$1" = --help ] || ulimit -v 700000\nexec $CHILD "$@" --ctx-size 400000'
    monkeypatch.setenv("EVALRUN_LLAMA_SERVER", script(tmp_path / "llama-server", limited))
    error = refused(target)
    assert "failed to allocate" in error.problem
    assert "smaller quantization" in error.fix


def test_a_context_too_small_for_a_picture(target: Target, pair: Weights, tmp_path: Path) -> None:
    short = altered(pair.gguf, tmp_path / "short.gguf", llama__context_length=128)
    error = refused(with_files(target, short, pair.mmproj))
    assert "failed at a plain picture of 224 pixels" in error.problem
    assert "128" in error.problem
    assert "larger context" in error.fix


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("echo libfoo.so.1: cannot open shared object file >&2; exit 127", "libfoo.so.1"),
        ("exit 3", "--mmproj: nothing"),
        ("echo ' -m, --model FNAME   model path'", "lists no --model and --mmproj"),
    ],
)
def test_a_named_server_that_does_not_work(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, problem: str
) -> None:
    monkeypatch.setenv("EVALRUN_LLAMA_SERVER", script(tmp_path / "llama-server", body))
    assert problem in refused(target).problem


def test_a_named_server_that_is_not_there(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVALRUN_LLAMA_SERVER", "/nowhere/llama-server")
    assert "which is not a program" in refused(target).problem


def test_a_server_that_is_killed_while_it_loads(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = '[ "$1" = --help ] && exec $CHILD --help\nkill -9 $$'
    monkeypatch.setenv("EVALRUN_LLAMA_SERVER", script(tmp_path / "llama-server", dying))
    error = refused(target)
    assert "was killed, most likely because memory ran out" in error.problem


def test_no_weights_named() -> None:
    assert "--gguf" in refused(Target(model="mine")).fix


@pytest.fixture(scope="module")
def eyeless(pair: Weights) -> Iterator[str]:
    """A running llama.cpp server without an mmproj."""
    with running_server(pair.gguf) as address:
        yield address


@pytest.fixture(scope="module")
def seeing(pair: Weights) -> Iterator[str]:
    """A running llama.cpp server with two slots."""
    with running_server(pair.gguf, pair.mmproj, "--parallel", "2") as address:
        yield address


def test_a_running_server_is_used_as_it_is(seeing: str, pair: Weights, notes: Notes) -> None:
    for base_url in (seeing, f"{seeing}/v1", f"{seeing}/v1/"):
        target = Target(model="mine", base_url=base_url, concurrency=5, notify=notes.append)
        with open_llamacpp(target) as adapter:
            assert adapter.ask(prompt("red")).text == "red"
            assert adapter.ask(prompt("red")).image_cached
            assert adapter.opened.base_url == f"{seeing}/v1"
            assert adapter.opened.concurrency == 2
            assert adapter.opened.server is not None
            assert adapter.opened.server.model_file == pair.gguf.name
            assert adapter.opened.server.model_sha256 is not None
    assert "the server has 2 slots: so many calls at once, not 5" in notes


def test_a_running_server_without_eyes_is_refused(eyeless: str) -> None:
    error = refused(Target(model="mine", base_url=eyeless))
    assert "vision = false" in error.problem
    assert "--mmproj" in error.fix


def test_a_server_of_another_kind_is_refused() -> None:
    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None: ...

    with serving(Other) as url:
        error = refused(Target(model="x", base_url=f"{url}/v1"))
    assert "--backend openai" in error.fix


def test_nobody_at_the_address() -> None:
    error = refused(Target(model="x", base_url="http://127.0.0.1:9/v1"))
    assert "no connection to http://127.0.0.1:9" in error.problem
    assert "server runs" in error.fix


def test_trouble_is_found_in_a_log_and_stamps_are_not_shown() -> None:
    log = "0.00.1 I srv init: fine\n0.00.2 E srv load: failed to do it\n0.00.3 I srv: bye\n"
    assert trouble_lines(log) == ["srv load: failed to do it"]
    assert trouble_lines("one\ntwo\n") == ["one", "two"]
    assert trouble_lines("") == []


def test_a_running_server_that_still_loads_is_waited_for(notes: Notes) -> None:
    loading = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'
    asked: list[str] = []

    class Loading(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(503 if len(asked) < 3 else 404)
            self.end_headers()
            self.wfile.write(loading if len(asked) < 3 else b"")

        def log_message(self, *_: object) -> None: ...

    with serving(Loading) as url:
        refused(Target(model="m", base_url=url, notify=notes.append))
    assert asked == ["/props", "/props", "/props"]
    assert "is still loading its model" in notes


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
