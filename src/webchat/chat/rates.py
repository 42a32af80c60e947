"""The rate of one connection: a token bucket without a timer."""

from __future__ import annotations

import math


class Bucket:
    """`burst` events at once, `per_s` sustained; state is two floats."""

    __slots__ = ("_stamp_s", "_tokens")

    def __init__(self, burst: int, now_s: float) -> None:
        self._tokens = float(burst)
        self._stamp_s = now_s

    def take(self, now_s: float, per_s: float, burst: int) -> int:
        """Use one token: 0, or in how many ms there will be one; then nothing was used."""
        tokens = self._tokens + (now_s - self._stamp_s) * per_s
        if tokens > burst:
            tokens = float(burst)
        self._stamp_s = now_s
        if tokens >= 1.0:
            self._tokens = tokens - 1.0
            return 0
        self._tokens = tokens
        return math.ceil((1.0 - tokens) / per_s * 1000)
