"""The only home of sockets: one call with its retries, its clock and its errors.

`Transport.post` is what an adapter needs. Each worker thread keeps a connection of its own (one
shared pool of 64 costs three times the CPU); all share one TLS context and one `Limiter`.
"""

import sys

# httpx loads a command line of its own where click and rich are installed: 100 ms for nothing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from harness.transport.address import api_root, is_loopback, masked, without_credentials
from harness.transport.client import Call, Transport
from harness.transport.faults import ErrorInside, quoted
from harness.transport.incoming import Incoming
from harness.transport.limiter import Limiter, Stopped

__all__ = [
    "Call",
    "ErrorInside",
    "Incoming",
    "Limiter",
    "Stopped",
    "Transport",
    "api_root",
    "is_loopback",
    "masked",
    "quoted",
    "without_credentials",
]
