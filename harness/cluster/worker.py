"""What runs on a node: it opens the model there, and asks it what it is sent."""

from __future__ import annotations

import hashlib
import platform
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

import harness
from harness.adapters import Adapter, Request, Target, opener
from harness.errors import EvalrunError
from harness.records import EncodedImage, Reply, ServerFacts


class Opened(Struct, frozen=True, kw_only=True):
    """What an adapter on a node says of itself."""

    node: str
    concurrency: int
    server: ServerFacts | None
    base_url: str | None
    endpoint: str | None
    shards_by_picture: bool
    notes: tuple[str, ...]
    """What went on while it was opened."""


class Worker:
    """Holds one open model; several threads ask it."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._adapter: Adapter | None = None

    def code(self) -> tuple[str, str]:
        """The node's name, and what evalrun is installed there."""
        return platform.node(), code_sha256()

    def open(self, backend: str, target: dict[str, Any]) -> Opened | EvalrunError:
        """`target`: its fields. Its key is looked up here, in this node's environment."""
        notes: list[str] = []
        try:
            adapter = self._stack.enter_context(
                opener(backend)(Target(**target, notify=notes.append))
            )
        except EvalrunError as error:
            return error
        self._adapter = adapter
        return Opened(
            node=platform.node(),
            concurrency=adapter.concurrency,
            server=adapter.server,
            base_url=adapter.base_url,
            endpoint=getattr(adapter, "endpoint", None),
            shards_by_picture=adapter.shards_by_picture,
            notes=tuple(notes),
        )

    def ask(self, request: Request, *images: EncodedImage) -> Reply | EvalrunError:
        """Errors are values here: they are no failure of the cluster."""
        assert self._adapter is not None
        try:
            return self._adapter.ask(replace(request, images=images))
        except EvalrunError as error:
            return error

    def close(self) -> None:
        """Stop the server, if one was started."""
        self._stack.close()


def code_sha256() -> str:
    """Of all of evalrun's own code."""
    root = Path(harness.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def without_callbacks(target: Target) -> dict[str, Any]:
    """The fields of a target that can travel."""
    fields = {name: getattr(target, name) for name in target.__struct_fields__}
    if target.weights is not None:  # which lie in each node's own cache
        fields["gguf"] = None
    return {name: it for name, it in fields.items() if name not in ("stopping", "notify", "log")}
