"""The least that asking takes: threads, one httpx client each, the same pictures and questions."""

from __future__ import annotations

import base64
import json
import sys
import threading
import tomllib
from pathlib import Path
from queue import Empty, SimpleQueue

import httpx


def main(url: str, suite: Path, concurrency: int) -> None:
    cases = tomllib.loads((suite / "prompts" / "speed.toml").read_text())["case"]
    work: SimpleQueue[dict[str, str]] = SimpleQueue()
    for case in cases:
        work.put(case)

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60, verify=False) as client:
            while True:
                try:
                    case = work.get_nowait()
                except Empty:
                    return
                picture = base64.b64encode((suite / case["image"]).read_bytes()).decode()
                content = [
                    {
                        "type": "image_url",
                        "image_url": {"url": f"data:image/jpeg;base64,{picture}"},
                    },
                    {"type": "text", "text": case["question"]},
                ]
                messages = [{"role": "user", "content": content}]
                body = json.dumps({"model": "m", "messages": messages})
                headers = {"content-type": "application/json"}
                reply = client.post("/chat/completions", content=body, headers=headers)
                assert reply.json()["choices"][0]["message"]["content"] == "yes"

    threads = [threading.Thread(target=ask) for _ in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
