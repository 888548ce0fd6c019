"""The ways to reach a model: what an adapter is given, and what it must be able to do.

`routes` finds out which adapter with which target reaches a model from here. To add one of ours:
write its opener, and a line in the table there. Third parties name an opener of theirs in the
entry-point group `evalrun.adapters`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import Any, Literal, Protocol

from msgspec import Struct, field

from harness.records import EncodedImage, GgufSource, Reply, RunHeader, Sampling, ServerFacts
from harness.transport import Limits


class Request(Struct, frozen=True, kw_only=True):
    """What is put to the model: the pictures, then the question."""

    id: str
    question: str
    images: tuple[EncodedImage, ...] = ()
    """In the question's order; none when asked blind."""
    repeat: int = 0
    """The seed sent is the sampling seed plus this."""
    max_tokens: int | None = None
    """None: the sampling's own limit."""
    body: dict[str, Any] = {}
    """Further parameters of this one call, as the wire names them."""
    answer_schema: dict[str, Any] | None = None
    """The JSON schema that the reply is held to; None: any text."""
    schema_in_words: bool = False
    """Where the endpoint takes no schema, the question may state it; else the run ends there."""
    thinking: str | None = None
    """How much to think before this one answer; None: as the sampling says."""
    on_text: Callable[[str], None] | None = None
    """Is given the reply as far as it has come, where the server streams it."""


def _say_nothing(_: str) -> None: ...


class Target(Struct, frozen=True, kw_only=True):
    """Whom to ask, and how: everything an adapter needs to open itself."""

    model: str
    """The name in records and tables."""
    model_id: str | None = None
    """The name the server knows it by; None: the same."""
    base_url: str | None = None
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; the key itself is never stored."""
    gguf: Path | None = None
    mmproj: Path | None = None
    weights: GgufSource | None = None
    """Where to fetch the weights when `gguf` is not given."""
    replay: Path | None = None
    """A recorded run file, for the replay adapter."""
    preset: str | None = None
    """The catalogue's name of the endpoint, when it is a known one."""
    sampling: Sampling = Sampling()
    body: dict[str, Any] = {}
    """Further request parameters, as the user gave them."""
    sends_pictures: bool = True
    """False in a blind run, and for a judge that is shown none: then no eyes are needed."""
    system: str | None = None
    image_tokens: tuple[int, int] | None = None
    """The fewest and the most tokens a picture may take, for a server of our own."""
    image_detail: Literal["low", "high", "auto"] | None = None
    """How closely a hosted model looks, where its endpoint takes it."""
    server_args: tuple[str, ...] = ()
    """Further flags for a server of our own, each as `--flag` or `--flag=value`."""
    cold: bool = False
    """Switch the server's prompt cache off, so that every latency is a cold one."""
    concurrency: int | None = None
    """None: the adapter's own default (1 local, 8 hosted)."""
    limits: Limits = Limits()
    stopping: Event = field(default_factory=Event)
    """Set when the run ends: every wait between attempts is called off."""
    notify: Callable[[str], None] = _say_nothing
    """Told what goes on while opening (loading, downloading, warnings), a line at a time."""
    log: Callable[[dict[str, Any]], None] | None = None
    """Given every exchange with the model: the request as it was sent, the reply or the error."""


HEADER_FIELDS = set(Target.__struct_fields__) & set(RunHeader.__struct_fields__)
"""The fields of a target that a run's header repeats."""


class Opened(Struct, frozen=True, kw_only=True):
    """What an adapter says of itself once it is open."""

    backend: str
    """The adapter's name in the table of adapters."""
    base_url: str | None = None
    """Where it talks to, without credentials; None when it talks to nobody."""
    endpoint: str | None = None
    """The kind of endpoint, where it is a known one."""
    server: ServerFacts | None = None
    """What preflight found out about a local server."""
    concurrency: int = 1
    """How many calls may be in flight."""
    ahead: int = 1
    """Questions it takes for each of them: several where the way to the model is long."""
    shards_by_picture: bool = False
    """Whether all questions on one picture should go through one worker (prompt cache)."""


class Adapter(Protocol):
    """An open model. `ask` is called from several threads at once."""

    opened: Opened

    def ask(self, prompt: Request) -> Reply:
        """Put one question about one picture to the model.

        Raises: CallError when no reply came back. An empty content is a reply.
        """


Opener = Callable[[Target], AbstractContextManager[Adapter]]
"""Opens an adapter (starts a server, checks it sees), and closes it at the end.

Raises TargetError when the model cannot be used.
"""
