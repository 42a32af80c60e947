"""The clock of one node: virtual time, and a wall clock that is off by its own skew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

START_MS: Final = 1_750_000_000_000


class SimClock:
    """See ports/clock.py. `skew_ms`: how far its wall clock is off."""

    def __init__(self, loop: asyncio.AbstractEventLoop, skew_ms: int = 0) -> None:
        self._loop = loop
        self._start_ms = START_MS + skew_ms

    def now_ms(self) -> int:
        """Milliseconds since 1970."""
        return self._start_ms + int(self._loop.time() * 1000)

    def monotonic_s(self) -> float:
        """The loop's virtual time."""
        return self._loop.time()

    def call_later(self, delay_s: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        """Run `call` in `delay_s` virtual seconds."""
        return self._loop.call_later(delay_s, call)
