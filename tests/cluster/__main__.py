"""`make cluster-up`: a cluster to be used by hand, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.backing import backing
from tests.cluster.cluster import Cluster
from tests.processes import end_as_by_ctrl_c, reach_loopback_directly


def main() -> None:
    """Start everything, say where, wait, end everything."""
    mode = sys.argv[1:]
    end_as_by_ctrl_c()
    reach_loopback_directly()
    with (
        suppress(KeyboardInterrupt),
        TemporaryDirectory() as directory,
        backing(*mode) as made,
        Cluster(Path(directory), [*made.options, *mode]) as cluster,
    ):
        nodes = ", ".join(node.url for node in cluster.nodes)
        sys.stdout.write(f"a balancer at {cluster.url}, nodes at {nodes}; Ctrl-C ends it\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    main()
