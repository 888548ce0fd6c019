"""The machine we run on, its processor, memory and graphics cards, and what fits on it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_CGROUP = Path("/sys/fs/cgroup")
_TINY_BYTES = 64 << 20


class Gpu(Struct, frozen=True):
    """An NVIDIA card, as its driver describes it."""

    name: str
    driver: str
    memory_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        return f"{self.name} ({self.memory_bytes / 1e9:.0f} GB)"


def gpus() -> tuple[Gpu, ...]:
    """None where there is no NVIDIA driver."""
    rows = _nvidia_smi("--query-gpu=name,driver_version,memory.total,memory.free")
    with suppress(ValueError):
        return tuple(
            Gpu(name, driver, int(total) << 20, int(free) << 20)
            for name, driver, total, free in rows
        )
    return ()


def gpu_bytes_of(pids: list[int]) -> int | None:
    """Memory that processes hold on the cards; None where the driver does not say."""
    rows = _nvidia_smi("--query-compute-apps=pid,used_memory")
    used = [int(mib) << 20 for pid, mib in rows if pid in map(str, pids) and mib.isdigit()]
    return sum(used) or None


def _nvidia_smi(query: str) -> list[list[str]]:
    """Rows of a query to the driver (NVML), sizes in MiB."""
    command = ["nvidia-smi", query, "--format=csv,noheader,nounits"]
    try:
        told = subprocess.check_output(command, stderr=subprocess.DEVNULL, text=True, timeout=10.0)
    except (OSError, subprocess.SubprocessError):
        return []
    return [[cell.strip() for cell in line.split(",")] for line in told.splitlines()]


def peak_bytes_of(pids: list[int]) -> int | None:
    """The most memory that processes ever held at once; None off Linux."""
    found = [re.search(r"VmHWM:\s+(\d+) kB", _read(f"/proc/{pid}/status")) for pid in pids]
    return sum(int(it[1]) << 10 for it in found if it) or None


def cpu_name() -> str:
    found = re.search(r"^model name\s*: (.*)", _read("/proc/cpuinfo"), re.MULTILINE)
    return " ".join(found[1].split()) if found else platform.processor() or platform.machine()


def memory_bytes(cgroup: Path = _CGROUP) -> int | None:
    """The machine's memory, or what a container may use of it; None where nothing tells."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        return None
    limit = _read(cgroup / "memory.max").strip()
    return min(total, int(limit)) if limit.isdecimal() else total  # "max": no limit


def compute_threads(weights_bytes: int, cgroup: Path = _CGROUP) -> int | None:
    """The physical cores we may use; 1 for a tiny model, where threads only wait for each other.

    None off Linux, where llama.cpp itself knows best (it prefers a Mac's fast cores).
    """
    if weights_bytes < _TINY_BYTES:
        return 1
    if sys.platform != "linux":
        return None
    siblings = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
    # The hardware threads of one core have the same siblings.
    cores = {_read(siblings.format(cpu)) or cpu for cpu in os.sched_getaffinity(0)}
    quota, _, period = _read(cgroup / "cpu.max").partition(" ")
    most = int(quota) // int(period) if quota.isdecimal() else len(cores)
    return max(1, min(len(cores), most))


def _read(path: str | Path) -> str:
    """Nothing where it cannot be read."""
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def bits_in(quantization: str) -> int | None:
    """Bits a weight, roughly; None when the name does not say.

    >>> bits_in("UD-Q4_K_XL"), bits_in("IQ2_M"), bits_in("BF16"), bits_in("mystery")
    (4, 2, 16, None)
    """
    found = re.search(r"(?:Q|F|FP)(\d+)", quantization.upper())
    return int(found[1]) if found else None


def size_of(parameters: str, quantization: str) -> int | None:
    """Bytes of weights and projector, estimated.

    From 3B on within a sixth of the sizes that the catalogue knows; smaller models take less.

    >>> size_of("12B", "Q4_K_M"), size_of("500M", "Q8_0"), size_of("unknown", "Q4_K_M")
    (8220000000, 835000000, None)
    """
    found = re.match(r"(\d+(?:\.\d+)?) ?([BM])\b", parameters)
    bits = bits_in(quantization)
    if found is None or bits is None:
        return None
    billions = float(found[1]) / (1 if found[2] == "B" else 1000)
    return round(1e9 * (0.1525 * bits * billions + min(0.9, 0.45 * billions)))


def needed_bytes(files_bytes: int, context_tokens: int) -> int:
    """Memory to run a model in, estimated: its files, its context, and room to compute.

    A token of context takes 57 to 390 KB in the models of 4 to 24 billion weights that are widely
    used, at 16 bits; 150 KB is about the middle, smaller models take less.
    """
    per_token = 150_000 * min(1.0, files_bytes / 2.5e9)
    return int(1.05 * files_bytes + per_token * context_tokens + 0.3e9)


def where_it_fits(needed_bytes: int, cards: tuple[Gpu, ...], memory: int | None) -> str | None:
    """Where a model of this size has room; None when it has none, or nothing is known.

    >>> where_it_fits(6 << 30, (), 16 << 30), where_it_fits(15 << 30, (), 16 << 30)
    ('memory', None)
    """
    free = sum(it.free_bytes for it in cards)
    if needed_bytes <= free:
        return "GPU"
    usable = 0.85 * memory if memory else 0.0  # the rest is the system's
    if needed_bytes <= usable:
        return "memory"
    return "GPU and memory" if free and needed_bytes <= free + usable else None
