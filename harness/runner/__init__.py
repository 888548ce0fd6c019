"""Cases in, records out. Prints nothing, writes nothing."""

from harness.runner.asking import Asking
from harness.runner.plan import Job, plan
from harness.runner.workers import Runner

__all__ = ["Asking", "Job", "Runner", "plan"]
