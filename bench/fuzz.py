"""Suite files nobody would write: `python -m bench.fuzz --minutes 30`.

It needs `pip install atheris`. Guided by what each input reaches in the readers, the graders' own
checks and the parsers below them. Anything but a suite or a SuiteError ends it, and the input is
kept in a `crash-…` file.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import atheris

FORMATS = (".toml", ".csv", ".tsv", ".jsonl")
SEEDS = {
    ".toml": 'category = "A"\n[[case]]\nid = "a"\nquestion = "How many?"\nimage = "i.png"\n'
    'expected = "3"\ngrader = "integer"\n',
    ".csv": "file_name,prompt,answer\ni.png,How many?,3\n",
    ".tsv": "index\timage\tquestion\tA\tB\tanswer\n1\taGk=\tWhich?\tone\ttwo\tA\n",
    ".jsonl": '{"image": "i.png", "question": "How many?", "answer": "3"}\n',
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    folder = Path(tempfile.mkdtemp(prefix="evalrun-fuzz-"))
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    seeds = folder / "seeds"
    seeds.mkdir()
    for number, suffix in enumerate(FORMATS):
        (seeds / suffix[1:]).write_bytes(bytes([number]) + SEEDS[suffix].encode())
    parts = ["harness.suites", "harness.graders", "harness.images", "tomllib", "csv"]
    with atheris.instrument_imports(include=parts):
        from harness import suites
        from harness.errors import SuiteError

    def read(data: bytes) -> None:
        if not data:
            return
        path = folder / f"suite{FORMATS[data[0] % len(FORMATS)]}"
        path.write_bytes(data[1:])
        try:
            suites.load(path)
        except SuiteError as error:
            str(error).encode()

    limits = [
        f"-max_total_time={round(60 * minutes)}",
        "-rss_limit_mb=4096",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *limits, str(seeds)], read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
