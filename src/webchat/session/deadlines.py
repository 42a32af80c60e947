"""Many waits of one length on one timer: what is added first falls due first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from webchat.ports.clock import Clock, Timer

T = TypeVar("T")

_log = logging.getLogger(__name__)

# What falls due within this time goes in the same turn: never late, and fewer wake-ups.
_EARLY_S: Final = 0.01


class Deadlines(Generic[T]):
    """Items that each wait `delay_s` seconds; then `on_due(item)` is called, up to 10 ms early.

    An item waits once at most: adding it again begins its wait anew. One timer serves them all,
    so that a waiting connection costs no timer of its own. What `on_due` raises is logged, and
    concerns that item alone: the pings and timeouts of all the others hang on the same timer.
    """

    __slots__ = ("_clock", "_delay_s", "_due", "_on_due", "_timer")

    def __init__(self, clock: Clock, delay_s: float, on_due: Callable[[T], object]) -> None:
        self._clock = clock
        self._delay_s = delay_s
        self._on_due = on_due
        self._due: dict[T, float] = {}
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, item: T) -> bool:
        return item in self._due

    def add(self, item: T) -> None:
        """Let `item` fall due `delay_s` seconds from now."""
        if item in self._due:
            del self._due[item]  # so that it comes last
        self._due[item] = self._clock.monotonic_s() + self._delay_s
        if self._timer is None:
            self._arm(self._delay_s)

    def discard(self, item: T) -> bool:
        """Let `item` wait no longer; whether it did."""
        return self._due.pop(item, None) is not None

    def stop(self) -> None:
        """Forget everything that waits. Not to be used from inside `on_due`."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, wait_s: float) -> None:
        self._timer = self._clock.call_later(max(wait_s - _EARLY_S, 0.0), self._sweep)

    def _sweep(self) -> None:
        for item in self._take_due(self._clock.monotonic_s() + _EARLY_S):
            try:
                self._on_due(item)
            except Exception:
                _log.exception("what was due for one item failed")
        # Only now, so that what `on_due` adds does not arm a timer that earlier ones wait for.
        self._timer = None
        if self._due:
            self._arm(next(iter(self._due.values())) - self._clock.monotonic_s())

    def _take_due(self, horizon_s: float) -> list[T]:
        due = []
        for item, due_s in self._due.items():
            if due_s > horizon_s:
                break
            due.append(item)
        for item in due:
            del self._due[item]
        return due
