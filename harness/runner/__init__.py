"""Cases in, records out. Prints nothing, writes nothing."""

from harness.runner.asking import Asking
from harness.runner.header import header_of
from harness.runner.plan import Task, plan
from harness.runner.workers import Runner

__all__ = ["Asking", "Runner", "Task", "header_of", "plan"]
