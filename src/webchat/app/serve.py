"""A serving process: it starts a node, tells that it listens, and ends when it is asked to."""

from __future__ import annotations

import asyncio
import gc
import signal

import structlog

from webchat import __version__
from webchat.app.node import Node
from webchat.app.sockets import bind_all
from webchat.config import Settings

_COLLECTOR_THRESHOLDS = (10_000, 20, 50)
_log = structlog.get_logger()


async def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises what `Node.start` raises."""
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    node = Node(settings, bind_all(settings))
    await node.start()
    _calm_collector()
    try:
        _log.info("listening", url=node.url, version=__version__)
        await asked_to_stop.wait()
        _log.info("draining", within_s=settings.drain_s)
    finally:
        await node.stop(max(0.0, settings.drain_s - 1.0))
    _log.info("stopped")
    return 0


def _calm_collector() -> None:
    """What is there after the start stays; connections are many and mostly idle, so the collector
    looks at the young more rarely, and at all of them far more rarely, than it does by default."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)
