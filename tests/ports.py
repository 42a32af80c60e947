"""Ports for servers that cannot take a free one by themselves, or must come back on theirs."""

from __future__ import annotations

import os
import random
import socket
from collections import deque
from typing import Final

_FIRST: Final = 20_000
_PORTS: Final = 2_700
_given: deque[int] = deque()
"""By this process, the last of them: none is bound yet when the next is asked for."""


def free_port() -> int:
    """Below the ports that the kernel gives to outgoing connections, so that it is still free when
    the server comes back. Part of a cluster, Redis takes the one 10,000 above as well.

    Processes of one test run draw from ranges of their own, and none draws one again soon.
    """
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    share = _PORTS // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = _FIRST + process * share
    while True:
        port = random.SystemRandom().randrange(first, first + share)
        if port not in _given and all(map(_is_free, (port, port + 10_000))):
            break
    _given.append(port)
    if len(_given) > share // 2:
        _given.popleft()
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
