"""Ports for servers that cannot take a free one by themselves, or must come back on theirs."""

from __future__ import annotations

import socket


def free_port() -> int:
    """A port of loopback that nobody listened on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
