"""Limits that this process counts alone."""

from __future__ import annotations

from webchat.ports.clock import Clock
from webchat.ports.limits import Buckets, Rate


class MemoryLimits:
    """At most `max_keys` buckets; beyond, the one that was longest unused is forgotten."""

    def __init__(self, clock: Clock, max_keys: int = 100_000) -> None:
        self._clock = clock
        self._buckets = Buckets(max_keys)

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._buckets)

    async def take(self, key: str, rate: Rate) -> int:
        """Use one up. 0: allowed; else ms until it would be."""
        return self._buckets.take(key, rate, self._clock.monotonic_s())

    async def give_back(self, key: str, rate: Rate) -> None:
        """Undo one `take`."""
        self._buckets.give_back(key, rate, self._clock.monotonic_s())
