"""A bounded cache of profiles in this process; the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict

from webchat.model import Profile, Uid


class MemoryProfileCache:
    """At most `max_profiles` profiles."""

    is_shared = False

    def __init__(self, max_profiles: int = 10_000) -> None:
        self._max_profiles = max_profiles
        self._profiles: OrderedDict[Uid, Profile] = OrderedDict()

    def peek(self, uid: Uid) -> Profile | None:
        """The profile if it is here."""
        profile = self._profiles.get(uid)
        if profile is not None:
            self._profiles.move_to_end(uid)
        return profile

    async def get(self, uid: Uid) -> Profile | None:
        """The profile if it is here."""
        return self.peek(uid)

    async def put(self, profile: Profile) -> None:
        """Remember it; beyond the bound the least recently used one goes."""
        self._profiles[profile.uid] = profile
        self._profiles.move_to_end(profile.uid)
        if len(self._profiles) > self._max_profiles:
            self._profiles.popitem(last=False)

    async def fill(self, profile: Profile) -> None:
        """The same: there is nobody else to tell."""
        await self.put(profile)

    async def drop(self, uid: Uid) -> None:
        """Forget it."""
        self._profiles.pop(uid, None)
