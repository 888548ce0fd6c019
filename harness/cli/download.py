"""Nobody's disk and line are filled unasked."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.adapters.ways import Choice

UNASKED_BYTES = 1_000_000_000


def agree(choice: Choice, *, yes: bool) -> None:
    """Ask before more than a gigabyte of weights is downloaded.

    Raises: TargetError when the answer is no, or nobody is there to answer.
    """
    source = choice.target.weights
    if yes or source is None or choice.target.gguf is not None or choice.backend != "llamacpp":
        return
    import typer

    from harness.adapters.llamacpp.hub import missing_bytes
    from harness.adapters.llamacpp.weights import in_words
    from harness.errors import TargetError

    count = missing_bytes(source)
    if count <= UNASKED_BYTES:
        return
    what = f"{in_words(count)} of {source.quantization} weights from {source.repo}"
    if sys.stdin.isatty() and typer.confirm(f"Download {what}?", err=True):
        return
    raise TargetError(f"{what} would have to be downloaded first", fix="allow it with --yes")
