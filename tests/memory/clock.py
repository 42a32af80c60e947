"""A clock that tests move by hand."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable
from typing import Final

_START_MS: Final = 1_750_000_000_000
_TURNS: Final = 60


async def settle(turns: int = _TURNS) -> None:
    """Let everything happen that needs no time to pass. `turns`: of the event loop; more where one
    thing waits for many others."""
    for _ in range(turns):
        await asyncio.sleep(0)


class ManualTimer:
    """A timer of a ManualClock."""

    def __init__(self, call: Callable[[], object]) -> None:
        self._call: Callable[[], object] | None = call

    def cancel(self) -> None:
        """Take it back; harmless once it ran or was cancelled."""
        self._call = None

    def run(self) -> None:
        """Run it, once."""
        call, self._call = self._call, None
        if call is not None:
            call()


class ManualClock:
    """A clock that stands still until a test advances it."""

    def __init__(self, start_ms: int = _START_MS) -> None:
        self._start_ms = start_ms
        self._elapsed_s = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, ManualTimer]] = []

    def now_ms(self) -> int:
        """Milliseconds since 1970: the start, and what was advanced since."""
        return self._start_ms + round(self._elapsed_s * 1000)

    def monotonic_s(self) -> float:
        """Seconds advanced so far."""
        return self._elapsed_s

    def call_later(self, delay_s: float, call: Callable[[], object]) -> ManualTimer:
        """Run `call` inside the `advance` that reaches its moment."""
        timer = ManualTimer(call)
        due_s = self._elapsed_s + max(delay_s, 0.0)
        heapq.heappush(self._timers, (due_s, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; what falls due runs at its own moment, in order, new timers too."""
        end_s = self._elapsed_s + seconds
        while self._timers and self._timers[0][0] <= end_s:
            due_s, _, timer = heapq.heappop(self._timers)
            self._elapsed_s = max(self._elapsed_s, due_s)
            timer.run()
        self._elapsed_s = end_s
