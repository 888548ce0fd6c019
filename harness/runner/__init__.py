"""Cases in, records out. Prints nothing, writes nothing."""

from harness.runner.asking import Asking as Asking
from harness.runner.workers import Job as Job
from harness.runner.workers import Runner as Runner
from harness.runner.workers import plan as plan
