"""Run files: append-only JSON lines, `results/<model>/<UTC time>.jsonl`.

The header comes first, then a record or a person's correction a line. What is appended is on
disk before it is reported. A torn last line (power cut, kill) is recognised when reading and cut
off when the run goes on; nothing else in a run file is ever changed.
"""

from harness.store.files import asked_file, folder_name, model_runs, replace_text, runs
from harness.store.finding import (
    counts,
    differences,
    find,
    named,
    newest_alike,
    resume_command,
    unknown,
    whole_command,
)
from harness.store.reading import Run, read
from harness.store.writing import (
    RunWriter,
    append_correction,
    create,
    delete,
    is_being_written,
    reopen,
)

__all__ = [
    "Run",
    "RunWriter",
    "append_correction",
    "asked_file",
    "counts",
    "create",
    "delete",
    "differences",
    "find",
    "folder_name",
    "is_being_written",
    "model_runs",
    "named",
    "newest_alike",
    "read",
    "reopen",
    "replace_text",
    "resume_command",
    "runs",
    "unknown",
    "whole_command",
]
