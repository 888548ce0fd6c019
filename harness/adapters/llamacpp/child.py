"""llama.cpp's own HTTP server out of the `xllamacpp` wheel, with the flags of `llama-server`.

    LLAMA_API_KEY=... python child.py --model TEXT.gguf --mmproj VISION.gguf --port 8123

In a process of its own: a crash of the server must not take evalrun with it, and stopping one that
runs inside Python can hang. llama.cpp logs to stderr.
"""

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any


def main() -> int:
    """Serve until the process is ended; 1 when the server cannot start."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    for flag, (attribute, convert) in FLAGS.items():
        parser.add_argument(flag, dest=attribute, type=convert)
    for flag, (attribute, state) in SWITCHES.items():
        parser.add_argument(flag, dest=attribute, action="store_const", const=state)
    parser.add_argument("--list-devices", action="store_true")
    options = vars(parser.parse_args())
    import xllamacpp

    if options.pop("list_devices"):
        for device in xllamacpp.get_device_info():
            if device["name"] != "CPU":
                sys.stdout.write(f"  {device['name']}: {device['description']}\n")
        return 0
    params = xllamacpp.CommonParams()
    if key := os.environ.pop("LLAMA_API_KEY", None):
        params.api_keys = [key]
    for attribute, value in options.items():
        if value is not None:
            *path, last = attribute.split(".")
            holder = params
            for part in path:
                holder = getattr(holder, part)
            setattr(holder, last, value)
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


def _as_json_values(text: str) -> dict[str, bytes]:
    return {name: json.dumps(value).encode() for name, value in json.loads(text).items()}


SWITCHES: dict[str, tuple[str, bool]] = {
    "--offline": ("offline", True),
    "--no-webui": ("ui", False),
    "--jinja": ("use_jinja", True),
    "--swa-full": ("swa_full", True),
    "--no-mmproj-offload": ("mmproj_use_gpu", False),
    "--no-kv-offload": ("no_kv_offload", True),
    "--no-warmup": ("warmup", False),
}
FLAGS: dict[str, tuple[str, Callable[[str], Any]]] = {
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
    "--chat-template-kwargs": ("default_template_kwargs", _as_json_values),
    "--reasoning-budget": ("sampling.reasoning_budget_tokens", int),
    "--reasoning-budget-message": ("sampling.reasoning_budget_message", str),
    "--rope-freq-base": ("rope_freq_base", float),
    "--rope-freq-scale": ("rope_freq_scale", float),
}
"""Flag of `llama-server` -> the attribute it sets, and how the value is read."""


if __name__ == "__main__":
    sys.exit(main())
