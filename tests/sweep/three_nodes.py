"""Three Ray nodes on this machine, for tests and benches: run it, read the address, write `kill`.

    python -m tests.sweep.three_nodes [CPUS]

Each line on stdin kills a node that is not the head, as a machine that loses power does; the end of
stdin stops the cluster.
"""

from __future__ import annotations

import sys


def main() -> None:
    from ray.cluster_utils import Cluster  # an extra; doctests import every module here

    cpus = int(sys.argv[1]) if sys.argv[1:] else 1
    cluster = Cluster()
    cluster.add_node(num_cpus=cpus, num_gpus=0, include_dashboard=False)
    others = [cluster.add_node(num_cpus=cpus, num_gpus=0) for _ in range(2)]
    cluster.wait_for_nodes()
    sys.stdout.write(f"{cluster.address}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        cluster.remove_node(others.pop(), allow_graceful=False)
        sys.stdout.write("killed\n")
        sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main()
