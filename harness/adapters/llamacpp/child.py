"""llama.cpp's own HTTP server out of the `xllamacpp` wheel, with the flags of `llama-server`.

    LLAMA_API_KEY=... python child.py --model TEXT.gguf --mmproj VISION.gguf --port 8123

In a process of its own: a crash of the server must not take evalrun with it, and stopping one that
runs inside Python can hang. llama.cpp logs to stderr.
"""

import argparse
import os
import sys
import threading
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    """Serve until the process is ended; 1 when the server cannot start."""
    options = _parser().parse_args(arguments)
    import xllamacpp

    sys.stderr.write(
        f"system_info: n_threads = {options.threads} | {xllamacpp.get_system_info()}\n"
    )
    try:
        server = xllamacpp.Server(_params(options, os.environ.pop("LLAMA_API_KEY", None)))
    except RuntimeError as error:
        # The reason itself stands in llama.cpp's log, which only an orderly end writes out whole.
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"listening on {server.listening_address}\n")
    threading.Event().wait()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--mmproj", default="")
    parser.add_argument("--alias", default="")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ctx-size", type=int, default=0)
    parser.add_argument("--parallel", type=int, default=1)
    parser.add_argument("--threads", type=int, default=-1)
    parser.add_argument("--threads-batch", type=int, default=-1)
    parser.add_argument("--cache-ram", type=int, default=8192)
    for always_so in ("--offline", "--jinja", "--no-webui"):
        parser.add_argument(always_so, action="store_true")
    return parser


def _params(options: argparse.Namespace, key: str | None) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options.model
    params.mmproj.path = options.mmproj
    params.model_alias = {options.alias} if options.alias else set()
    params.hostnames = [options.host]
    params.port = options.port
    params.n_ctx = options.ctx_size
    params.n_parallel = options.parallel
    params.cpuparams.n_threads = options.threads
    params.cpuparams_batch.n_threads = options.threads_batch
    params.cache_ram_mib = options.cache_ram
    params.api_keys = [key] if key else []
    params.ui = False
    params.offline = True
    return params


if __name__ == "__main__":
    sys.exit(main())
