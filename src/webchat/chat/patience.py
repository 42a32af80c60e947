"""Waiting by the product's own clock, and for a store that does not answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from webchat.errors import WebchatError
from webchat.ports.clock import Clock, pause

__all__ = ["insist", "pause"]

RETRY_S = 1.0
T = TypeVar("T")
_log = structlog.get_logger()


async def insist(clock: Clock, act: Callable[[], Awaitable[T]], doing: str, **about: object) -> T:
    """What `act` returns, once it does: while it is refused for now, again and again.

    `doing` and `about` say in the log what waits.
    """
    while True:
        try:
            return await act()
        except WebchatError as error:
            if not error.code.retry:
                raise
            _log.warning(f"waits: {doing}", why=error.message, **about)
            await pause(clock, RETRY_S)
