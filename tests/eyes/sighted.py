"""Answers charts as an endpoint of known eyesight would: it knows the seed, and so the truth."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import random
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any

from harness.eyes.charts import CODE_CHARS, Line
from harness.eyes.questions import Question, questions
from tests.conftest import Answer, body, chat, fail, say

SCALES = {"pixel": (1200, 800), "1000": (1000, 1000), "unit": (1, 1), "half": (600, 400)}


def spelled(truth: tuple[float, ...], convention: str) -> list[float]:
    """A place as a model of this convention writes it."""
    scale, form = convention.split("-")
    across, down = SCALES[scale]
    numbers = [it * (across, down)[at % 2] for at, it in enumerate(truth)]
    if form == "xywh" and len(numbers) == 4:
        numbers[2:] = [numbers[2] - numbers[0], numbers[3] - numbers[1]]
    if form == "cxcywh" and len(numbers) == 4:
        x0, y0, x1, y1 = numbers
        numbers = [(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0]
    if form == "yxyx":
        numbers = [numbers[at ^ 1] for at in range(len(numbers))]
    return numbers


drawn = cache(questions)


class Sighted:
    """Eyesight in options; `answer` is an answer for the scripted server."""

    def __init__(
        self,
        seed: int,
        *,
        shrinks_to_px: int | None = None,
        legible_px: float = 7.0,
        convention: str = "1000-xyxy",
        mixes_up: bool = False,
        drops_pictures: bool = False,
        flat_tokens: bool = False,
        most_pictures: int = 16,
        takes_webp: bool = True,
        turns_upright: bool = True,
        crops_to_middle: bool = False,
        thinks_aloud: bool = False,
        thinks_tokens: int = 0,
        obeys: bool = True,
    ) -> None:
        self.known: dict[tuple[str, ...], list[Question]] = {}
        for question in drawn(seed):
            self.known.setdefault(tuple(it.sha256 for it in question.images), []).append(question)
        self.shrinks_to_px, self.legible_px = shrinks_to_px, legible_px
        self.convention, self.mixes_up, self.flat_tokens = convention, mixes_up, flat_tokens
        self.drops_pictures, self.most_pictures = drops_pictures, most_pictures
        self.takes_webp, self.turns_upright = takes_webp, turns_upright
        self.crops_to_middle, self.thinks_aloud = crops_to_middle, thinks_aloud
        self.thinks_tokens, self.obeys = thinks_tokens, obeys
        self.waiting: list[str] = []
        self.lock = threading.Lock()

    def answer(self, handler: BaseHTTPRequestHandler, request: dict[str, Any]) -> None:
        content = request["messages"][-1]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        text = next(it["text"] for it in parts if it["type"] == "text")
        urls = [it["image_url"]["url"] for it in parts if it["type"] == "image_url"]
        images = [base64.b64decode(url.partition("base64,")[2]) for url in urls]
        if "response_format" in request:
            say('{"colour_name": "red"}')(handler, request)
            return
        self._reply(text, images, urls, self._thinking_tokens(request))(handler, request)

    def _thinking_tokens(self, request: dict[str, Any]) -> int:
        if not self.obeys:
            return self.thinks_tokens
        if request.get("reasoning_effort") == "none":
            return 0
        return min(self.thinks_tokens, int(request.get("thinking_budget_tokens", 100_000)))

    def _reply(self, text: str, images: list[bytes], urls: list[str], thinks: int) -> Answer:
        if len(images) > self.most_pictures:
            return fail(400, f"at most {self.most_pictures} image(s) may be provided")
        if not self.takes_webp and any("webp" in url for url in urls):
            return fail(400, "unsupported image format")
        shas = tuple(hashlib.sha256(it).hexdigest() for it in images)
        asked = next((it for it in self.known.get(shas, []) if it.text == text), None)
        if asked is None or not images or self.drops_pictures:
            return self._say("I see no picture.", 20, asked, thinks)
        tokens = 20 + self._tokens(asked)
        if self.mixes_up and asked.at_once:
            return self._say(self._anothers(asked.truth[0]), tokens, asked, thinks)
        return self._say(self._sees(asked), tokens, asked, thinks)

    def _say(self, text: str, tokens_in: int, asked: Question | None, thinks: int) -> Answer:
        if self.thinks_aloud and asked is not None:
            text = f"<think>It may be {asked.truth}, or not.</think>{text}"
        reply = chat(text)
        usage: dict[str, Any] = {"prompt_tokens": tokens_in, "completion_tokens": 9 + thinks}
        if thinks:
            usage["completion_tokens_details"] = {"reasoning_tokens": thinks}
            reply["choices"][0]["message"]["reasoning_content"] = "Let me see."
        return body(200, json.dumps(reply | {"usage": usage}).encode())

    def _tokens(self, asked: Question) -> int:
        side = min(max(it.width_px for it in asked.images), self.shrinks_to_px or 10_000)
        return 256 if self.flat_tokens else math.ceil(side / 28) ** 2

    def _anothers(self, code: str) -> str:
        """What a server says that gives every caller the newest caller's answer."""
        with self.lock:
            self.waiting.append(code)
        time.sleep(0.05)
        return self.waiting[-1]

    def _sees(self, asked: Question) -> str:
        truth, rng = asked.truth, random.Random(f"{asked.test} {asked.part}")
        match asked.test:
            case "acuity":
                return "\n".join(self._read(it, int(asked.part.split()[0]), rng) for it in truth)
            case "whole" if self.crops_to_middle and asked.part != "square":
                return f"Only {truth[2]} is there."
            case "whole":
                return ", ".join(truth)
            case "forms" if asked.part == "Exif":
                return str(truth[0 if self.turns_upright else 1])
            case "where":
                near = [it + rng.gauss(0, 0.02) for it in truth]
                return str([round(it, 3) for it in spelled(tuple(near), self.convention)])
            case "concurrent" | "several":
                return str(truth[0])
            case "colour":
                return ", ".join(truth)
            case "repeatable":
                return str(
                    next(it for it in self.known.values() if it[0].test == "arrives")[0].truth
                )
        return str(truth)

    def _read(self, line: Line, side_px: int, rng: random.Random) -> str:
        arriving = line.height_px * min(1.0, (self.shrinks_to_px or side_px) / side_px)
        chance = 1 / (1 + (self.legible_px / arriving) ** 9)
        return "".join(it if rng.random() < chance else rng.choice(CODE_CHARS) for it in line.text)
