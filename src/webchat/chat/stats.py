"""What the chat layer counts: plain numbers, read when somebody asks for metrics."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, Final

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


def _total(help_text: str) -> Any:
    """A field that counts since the start, served as a metric with this help."""
    return field(default=0, metadata={"help": help_text})


@dataclass(slots=True)
class Stats:
    """Totals since the start, but `waiting_acks`: how many acks wait for the bus at the moment, and
    `append_s`: how long appends took, by samples."""

    appended: int = _total("Entries that connections had appended to logs.")
    passed_on: int = _total("Entries brought to devices of this node.")
    copies: int = _total("Devices those entries went to.")
    backlog: int = _total("Entries sent to devices that were behind.")
    refused: int = _total("Events answered with an error.")
    repairs: int = _total("Gaps read from a log.")
    compared: int = _total("Heads read to see whether something is missing.")
    failed_publishes: int = _total("Entries that the bus did not take.")
    revoked: int = _total("Connections closed because their login ended.")
    waiting_acks: int = 0
    append_s: Durations = field(default_factory=Durations)
