"""Ports for servers that cannot take a free one by themselves, or must come back on theirs."""

from __future__ import annotations

import os
import random
import socket
from typing import Final

_FIRST: Final = 20_000
_PER_PROCESS: Final = 900
_PROCESSES: Final = 3


def free_port() -> int:
    """Below the ports that the kernel gives to outgoing connections, so that it is still free when
    the server comes back. Part of a cluster, Redis takes the one 10,000 above as well.

    Processes of one test run draw from ranges of their own.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _PROCESSES
    first = _FIRST + process * _PER_PROCESS
    while True:
        port = random.SystemRandom().randrange(first, first + _PER_PROCESS)
        if all(map(_is_free, (port, port + 10_000))):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
