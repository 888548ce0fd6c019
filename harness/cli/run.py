"""`evalrun` and `evalrun run`: ask a model a suite's questions, save answers, show scores."""

from __future__ import annotations

from harness.cli.options import RunOptions


def run(options: RunOptions) -> int:
    """Ask a model every question of a suite, save each answer, show scores.

    Without a model: the demonstration model, on a real llama.cpp server, needing no key.
    """
    from harness.cli.measure import measure  # half a second of imports that `run --help` needs not

    return measure(options)
