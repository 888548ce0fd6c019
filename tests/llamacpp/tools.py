"""What the tests of local servers share: prompts, scripts, altered GGUF files, waiting."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFReader, GGUFValueType, GGUFWriter

from harness import images
from harness.adapters import llamacpp
from harness.adapters.base import Request

CHILD = Path(llamacpp.__file__).with_name("child.py")


class Notes(list[str]):
    """What an opener told us."""

    def __contains__(self, words: object) -> bool:
        return any(str(words) in line for line in self)


def prompt(colour: str | None, question: str = "Which colour is it?") -> Request:
    image = images.plain(colour, 120, 90) if colour else None
    return Request(id="p", question=question, images=(image,) if image else ())


def script(path: Path, body: str) -> str:
    """An executable shell script; `$CHILD` is our server as a foreign binary would be called."""
    path.write_text(f'#!/bin/sh\nCHILD="{sys.executable} -P {CHILD}"\n{body}\n')
    path.chmod(0o755)
    return str(path)


def altered(source: Path, to: Path, **changes: Any) -> Path:
    """A copy of a GGUF file with other metadata (dots spelled __), or other tensors."""
    reader = GGUFReader(source)
    architecture = str(reader.fields["general.architecture"].contents())
    writer = GGUFWriter(to, architecture)
    changed = {name.replace("__", "."): value for name, value in changes.items()}
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == GGUFValueType.ARRAY else None
        value = changed.get(field.name, field.contents())
        writer.add_key_value(field.name, value, kind, sub_type=inner)
    for tensor in reader.tensors:
        data = np.asarray(changed.get(tensor.name, tensor.data.reshape(tensor.shape[::-1])))
        writer.add_tensor(tensor.name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return to


def eventually(condition: Callable[[], bool], *, within_s: float = 20.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def running_server(
    gguf: Path, mmproj: Path | None = None, *flags: str, key: str | None = None
) -> Iterator[str]:
    """A llama.cpp server that somebody else has started; its address."""
    files = ["--model", str(gguf), *(["--mmproj", str(mmproj)] if mmproj else [])]
    with subprocess.Popen(
        [sys.executable, "-P", str(CHILD), *files, "--threads=1", "--threads-batch=1", *flags],
        env=os.environ | ({"LLAMA_API_KEY": key} if key else {}),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        address = next(line.split()[-1] for line in process.stderr if "listening on" in line)
        drain = threading.Thread(target=process.stderr.read)
        drain.start()
        try:
            yield address
        finally:
            process.kill()
            drain.join()
