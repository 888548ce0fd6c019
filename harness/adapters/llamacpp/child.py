"""Two programs that evalrun starts beside itself, with the standard library alone.

    python child.py guard COMMAND [ARGUMENT...]

runs a server and sees to it that it never outlives evalrun: stdin is a pipe that only evalrun
holds; when evalrun ends, in whatever way, the pipe closes and the server is stopped.

    LLAMA_API_KEY=... python child.py --model TEXT.gguf --mmproj VISION.gguf --port 8123

is llama.cpp's own HTTP server out of the `xllamacpp` wheel, with the flags of `llama-server`. A
crash of it must not take evalrun with it, and stopping one that runs inside Python can hang.
"""

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

_GRACE_S = 3.0
"""A llama.cpp server told to end waits for running requests, which nobody wants any more."""


def guard(command: list[str]) -> int:
    """Run `command`; its exit code, or 128 + the signal that ended it."""
    # preexec_fn is safe here: this process has no other thread yet.
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_dies_with_us())
    threading.Thread(target=_stop_at_end_of_stdin, args=(server.pid,), daemon=True).start()
    code = server.wait()
    return code if code >= 0 else 128 - code


def _stop_at_end_of_stdin(pid: int) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os.kill(pid, signal.SIGTERM)
    time.sleep(_GRACE_S)
    os.kill(pid, signal.SIGKILL)


def _dies_with_us() -> Callable[[], None] | None:
    """On Linux the kernel kills the server should this guard itself be killed."""
    if sys.platform != "linux":
        return None
    import ctypes

    prctl, pr_set_pdeathsig = ctypes.CDLL(None).prctl, 1
    return lambda: prctl(pr_set_pdeathsig, signal.SIGKILL)


def serve() -> int:
    """Serve until the process is ended; 1 when the server cannot start."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    for flag, (attribute, convert) in _FLAGS.items():
        parser.add_argument(flag, dest=attribute, type=convert)
    for flag, (attribute, state) in _SWITCHES.items():
        parser.add_argument(flag, dest=attribute, action="store_const", const=state)
    options = vars(parser.parse_args())
    import xllamacpp

    params = xllamacpp.CommonParams()
    if key := os.environ.pop("LLAMA_API_KEY", None):
        params.api_keys = [key]
    for attribute, value in options.items():
        if value is not None:
            holder, _, last = attribute.rpartition(".")
            setattr(getattr(params, holder) if holder else params, last, value)
    threads = params.cpuparams.n_threads
    sys.stderr.write(f"system_info: n_threads = {threads} | {xllamacpp.get_system_info()}\n")
    try:
        server = xllamacpp.Server(params)
    except RuntimeError as error:
        # The reason itself stands in llama.cpp's log, which only an orderly end writes out whole.
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"listening on {server.listening_address}\n")
    threading.Event().wait()
    return 0


def _member(kind: str, prefix: str, **words: str) -> Callable[[str], Any]:
    """Turns what a flag is given into the member of an enumeration."""

    def convert(value: str) -> Any:
        import xllamacpp

        try:
            return getattr(getattr(xllamacpp, kind), prefix + words.get(value, value).upper())
        except AttributeError as error:
            raise argparse.ArgumentTypeError(f"invalid value {value!r}") from error

    return convert


_SWITCHES: dict[str, tuple[str, bool]] = {
    "--offline": ("offline", True),
    "--no-webui": ("ui", False),
    "--jinja": ("use_jinja", True),
    "--swa-full": ("swa_full", True),
    "--no-mmproj-offload": ("mmproj_use_gpu", False),
    "--no-warmup": ("warmup", False),
}
_FLAGS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "--model": ("model.path", str),
    "--mmproj": ("mmproj.path", str),
    "--alias": ("model_alias", lambda value: {value}),
    "--host": ("hostnames", lambda value: [value]),
    "--port": ("port", int),
    "--ctx-size": ("n_ctx", int),
    "--parallel": ("n_parallel", int),
    "--threads": ("cpuparams.n_threads", int),
    "--threads-batch": ("cpuparams_batch.n_threads", int),
    "--cache-ram": ("cache_ram_mib", int),
    "--batch-size": ("n_batch", int),
    "--ubatch-size": ("n_ubatch", int),
    "--image-min-tokens": ("image_min_tokens", int),
    "--image-max-tokens": ("image_max_tokens", int),
    "--n-gpu-layers": ("n_gpu_layers", int),
    "--main-gpu": ("main_gpu", int),
    "--flash-attn": (
        "flash_attn_type",
        _member("llama_flash_attn_type", "LLAMA_FLASH_ATTN_TYPE_", on="enabled", off="disabled"),
    ),
    "--cache-type-k": ("cache_type_k", _member("ggml_type", "GGML_TYPE_")),
    "--cache-type-v": ("cache_type_v", _member("ggml_type", "GGML_TYPE_")),
    "--chat-template": ("chat_template", str),
    "--reasoning-budget": ("sampling.reasoning_budget_tokens", int),
}
"""Flag of `llama-server` -> the attribute it sets, and how the value is read."""


if __name__ == "__main__":
    sys.exit(guard(sys.argv[2:]) if sys.argv[1:2] == ["guard"] else serve())
