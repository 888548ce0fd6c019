"""The machine we run on: its processor and its threads, its memory, its graphics cards."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

_CPUS = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")
_TINY_BYTES = 64 << 20
_PATIENCE_S = 10.0


class Gpu(Struct, frozen=True, kw_only=True):
    """An NVIDIA card, as its driver describes it."""

    name: str
    driver: str
    memory_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        return f"{self.name} ({self.memory_bytes / 1e9:.0f} GB)"


def gpus() -> tuple[Gpu, ...]:
    """By NVML where `nvidia-ml-py` is installed, else by nvidia-smi; none where neither answers."""
    try:
        import pynvml
    except ImportError:
        return _gpus_by_command()
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
        driver = pynvml.nvmlSystemGetDriverVersion()
        cards = map(pynvml.nvmlDeviceGetHandleByIndex, range(pynvml.nvmlDeviceGetCount()))
        return tuple(_by_nvml(pynvml, card, driver) for card in cards)
    return ()


def _by_nvml(pynvml: Any, card: Any, driver: str) -> Gpu:
    memory = pynvml.nvmlDeviceGetMemoryInfo(card)
    return Gpu(
        name=pynvml.nvmlDeviceGetName(card),
        driver=driver,
        memory_bytes=memory.total,
        free_bytes=memory.free,
    )


def _gpus_by_command() -> tuple[Gpu, ...]:
    rows = _nvidia_smi("--query-gpu=name,driver_version,memory.total,memory.free")
    with suppress(ValueError):
        return tuple(
            Gpu(
                name=name,
                driver=driver,
                memory_bytes=int(total) << 20,
                free_bytes=int(free) << 20,
            )
            for name, driver, total, free in rows
        )
    return ()


def peak_bytes_of(pids: list[int]) -> int | None:
    """The most memory that processes ever held at once; None off Linux."""
    peaks = []
    for pid in pids:
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            peaks += [int(kib) << 10 for kib in re.findall(r"VmHWM:\s+(\d+) kB", status)]
    return sum(peaks) if peaks else None


def gpu_bytes_of(pids: list[int]) -> int | None:
    """Memory that processes hold on the cards; None where the driver does not say."""
    rows = _nvidia_smi("--query-compute-apps=pid,used_memory")
    used = [int(mib) << 20 for pid, mib in rows if pid in map(str, pids) and mib.isdigit()]
    return sum(used) if used else None


def _nvidia_smi(query: str) -> list[list[str]]:
    """Rows of a query, sizes in MiB."""
    path = shutil.which("nvidia-smi")
    if path is None:
        return []
    try:
        asked = subprocess.run(
            [path, query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [[cell.strip() for cell in line.split(",")] for line in asked.stdout.splitlines()]


def cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return " ".join(value.split())
    return platform.processor() or platform.machine()


def memory_bytes(cgroup: Path = _CGROUP) -> int | None:
    """The machine's memory, or what a container may use of it; None where nothing tells."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows
        return None
    with suppress(OSError, ValueError):  # "max": no limit
        total = min(total, int((cgroup / "memory.max").read_text()))
    return total


def compute_threads(weights_bytes: int, cgroup: Path = _CGROUP) -> int | None:
    """The physical cores we may use; 1 for a tiny model, where threads only wait for each other.

    None off Linux, where llama.cpp itself knows best (it prefers a Mac's fast cores).
    """
    if weights_bytes < _TINY_BYTES:
        return 1
    if sys.platform != "linux":
        return None
    cores = {_siblings(cpu) for cpu in os.sched_getaffinity(0)}
    return max(1, min(len(cores), quota_cpus(cgroup) or len(cores)))


def _siblings(cpu: int) -> str:
    """The hardware threads of one core, in the kernel's words; the same for all of them."""
    try:
        return (_CPUS / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def quota_cpus(cgroup: Path) -> int | None:
    """What a container may use; None when it is not limited."""
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else max(1, int(quota) // int(period))
