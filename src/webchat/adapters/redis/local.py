"""Profiles that this process has at hand, each until its moment; the least recently used go."""

from __future__ import annotations

from collections import OrderedDict

from webchat.model import Profile, Uid
from webchat.ports.clock import Clock


class LocalProfiles:
    """At most `max_profiles`."""

    def __init__(self, max_profiles: int, clock: Clock) -> None:
        self._max_profiles = max_profiles
        self._clock = clock
        self._kept: OrderedDict[Uid, tuple[Profile, float]] = OrderedDict()

    def get(self, uid: Uid) -> Profile | None:
        """The profile if it is here and not too old."""
        kept = self._kept.get(uid)
        if kept is None:
            return None
        if kept[1] <= self._clock.monotonic_s():
            del self._kept[uid]
            return None
        self._kept.move_to_end(uid)
        return kept[0]

    def put(self, profile: Profile, ttl_s: float) -> None:
        """Have it for `ttl_s` seconds."""
        self._kept[profile.uid] = (profile, self._clock.monotonic_s() + ttl_s)
        self._kept.move_to_end(profile.uid)
        if len(self._kept) > self._max_profiles:
            self._kept.popitem(last=False)

    def drop(self, uid: Uid) -> None:
        """Forget it; harmless if it is not here."""
        self._kept.pop(uid, None)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()
