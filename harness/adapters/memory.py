"""How much memory a model takes, estimated from its name, and where on this machine that is."""

from __future__ import annotations

import re

from harness.adapters.machine import Gpu


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
