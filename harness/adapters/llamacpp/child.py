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

_Setter = Callable[[Any, str], None]


def main(arguments: list[str] | None = None) -> int:
    """Serve until the process is ended; 1 when the server cannot start."""
    options = vars(_parser().parse_args(arguments))
    import xllamacpp

    if options["list_devices"]:
        for device in xllamacpp.get_device_info():
            if device["name"] != "CPU":
                sys.stdout.write(f"  {device['name']}: {device['description']}\n")
        return 0
    params = xllamacpp.CommonParams()
    if key := os.environ.pop("LLAMA_API_KEY", None):
        params.api_keys = [key]
    for flag, (name, state) in SWITCHES.items():
        if options[_field(flag)]:
            setattr(params, name, state)
    for flag, put in SETTERS.items():
        value = options[_field(flag)]
        if value is not None:
            try:
                put(params, value)
            except (ValueError, TypeError, AttributeError) as error:
                sys.stderr.write(f"error: invalid argument: {flag} {value}: {error}\n")
                return 1
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


def _field(flag: str) -> str:
    return flag.removeprefix("--").replace("-", "_")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    for flag in SETTERS:
        parser.add_argument(flag)
    for flag in SWITCHES:
        parser.add_argument(flag, action="store_true")
    parser.add_argument("--list-devices", action="store_true")
    return parser


def _to(name: str, convert: Callable[[str], Any] = str) -> _Setter:
    """Sets an attribute, which may lie deeper: "model.path"."""

    def put(params: Any, value: str) -> None:
        *way, last = name.split(".")
        for part in way:
            params = getattr(params, part)
        setattr(params, last, convert(value))

    return put


def _enum(name: str, kind: str, prefix: str) -> _Setter:
    """Sets an attribute to the member of an enumeration that llama.cpp's flag means."""

    def put(params: Any, value: str) -> None:
        import xllamacpp

        setattr(params, name, getattr(getattr(xllamacpp, kind), prefix + value.upper()))

    return put


def _flash_attn(params: Any, value: str) -> None:
    words = {"on": "enabled", "off": "disabled"}
    put = _enum("flash_attn_type", "llama_flash_attn_type", "LLAMA_FLASH_ATTN_TYPE_")
    put(params, words.get(value, value))


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
SETTERS: dict[str, _Setter] = {
    "--model": _to("model.path"),
    "--mmproj": _to("mmproj.path"),
    "--alias": _to("model_alias", lambda value: {value}),
    "--host": _to("hostnames", lambda value: [value]),
    "--port": _to("port", int),
    "--ctx-size": _to("n_ctx", int),
    "--parallel": _to("n_parallel", int),
    "--threads": _to("cpuparams.n_threads", int),
    "--threads-batch": _to("cpuparams_batch.n_threads", int),
    "--cache-ram": _to("cache_ram_mib", int),
    "--batch-size": _to("n_batch", int),
    "--ubatch-size": _to("n_ubatch", int),
    "--image-min-tokens": _to("image_min_tokens", int),
    "--image-max-tokens": _to("image_max_tokens", int),
    "--n-gpu-layers": _to("n_gpu_layers", int),
    "--main-gpu": _to("main_gpu", int),
    "--flash-attn": _flash_attn,
    "--cache-type-k": _enum("cache_type_k", "ggml_type", "GGML_TYPE_"),
    "--cache-type-v": _enum("cache_type_v", "ggml_type", "GGML_TYPE_"),
    "--chat-template": _to("chat_template"),
    "--chat-template-kwargs": _to("default_template_kwargs", _as_json_values),
    "--reasoning-budget": _to("sampling.reasoning_budget_tokens", int),
    "--rope-freq-base": _to("rope_freq_base", float),
    "--rope-freq-scale": _to("rope_freq_scale", float),
}
"""Flag of `llama-server` -> what it sets here. The same names, so that one command line serves."""


if __name__ == "__main__":
    sys.exit(main())
