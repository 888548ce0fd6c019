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
from harness.adapters import Request, llamacpp

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


def dynamic_projector(to: Path) -> Path:
    """A projector whose pictures take more tokens the larger they are, of random weights, which
    fits the demonstration model's text weights."""
    random, width, hidden, text_width, patch_px = np.random.default_rng(1), 32, 64, 64, 16

    def noise(*shape: int) -> Any:
        return (random.standard_normal(shape) * 0.05).astype(np.float32)

    def ones(size: int) -> Any:
        return np.ones(size, np.float32)

    writer = GGUFWriter(to, "clip")
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_bool("clip.use_silu", True)
    writer.add_string("clip.projector_type", "pixtral")
    sizes = {"image_size": 1024, "patch_size": patch_px, "embedding_length": width}
    sizes |= {"feed_forward_length": hidden, "projection_dim": text_width, "spatial_merge_size": 2}
    for key, value in (sizes | {"attention.head_count": 1, "block_count": 1}).items():
        writer.add_uint32(f"clip.vision.{key}", value)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5] * 3)
    writer.add_array("clip.vision.image_std", [0.5] * 3)
    tensors = {
        "v.patch_embd.weight": noise(width, 3, patch_px, patch_px),
        "v.pre_ln.weight": ones(width),
        "v.blk.0.ffn_gate.weight": noise(hidden, width),
        "v.blk.0.ffn_up.weight": noise(hidden, width),
        "v.blk.0.ffn_down.weight": noise(width, hidden),
        "mm.input_norm.weight": ones(width),
        "mm.patch_merger.weight": noise(width, 4 * width),
        "mm.1.weight": noise(text_width, width),
        "mm.2.weight": noise(text_width, text_width),
        "v.token_embd.img_break": noise(text_width),
    }
    tensors |= {f"v.blk.0.{it}.weight": ones(width) for it in ("ln1", "ln2")}
    for part in ("attn_q", "attn_k", "attn_v", "attn_out"):
        tensors[f"v.blk.0.{part}.weight"] = noise(width, width)
    for name, data in tensors.items():
        writer.add_tensor(name, data)
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
