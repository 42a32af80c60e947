"""How much of what was written to a connection its client has not taken yet."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import sys
import termios
from typing import Final

_COUNTS_QUEUE: Final = sys.platform == "linux"


def unread_bytes(transport: asyncio.Transport) -> int:
    """What waits in the process; if anything does, with what waits in the kernel, where it says.

    The kernel takes megabytes at once and then nothing for long, however steadily a client reads.
    """
    waiting = transport.get_write_buffer_size()
    if not waiting or not _COUNTS_QUEUE:
        return waiting
    bound: socket.socket = transport.get_extra_info("socket")
    try:
        queued = fcntl.ioctl(bound.fileno(), termios.TIOCOUTQ, bytes(4))
    except OSError:
        return waiting
    return waiting + int.from_bytes(queued, sys.byteorder)
