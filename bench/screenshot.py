"""The pictures of the docs: `python -m bench.screenshot docs/run.svg 40 -- --model demo`.

Runs the installed command on a terminal of its own and draws the first lines of what it printed.
"""

from __future__ import annotations

import os
import pty
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH, HEIGHT = 100, 60


def main(target: Path, lines: int, arguments: list[str]) -> None:
    printed = run_on_a_terminal(["evalrun", *arguments]).rstrip().split("\n")
    shown = "\n".join(printed[:lines] + ["…"] * (len(printed) > lines))
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(Text(f"$ evalrun {' '.join(arguments)}", style="bold"))
    console.print(Text.from_ansi(shown))
    target.write_text(console.export_svg(title="evalrun"), encoding="utf-8")


def run_on_a_terminal(command: list[str]) -> str:
    """What the command leaves on the screen, colours included."""
    os.environ |= {"COLUMNS": str(WIDTH), "LINES": str(HEIGHT), "TERM": "xterm-256color"}
    os.environ["CI"] = "1"  # plain progress: the live view rubs itself out
    written = bytearray()

    def read(fd: int) -> bytes:
        data = os.read(fd, 65536)
        written.extend(data)
        return data

    pty.spawn(command, read)
    return written.decode("utf-8", "replace").replace("\r\n", "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[sys.argv.index("--") + 1 :])
