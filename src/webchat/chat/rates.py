"""The rate of one connection: a token bucket without a timer."""

from __future__ import annotations

import math
from typing import Final

_ROUNDING_S: Final = 1e-6
"""Sums of floats may end this far from the whole token that was waited for."""


class Bucket:
    """`burst` events at once, `per_s` sustained. Its state is one float, when it is full again:
    each event makes that later by 1 / `per_s` (the generic cell rate algorithm, ITU-T I.371)."""

    __slots__ = ("_full_at_s",)

    def __init__(self) -> None:
        self._full_at_s = -math.inf

    def take(self, now_s: float, per_s: float, burst: int) -> int:
        """Use one token: 0, or in how many ms there will be one; then nothing was used."""
        full_at_s = self._full_at_s
        if full_at_s < now_s:
            full_at_s = now_s
        full_at_s += 1.0 / per_s
        early_s = full_at_s - now_s - burst / per_s
        if early_s > _ROUNDING_S:
            return math.ceil(early_s * 1000)
        self._full_at_s = full_at_s
        return 0
