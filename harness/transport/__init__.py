"""The only home of sockets: one call with its retries, its clock and its errors.

`Transport.post` is what an adapter needs. Each worker thread keeps a connection of its own (one
shared pool of 64 costs three times the CPU); all share one TLS context and one `Gate`.
"""

import sys

# httpx loads a command line of its own where click and rich are installed: 100 ms for nothing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from harness.transport.addresses import is_loopback, without_credentials
from harness.transport.client import Call, Transport
from harness.transport.gate import Gate, Stopped
from harness.transport.incoming import Incoming, parse_json, shortened

__all__ = [
    "Call",
    "Gate",
    "Incoming",
    "Stopped",
    "Transport",
    "is_loopback",
    "parse_json",
    "shortened",
    "without_credentials",
]
