"""The event loop's clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class LoopClock:
    """The running event loop's timers and the system's wall clock. Made on the loop's thread.

    `monotonic_s`: the loop's own time, in seconds; asked for with every message, hence no method.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.monotonic_s: Callable[[], float] = self._loop.time

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000

    def call_later(self, delay_s: float, call: Callable[[], object]) -> asyncio.TimerHandle:
        """Run `call` once in `delay_s` seconds, on the loop's thread."""
        return self._loop.call_later(delay_s, call)
