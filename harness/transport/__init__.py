"""The only home of sockets: one call with its retries, its clock and its errors."""

import sys

# httpx loads a command line of its own where click and rich are installed: 100 ms for nothing.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]

from harness.transport.client import Call as Call
from harness.transport.client import Limiter as Limiter
from harness.transport.client import Limits as Limits
from harness.transport.client import Stopped as Stopped
from harness.transport.client import Transport as Transport
from harness.transport.client import api_root as api_root
from harness.transport.client import is_loopback as is_loopback
from harness.transport.client import masked as masked
from harness.transport.client import without_credentials as without_credentials
from harness.transport.faults import ErrorInside as ErrorInside
from harness.transport.faults import Filtered as Filtered
from harness.transport.faults import quoted as quoted
from harness.transport.incoming import Incoming as Incoming
