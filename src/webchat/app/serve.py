"""A serving process: it starts a node, tells that it listens, and ends when it is asked to."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from typing import TYPE_CHECKING

import structlog

from webchat import __version__
from webchat.app.node import Node
from webchat.app.open_files import warn_of_few_files
from webchat.app.signals import ending
from webchat.app.sockets import bind_all
from webchat.config import Settings

if TYPE_CHECKING:
    from webchat.app.workers import Lifeline

_COLLECTOR_THRESHOLDS = (2_000, 1, 2_500)
"""Nothing waits for long: of those that outlive a look only one other look comes, a few ms each,
before the rare ones at all. With 20 in between, that one took 116 ms after 20,000 connections."""
_log = structlog.get_logger()


async def run(settings: Settings, lifeline: Lifeline | None = None) -> int:
    """Serve until a signal asks for the end, a worker also until its parent is gone; the exit code.

    A SIGINT while it drains: it waits for nobody any more. `lifeline`: of a worker. Raises what
    `Node.start` raises.
    """
    if lifeline is not None:
        # Of the lines in a log that several write, which are its own.
        structlog.contextvars.bind_contextvars(pid=os.getpid())
    asked_to_stop = asyncio.Event()
    node = Node(settings, bind_all(settings, is_worker=lifeline is not None))

    def end(number: signal.Signals) -> None:
        if asked_to_stop.is_set() and number == signal.SIGINT:
            node.hurry()
        asked_to_stop.set()

    def end_orphaned(parent: int) -> None:
        loop.remove_reader(parent)  # at its end it stays readable
        asked_to_stop.set()

    loop = asyncio.get_running_loop()
    for number in ending():
        loop.add_signal_handler(number, end, number)
    if lifeline is not None:
        loop.add_reader(lifeline.parent, end_orphaned, lifeline.parent)
    await node.start()
    _calm_collector()
    try:
        if lifeline is None:
            _log.info("listening", url=node.url, version=__version__)
            warn_of_few_files(settings.sessions)
        else:
            _log.info("a worker serves", node=node.id)
            lifeline.tell_ready()
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
