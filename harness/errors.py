"""Every way evalrun can stop, and what the reader should do about it.

EvalrunError
├── UsageError          flags that make no sense together                  exit 2
├── SuiteError          the suite, or a picture it names, is wrong         exit 3
├── TargetError         the model or its server cannot be used             exit 4
│   └── OptionRefused     it does not take an option                       exit 2
├── ResultsError        results cannot be read, written or compared        exit 7
└── CallError           one call failed: recorded, and the run goes on     exit 5 at the end
    ├── CallTimeout       retried
    ├── Unreachable       retried, under the breaker
    ├── RateLimited       retried after the server's own delay; uses up no try      429
    ├── ServerFault       retried                                                   5xx
    ├── BadReply          retried: a body cut short, empty or not JSON
    └── RequestRefused    final: the same bytes would be refused again              4xx
"""

from __future__ import annotations

import json
import shutil
import sys
from enum import IntEnum
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from harness.records import CallFailure, Effort, FailureKind


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


HIDDEN = "[secret]"


class EvalrunError(Exception):
    """Says what is wrong (`problem`) and the next thing to try (`fix`)."""

    exit_code: ClassVar[ExitCode] = ExitCode.BUG

    def __init__(self, problem: str, *, fix: str) -> None:
        super().__init__(f"{problem}\n  fix: {fix}")
        self.problem = problem
        self.fix = fix

    def __reduce__(self) -> tuple[Any, ...]:
        """It may travel between processes."""
        return partial(type(self), fix=self.fix), (self.problem,), self.__dict__

    def hide(self, secret: str) -> None:
        """Some servers quote the key they were sent: it goes no further."""
        self.problem = self.problem.replace(secret, HIDDEN)
        self.fix = self.fix.replace(secret, HIDDEN)
        self.args = (f"{self.problem}\n  fix: {self.fix}",)


class UsageError(EvalrunError):
    """Options that contradict each other or a value out of range."""

    exit_code = ExitCode.USAGE


class SuiteError(EvalrunError):
    """The suite, or a picture it names, cannot be used."""

    exit_code = ExitCode.BAD_SUITE


class TargetError(EvalrunError):
    """The model, its weights, its key or its server cannot be used at all."""

    exit_code = ExitCode.UNUSABLE_TARGET


class NoVision(TargetError):
    """The model, or the server it runs on, takes no pictures."""


class OptionRefused(TargetError):
    """The model, or its endpoint, does not take an option that was given."""

    exit_code = ExitCode.USAGE


class ResultsError(EvalrunError):
    """Results cannot be read, written or compared."""

    exit_code = ExitCode.BAD_RESULTS


class CallError(EvalrunError):
    """One request that brought back no reply."""

    exit_code = ExitCode.INCOMPLETE
    kind: ClassVar[FailureKind]
    effort: Effort = Effort()
    """Set by the transport when it gives up."""

    def as_failure(self) -> CallFailure:
        return CallFailure(
            kind=self.kind, message=self.problem, fix=self.fix or None, effort=self.effort
        )


class CallTimeout(CallError):
    """Silence for longer than the time-out, or a reply that never ends."""

    kind = FailureKind.TIMEOUT


class Unreachable(CallError):
    """No connection: refused, reset, no route, no such host, TLS."""

    kind = FailureKind.UNREACHABLE


class RateLimited(CallError):
    """429; `retry_after_s` is the server's own wish, None when it stated none."""

    kind = FailureKind.RATE_LIMITED
    retry_after_s: float | None = None


class ServerFault(CallError):
    """5xx."""

    kind = FailureKind.SERVER_FAULT


class BadReply(CallError):
    """A body that is empty, cut short, or not what the wire format promises."""

    kind = FailureKind.BAD_REPLY


class RequestRefused(CallError):
    """4xx: the same bytes would be refused again."""

    kind = FailureKind.REFUSED


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


def missing_packages(extra: str) -> list[str]:
    return [name for name in EXTRAS[extra] if find_spec(name) is None]


def check_extra(extra: str) -> None:
    """Raises: UsageError when what needs this extra cannot be done here."""
    if missing := missing_packages(extra):
        raise UsageError(
            f"{extra} needs {' and '.join(missing)}, which the extra `{extra}` brings",
            fix=install_command(extra),
        )


DISTRIBUTION = "evalrun-vision"
"""Our name on PyPI, where `evalrun` is somebody else's package."""


@cache
def install_command(extra: str) -> str:
    """What installs one of our extras into this very environment, from where we came from."""
    from importlib import metadata  # slow to load, and seldom needed

    try:
        installed = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:  # run from its source tree
        return _pip(f"-e '{Path(__file__).parents[1]}[{extra}]'", uv=False)
    uv = (installed.read_text("INSTALLER") or "").strip() == "uv"
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    url = origin.get("url", "")
    if vcs := origin.get("vcs_info"):
        return _pip(f"'{DISTRIBUTION}[{extra}] @ {vcs['vcs']}+{url}'", uv=uv)
    where = unquote(urlsplit(url).path) if url.startswith("file:") else DISTRIBUTION
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return _pip(f"{editable}'{where}[{extra}]'", uv=uv)


def _pip(wanted: str, *, uv: bool) -> str:
    """The installer that belongs to the Python we run in."""
    if uv:
        return f"uv pip install --python {sys.executable} {wanted}"
    found = shutil.which("pip")
    ours = found is not None and Path(found).parent == Path(sys.executable).parent
    return f"{'pip' if ours else f'{sys.executable} -m pip'} install {wanted}"
