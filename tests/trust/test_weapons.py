"""Suites made to hurt, handed to the command: refused, within bounds of time and memory."""

from __future__ import annotations

import os
import resource
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Evalrun, VisionServer, clean_environment

MEMORY_BYTES = 2 << 30
"""Of addresses; decoding the bomb would take 3.6 GB."""


def png(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def squeezed(mebibytes: int) -> bytes:
    """Zeros, as zlib packs them; no checksum follows."""
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    sixteen = packer.compress(bytes(16 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\xda" + sixteen * (mebibytes // 16)


REFUSED = {
    "huge.png": "more than 50 million",
    "vector.png": "begins with <svg",
    "page.png": "begins with <",
    "empty.png": "begins with nothing",
    "device.png": "out of the suite",
    "outside.png": "out of the suite",
    "folder/secret.png": "out of the suite",
    "loop.png": "cannot be found",
    "fifo.png": "is a FIFO",
    "../secret.png": "not a path inside the suite",
    "/etc/passwd": "not a path inside the suite",
    "/dev/zero": "not a path inside the suite",
    "https://example.com/a.png": "is an address",
    "file:///etc/passwd": "is an address",
    "data:image/png;base64,AAAA": "is an address",
}
"""Each picture, and what is said of it."""


@pytest.fixture
def armed(tmp_path: Path) -> Path:
    """A suite in which every picture is a weapon, beside a file that must not be read."""
    Image.new("RGB", (8, 8)).save(tmp_path / "secret.png")
    root = tmp_path / "suite"
    root.mkdir()
    (root / "huge.png").write_bytes(png(60_000, 60_000, squeezed(16)))
    (root / "vector.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (root / "page.png").write_text("<!doctype html><script>alert(1)</script>")
    (root / "empty.png").touch()
    (root / "device.png").symlink_to("/dev/zero")
    (root / "outside.png").symlink_to(tmp_path / "secret.png")
    (root / "folder").symlink_to(tmp_path)
    (root / "loop.png").symlink_to(root / "loop.png")
    os.mkfifo(root / "fifo.png")
    suite_of(root, list(REFUSED))
    return root


def suite_of(root: Path, images: list[str], *, same_id: bool = False) -> None:
    lines = ['category = "Reading"', 'suite = "armed"', 'version = "1"']
    for number, image in enumerate(images):
        lines += [
            "[[case]]",
            f'id = "c{0 if same_id else number}"',
            'question = "Is it there? Answer yes or no."',
            f'image = "{image}"',
            'expected = "yes"',
            'grader = "yes_no"',
        ]
    (root / "armed.toml").write_text("\n".join(lines) + "\n")


def within_bounds(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *map(str, arguments)],
        cwd=folder,
        env=clean_environment(OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES)),
    )


def test_every_weapon_is_named_and_nobody_is_asked(
    armed: Path, tmp_path: Path, vision_server: VisionServer
) -> None:
    target = ("--model", "m", "--base-url", vision_server.url)

    run = within_bounds(tmp_path, "--suite", armed, *target)
    check = within_bounds(tmp_path, "check", armed)

    for done in (run, check):
        assert done.returncode == 3, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        told = " ".join((done.stdout + done.stderr).split()).split("case c")
        for number, (image, why) in enumerate(REFUSED.items()):
            said = [it for it in told if it.startswith((f"{number}:", f"{number} ")) and why in it]
            assert said, f"{image}: {told}"
    assert vision_server.seen == []


def test_a_bomb_of_pixels_is_not_unfolded(tmp_path: Path, vision_server: VisionServer) -> None:
    """Its header says 8 x 8, and so it is taken; four gigabytes of zeros follow."""
    root = tmp_path / "suite"
    root.mkdir()
    (root / "bomb.png").write_bytes(png(8, 8, squeezed(4096)))
    suite_of(root, ["bomb.png"])

    run = within_bounds(tmp_path, "--suite", root, "--model", "m", "--base-url", vision_server.url)

    assert run.returncode == 0, run.stderr
    assert len(vision_server.seen) == 1


def test_ten_thousand_cases_of_one_id_make_a_short_message(
    tmp_path: Path, evalrun: Evalrun
) -> None:
    root = tmp_path / "suite"
    root.mkdir()
    Image.new("RGB", (8, 8)).save(root / "a.png")
    suite_of(root, ["a.png"] * 10_000, same_id=True)

    done = evalrun("--suite", root, "--model", "m", "--base-url", "http://127.0.0.1:9/v1")

    assert done.returncode == 3
    assert "its id was used before" in done.stderr
    assert "and 9,979 more" in done.stderr
    assert len(done.stderr.splitlines()) < 40
