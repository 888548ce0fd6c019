"""The sight test on an endpoint of known eyesight: an OCR engine behind a server that shrinks.

    python -m bench.eyes            (needs Debian's tesseract-ocr; says so and stops without it)

The server takes OpenAI's chat completions, shrinks each picture to a given longest side, reads it
with Tesseract and says what was read. The sight test must find that side within 20 %, and no
shrinking where there is none.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import math
import random
import shutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image, ImageOps

from harness.adapters import Target
from harness.adapters.openai import open_openai
from harness.eyes.card import EyeCard
from harness.eyes.exam import Exam
from harness.eyes.marking import mark, summary
from harness.eyes.questions import READ_LINES, READ_MARKS, READ_TOP, questions

SIDES: tuple[int | None, ...] = (512, 1024, None)
ENGLISH, PAGE, LINE, SPARSE = "eng", "3", "7", "11"
PIXELS_A_TOKEN = 28 * 28
WITHIN = 0.2


def read(picture: Image.Image, layout: str) -> str:
    """What Tesseract reads."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    command = ["tesseract", "stdin", "stdout", "-l", ENGLISH, "--psm", layout]
    done = subprocess.run(command, input=buffer.getvalue(), capture_output=True, check=True)
    return done.stdout.decode().strip()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    shrinks_to_px: int | None = None

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        content = request["messages"][-1]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = next(it["text"] for it in parts if it["type"] == "text")
        urls = [it["image_url"]["url"] for it in parts if it["type"] == "image_url"]
        pictures = [self.arrived(url) for url in urls]
        tokens = 20 + sum(math.ceil(it.width * it.height / PIXELS_A_TOKEN) for it in pictures)
        layout = {READ_LINES: PAGE, READ_MARKS: SPARSE, READ_TOP: SPARSE}.get(text, LINE)
        said = " ".join(read(it, layout) for it in pictures) or "I see no picture."
        message = {"role": "assistant", "content": said}
        body = json.dumps(
            {
                "choices": [{"message": message, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": tokens, "completion_tokens": 9},
            }
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def arrived(self, url: str) -> Image.Image:
        data = base64.b64decode(url.partition("base64,")[2])
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture).convert("L")
        if self.shrinks_to_px is not None:
            picture.thumbnail((self.shrinks_to_px, self.shrinks_to_px), Image.Resampling.BICUBIC)
        return picture

    def log_message(self, *_: object) -> None: ...


def examine(shrinks_to_px: int | None, seed: int) -> EyeCard:
    handler: Any = type("Shrinking", (Handler,), {"shrinks_to_px": shrinks_to_px})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    began = time.monotonic()
    target = Target(model="tesseract", base_url=f"http://127.0.0.1:{server.server_port}/v1")
    with open_openai(target) as adapter:
        exam = Exam(questions(seed))
        answers = list(exam.sit(adapter))
        card = mark(
            answers,
            exam,
            endpoint=adapter.opened.base_url,
            backend=adapter.opened.backend,
            model="tesseract",
            seed=seed,
            measured_at=datetime.now(UTC),
            seconds=time.monotonic() - began,
        )
    server.shutdown()
    return card


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=random.randrange(10_000))
    seed = options.parse_args().seed
    if shutil.which("tesseract") is None:
        sys.exit("needs Debian's package tesseract-ocr")
    missed = 0
    print(f"seed {seed}")
    for side in SIDES:
        card = examine(side, seed)
        found = card.shrinks_to_px
        right = found is None if side is None else found and abs(found / side - 1) <= WITHIN
        missed += not right
        print(f"{'right' if right else 'WRONG'}: shrinks to {side}, found {found}")
        print(f"  {summary(card)}; {card.calls} calls, {card.seconds} s")
        for test in ("shrinking", "acuity", "image tokens", "whole picture", "formats"):
            print(f"  {test}: {card.verdicts.get(test) or card.not_run.get(test)}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
