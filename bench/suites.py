"""How long 100,000 rows take to load, and how much memory: `python -m bench.suites [KIND...]`.

Kinds: choices, text and counts as JSON lines on 300 pictures, choices as Parquet, and counts on
100,000 pictures. Each is loaded in a process of its own; the time is that of the processor. Linux.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

ROWS = 100_000
KINDS = ("choices", "text", "counts", "parquet", "pictures")
_LOAD = """
import re, sys, time
from pathlib import Path
from harness import suites
def peak_kib():
    return int(re.search("VmHWM:[^0-9]+([0-9]+)", Path("/proc/self/status").read_text())[1])
before, start = peak_kib(), time.process_time()
rows = len(suites.load(Path(sys.argv[1])).cases)
seconds, kib = time.process_time() - start, (peak_kib() - before) / rows
print(f"{rows:,} rows: {seconds:.1f} s, {kib:.2f} KiB a row")
"""


def row(kind: str, number: int) -> dict[str, Any]:
    asked = {"id": f"q{number}", "image": f"p{number if kind == 'pictures' else number % 300}.png"}
    if kind in ("choices", "parquet"):
        parts = {"options": ["bolt", "nut", "washer", "screw"], "answer": "ABCD"[number % 4]}
        return {**asked, "question": f"Which part is number {number}?", **parts}
    if kind == "text":
        answer = f"north gate {number % 977} closed"
        return {**asked, "question": f"What is written on sign {number}?", "answer": answer}
    question = f"How many bolts are in tray {number if kind == 'pictures' else 1}?"
    return {**asked, "question": question, "answer": str(number % 40)}


def write(kind: str, folder: Path) -> Path:
    """A suite of that kind; its pictures differ in what follows their end."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(buffer, "PNG")
    for number in range(ROWS if kind == "pictures" else 300):
        (folder / f"p{number}.png").write_bytes(buffer.getvalue() + str(number).encode())
    rows = [row(kind, number) for number in range(ROWS)]
    if kind == "parquet":
        import pyarrow
        from pyarrow.parquet import write_table

        write_table(pyarrow.Table.from_pylist(rows), folder / "q.parquet")
        return folder / "q.parquet"
    (folder / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "q.jsonl"


def main() -> None:
    for kind in sys.argv[1:] or KINDS:
        with tempfile.TemporaryDirectory() as name:
            command = [sys.executable, "-c", _LOAD, str(write(kind, Path(name)))]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"{kind}: {done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
