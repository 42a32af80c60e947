"""Rates that are shared by everything that counts the same thing: logins, registrations."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec

_SWEPT_PER_TAKE: Final = 2
_ROUNDING: Final = 1e-9
"""Sums of floats may end this far from the whole token that was waited for."""


class Rate(msgspec.Struct, frozen=True):
    """A token bucket: `burst` at once, refilled at `per_min` a minute."""

    per_min: float
    burst: int


class Limits(Protocol):
    """Counters by key. Never raises: an outage falls back to this process's own counting."""

    async def take(self, key: str, rate: Rate) -> int:
        """Use one up. 0: allowed; else ms until it would be, and nothing was used up."""

    async def give_back(self, key: str, rate: Rate) -> None:
        """Undo one `take` (a login that succeeded, an attempt that came to nothing)."""


@dataclass(slots=True)
class _Bucket:
    rate: Rate
    tokens: float
    at_s: float

    def refill(self, now_s: float) -> None:
        gained = (now_s - self.at_s) * self.rate.per_min / 60
        self.tokens = min(float(self.rate.burst), self.tokens + gained)
        self.at_s = now_s

    def is_full(self) -> bool:
        return self.tokens >= self.rate.burst - _ROUNDING

    def wait_ms(self) -> int:
        """Milliseconds until one token is there."""
        return math.ceil((1 - self.tokens - _ROUNDING) * 60_000 / self.rate.per_min)


class Buckets:
    """Rates as a process counts them by itself, by key: at most `max_keys` of them. Beyond, the one
    that was longest unused is forgotten, and so is one that has all its tokens again. `now_s`:
    seconds of a clock that never goes back."""

    def __init__(self, max_keys: int) -> None:
        self._max_keys = max_keys
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        """How many buckets are remembered."""
        return len(self._buckets)

    def take(self, key: str, rate: Rate, now_s: float) -> int:
        """Use one up. 0: allowed; else ms until it would be, and nothing was used up."""
        bucket = self._bucket(key, rate, now_s)
        self._forget_idle(now_s)
        if bucket.tokens < 1 - _ROUNDING:
            return bucket.wait_ms()
        bucket.tokens -= 1
        return 0

    def give_back(self, key: str, rate: Rate, now_s: float) -> None:
        """Undo one `take`."""
        bucket = self._bucket(key, rate, now_s)
        bucket.tokens = min(float(rate.burst), bucket.tokens + 1)

    def _bucket(self, key: str, rate: Rate, now_s: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(rate, float(rate.burst), now_s)
        bucket.rate = rate
        bucket.refill(now_s)
        self._buckets.move_to_end(key)
        return bucket

    def _forget_idle(self, now_s: float) -> None:
        """Look at the longest unused few, so that the sweep's cost is shared by all takes."""
        for _ in range(min(_SWEPT_PER_TAKE, len(self._buckets) - 1)):
            key, oldest = next(iter(self._buckets.items()))
            oldest.refill(now_s)
            if not oldest.is_full() and len(self._buckets) <= self._max_keys:
                return
            del self._buckets[key]
