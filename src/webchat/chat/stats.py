"""What the chat layer counts: plain numbers, read when somebody asks for metrics."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from webchat.ports.clock import Clock

BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Durations:
    """A histogram. `counts`: how many took up to each of BOUNDS_S and more than the bound before,
    in the end those beyond the last; `sum_s`: of all, in seconds."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Something took that long."""
        self.counts[bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds


class Sampling:
    """Times one thing at a time, so that it costs the others nothing. `sampled`: which one."""

    __slots__ = ("_clock", "_durations", "_since_s", "sampled")

    def __init__(self, durations: Durations, clock: Clock) -> None:
        self._durations = durations
        self._clock = clock
        self._since_s = 0.0
        self.sampled: object = None

    def begin(self, what: object) -> None:
        """`what` begins; nothing else is being timed."""
        self.sampled = what
        self._since_s = self._clock.monotonic_s()

    def end(self) -> None:
        """What is being timed is over."""
        self.sampled = None
        self._durations.add(self._clock.monotonic_s() - self._since_s)


class Stats:
    """Totals since the start. `appended`: entries that connections had appended; `passed_on`:
    entries brought to devices here; `copies`: how many devices they went to; `refused`: events
    answered with an error; `repairs`: gaps read from a log;
    `backlog`: entries sent to devices that were behind; `compared`: heads read to see whether
    something is missing; `failed_publishes`: entries that the bus did not take; `revoked`:
    connections closed because their login ended. `waiting_acks`: how many acks wait for the bus at
    the moment. `append_s`: how long appends took, by samples."""

    __slots__ = (
        "append_s",
        "appended",
        "backlog",
        "compared",
        "copies",
        "failed_publishes",
        "passed_on",
        "refused",
        "repairs",
        "revoked",
        "waiting_acks",
    )

    def __init__(self) -> None:
        self.appended = 0
        self.passed_on = 0
        self.copies = 0
        self.backlog = 0
        self.refused = 0
        self.repairs = 0
        self.compared = 0
        self.failed_publishes = 0
        self.revoked = 0
        self.waiting_acks = 0
        self.append_s = Durations()
