"""Every way evalrun can stop, and what the reader should do about it.

EvalrunError
├── UsageError          options that contradict each other, values out of range   exit 2
├── SuiteError          the suite, or a picture it names, is wrong                exit 3
├── TargetError         the model, its key or its server cannot be used           exit 4
│   ├── NoVision          it takes no pictures
│   └── OptionRefused     it does not take an option                              exit 2
├── ResultsError        results cannot be read, written or compared               exit 7
└── CallError           one call failed: recorded, the run goes on                exit 5 at the end
    ├── CallTimeout       retried: silence, or a reply that never ends
    ├── Unreachable       retried, under the breaker: refused, reset, no route, no such host, TLS
    ├── RateLimited       retried after the server's own delay; uses up no try    429
    ├── ServerFault       retried                                                 5xx
    ├── BadReply          retried: a body cut short, empty or not JSON
    └── RequestRefused    final: the same bytes would be refused again            4xx
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from harness.records import CallFailure, Effort, FailureKind

DISTRIBUTION = "evalrun-vision"
"""Our name on PyPI, where `evalrun` is somebody else's package."""
EXTRAS = {
    "local": ("xllamacpp", "huggingface_hub"),
    "report": ("jinja2",),
    "view": ("starlette", "uvicorn", "jinja2"),
    "parquet": ("pyarrow", "huggingface_hub"),
    "xlsx": ("openpyxl",),
    "pdf": ("pypdfium2",),
    "ray": ("ray",),
}
"""What each of our extras brings."""
HIDDEN = "[secret]"


class ExitCode(IntEnum):
    """Documented in the README; a test keeps the two alike."""

    DONE = 0
    BUG = 1
    USAGE = 2
    BAD_SUITE = 3
    UNUSABLE_TARGET = 4
    INCOMPLETE = 5
    BELOW_BAR = 6
    BAD_RESULTS = 7
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class EvalrunError(Exception):
    """Says what is wrong (`problem`) and the next thing to try (`fix`)."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(problem, fix)
        self.problem, self.fix = problem, fix

    def __str__(self) -> str:
        return f"{self.problem}\n  fix: {self.fix}"

    def hide(self, secret: str) -> None:
        """Some servers quote the key they were sent: it goes no further."""
        self.args = tuple(it.replace(secret, HIDDEN) for it in (self.problem, self.fix))
        self.problem, self.fix = self.args


class UsageError(EvalrunError):
    exit_code = ExitCode.USAGE


class SuiteError(EvalrunError):
    exit_code = ExitCode.BAD_SUITE


class TargetError(EvalrunError):
    exit_code = ExitCode.UNUSABLE_TARGET


class NoVision(TargetError):
    pass


class OptionRefused(TargetError):
    exit_code = ExitCode.USAGE


class ResultsError(EvalrunError):
    exit_code = ExitCode.BAD_RESULTS


class CallError(EvalrunError):
    exit_code = ExitCode.INCOMPLETE
    kind: ClassVar[FailureKind]
    effort: Effort = Effort()
    """Set by the transport when it gives up."""

    def as_failure(self) -> CallFailure:
        return CallFailure(kind=self.kind, message=self.problem, fix=self.fix, effort=self.effort)


class CallTimeout(CallError):
    kind = FailureKind.TIMEOUT


class Unreachable(CallError):
    kind = FailureKind.UNREACHABLE


class RateLimited(CallError):
    kind = FailureKind.RATE_LIMITED
    retry_after_s: float | None = None
    """The server's own wish; None when it stated none."""


class ServerFault(CallError):
    kind = FailureKind.SERVER_FAULT


class BadReply(CallError):
    kind = FailureKind.BAD_REPLY


class RequestRefused(CallError):
    kind = FailureKind.REFUSED


@contextmanager
def reworded(
    error: type[EvalrunError], what: str, fix: str, *kinds: type[Exception]
) -> Iterator[None]:
    """Raise `error` in the place of exceptions of these kinds, with their words behind `what`."""
    try:
        yield
    except kinds as exc:
        raise error(f"{what}: {getattr(exc, 'strerror', None) or exc}", fix=fix) from exc


def missing_packages(extra: str) -> list[str]:
    return [name for name in EXTRAS[extra] if find_spec(name) is None]


def check_extra(extra: str) -> None:
    """Raises: UsageError when what needs this extra cannot be done here."""
    if missing := missing_packages(extra):
        raise UsageError(
            f"{extra} needs {' and '.join(missing)}, which the extra `{extra}` brings",
            fix=install_command(extra),
        )


@cache
def install_command(extra: str) -> str:
    """What installs one of our extras into this very environment, from where we came from."""
    from importlib import metadata  # slow to load, and seldom needed

    here = Path(__file__).parents[1].as_uri()
    uv, origin = False, dict[str, Any](url=here, dir_info={"editable": True})
    with suppress(metadata.PackageNotFoundError):  # run from its source tree
        installed = metadata.distribution(DISTRIBUTION)
        uv = (installed.read_text("INSTALLER") or "").strip() == "uv"
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
    url = origin.get("url", "")
    where = unquote(urlsplit(url).path) if url.startswith("file:") else DISTRIBUTION
    wanted = f"'{where}[{extra}]'"
    if vcs := origin.get("vcs_info"):
        wanted = f"'{DISTRIBUTION}[{extra}] @ {vcs['vcs']}+{url}'"
    elif origin.get("dir_info", {}).get("editable"):
        wanted = f"-e {wanted}"
    pip = f"uv pip install --python {sys.executable}" if uv else f"{sys.executable} -m pip install"
    return f"{pip} {wanted}"
