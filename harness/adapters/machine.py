"""How many threads a server should compute with here."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_CPUS = Path("/sys/devices/system/cpu")
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_TINY_BYTES = 64 << 20


def compute_threads(weights_bytes: int) -> int | None:
    """The physical cores we may use; 1 for a tiny model, where threads only wait for each other.

    None off Linux, where llama.cpp itself knows best (it prefers a Mac's fast cores).
    """
    if weights_bytes < _TINY_BYTES:
        return 1
    if sys.platform != "linux":
        return None
    cpus = os.sched_getaffinity(0)
    cores = {_siblings(cpu) for cpu in cpus}
    return max(1, min(len(cores), quota_cpus(_QUOTA) or len(cores)))


def _siblings(cpu: int) -> str:
    """The hardware threads of one core, in the kernel's words; the same for all of them."""
    try:
        return (_CPUS / f"cpu{cpu}/topology/thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def quota_cpus(cpu_max: Path) -> int | None:
    """What a container may use; None when it is not limited."""
    try:
        quota, period = cpu_max.read_text().split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else max(1, int(quota) // int(period))
