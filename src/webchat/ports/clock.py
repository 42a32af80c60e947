"""Time as the product sees it, so that tests own it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol


class Timer(Protocol):
    """A call that has been put off."""

    def cancel(self) -> None:
        """Take it back; harmless once it ran or was cancelled."""


class Clock(Protocol):
    """Wall time, monotonic time and timers. Everything that waits or stamps asks here."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC. May jump; for stamps that people see."""

    def monotonic_s(self) -> float:
        """Seconds that never go back; for intervals and rates."""

    def call_later(self, delay_s: float, call: Callable[[], object]) -> Timer:
        """Run `call` once in `delay_s` seconds, on the event loop's thread."""


async def pause(clock: Clock, delay_s: float) -> None:
    """Return in `delay_s` seconds of `clock`."""
    over = asyncio.Event()
    timer = clock.call_later(delay_s, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()
