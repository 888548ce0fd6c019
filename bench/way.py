"""How much code one prompt meets: files entered by a whole run, and from question to record.

python -m bench.way
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from typing import Any

from harness import suites
from harness.adapters import Target
from harness.adapters.openai import open_openai
from harness.runner import Asking, Job
from tests.conftest import VisionServer, _Handler, say, write_suite

HARNESS = Path(__file__).parent.parent / "harness"
_COUNT_FILES = """
import sys, threading
seen = set()
def note(frame, event, arg):
    code = frame.f_code
    if event == "call" and code.co_flags & 1 and code.co_filename not in seen:  # no class bodies
        seen.add(code.co_filename)
        with open(sys.argv[1], "a") as file:
            file.write(code.co_filename + "\\n")
sys.setprofile(note); threading.setprofile(note)
sys.argv[:2] = ["evalrun"]
target = sys.argv
from harness.cli import main
main()
"""


def served() -> str:
    state = VisionServer()
    state.default = say("yes")
    handler = type("Handler", (_Handler,), {"state": state})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


def files_of_a_run(folder: Path, suite: Path, url: str) -> set[str]:
    """Files of harness in which a function was called during `evalrun run --limit 1`."""
    log = folder / "files"
    options = ["run", "--suite", suite, "--model", "m", "--base-url", url, "--limit", "1"]
    command = [sys.executable, "-c", _COUNT_FILES.replace("sys.argv[1]", repr(str(log))), "-"]
    subprocess.run([*command, *map(str, options)], cwd=folder, check=True, capture_output=True)
    return {it for it in log.read_text().split() if it.startswith(str(HARNESS))}


def lines_of_a_question(suite: Path, url: str) -> dict[str, set[int]]:
    """Lines executed from the question to the record, per file; the second prompt of a run."""
    loaded = suites.load(suite)
    lines: dict[str, set[int]] = defaultdict(set)

    def enter(frame: FrameType, _: str, __: Any) -> Any:
        name = frame.f_code.co_filename
        if not name.startswith(str(HARNESS)):
            return None

        def line(frame: FrameType, event: str, _: Any) -> Any:
            if event == "line":
                lines[name].add(frame.f_lineno)
            return line

        return line

    with open_openai(Target(model="m", base_url=url)) as adapter:
        asking = Asking(adapter=adapter, pictures=loaded.pictures, image_max_side_px=1024)
        asking.ask(Job(loaded.cases[1], repeat=0, place=1))
        sys.settrace(enter)
        asking.ask(Job(loaded.cases[0], repeat=0, place=0))
        sys.settrace(None)
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite, url = write_suite(folder / "suite"), served()
        files = files_of_a_run(folder, suite, url)
        lines = lines_of_a_question(suite, url)
    print(f"a run of one prompt: functions in {len(files)} files")
    total = sum(map(len, lines.values()))
    print(f"from question to record: {len(lines)} files, {total} lines executed")
    for path in sorted(lines):
        print(f"  {Path(path).relative_to(HARNESS)} {len(lines[path])}")


if __name__ == "__main__":
    main()
