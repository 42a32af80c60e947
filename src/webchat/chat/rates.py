"""How fast connections may speak: token buckets without a timer.

A bucket's state is one float, when it is full again: each event makes that later by its share of a
second (the generic cell rate algorithm, ITU-T I.371).
"""

from __future__ import annotations

import math
from typing import Final

from webchat.model import Uid

_ROUNDING_S: Final = 1e-6
"""Sums of floats may end this far from the whole token that was waited for."""
USERS_CONNECTIONS: Final = 10
"""All connections of a user together may say, and have waiting, as much as so many of them."""
_FEW_USERS: Final = 1_000


class Bucket:
    """Of one connection. `full_at_s`: on the clock of `Rates.take`."""

    __slots__ = ("full_at_s",)

    def __init__(self) -> None:
        self.full_at_s = -math.inf


class Rates:
    """`burst` events of a connection at once, `per_s` sustained; `by_user`: and of a user's
    connections together, also one after the other, ten times as many."""

    def __init__(self, per_s: float, burst: int, *, by_user: bool) -> None:
        self._burst = burst
        self._share_s = 1 / per_s
        self._ahead_s = burst / per_s + _ROUNDING_S
        self._by_user = by_user
        self._full_at_s: dict[Uid, float] = {}
        self._most_users = _FEW_USERS

    def take(self, bucket: Bucket, uid: Uid | None, now_s: float, events: int = 1) -> int:
        """Use tokens for so many events, or for a whole burst if that is less: 0, or in how many
        ms there will be enough; then nothing was used. `uid`: whose connection it is, if known."""
        cost_s = self._share_s if events == 1 else min(events, self._burst) * self._share_s
        full_at_s, users_at_s = bucket.full_at_s, None
        if full_at_s < now_s:
            full_at_s = now_s
        latest_s = full_at_s = full_at_s + cost_s
        if self._by_user and uid is not None:
            users_at_s = self._full_at_s.get(uid)
            if users_at_s is None:
                self._forget_the_full(now_s)
                users_at_s = now_s
            elif users_at_s < now_s:
                users_at_s = now_s
            users_at_s += cost_s / USERS_CONNECTIONS
            if users_at_s > latest_s:
                latest_s = users_at_s
        early_s = latest_s - now_s - self._ahead_s
        if early_s > 0:
            return math.ceil(early_s * 1000)
        bucket.full_at_s = full_at_s
        if users_at_s is not None and uid is not None:
            self._full_at_s[uid] = users_at_s
        return 0

    def _forget_the_full(self, now_s: float) -> None:
        """Nothing has to be known of users whose buckets are full again, as most are."""
        if len(self._full_at_s) < self._most_users:
            return
        self._full_at_s = {uid: at for uid, at in self._full_at_s.items() if at > now_s}
        self._most_users = max(_FEW_USERS, 2 * len(self._full_at_s))
