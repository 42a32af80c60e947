"""A cache for profiles (seed flow 1): write-through, bounded, never the truth."""

from __future__ import annotations

from typing import Protocol

from webchat.model import Profile, Uid


class ProfileCache(Protocol):
    """Losing everything at any moment is fine. Never raises: an outage is a miss.

    `is_shared`: others than this process put into it, too.
    """

    @property
    def is_shared(self) -> bool:
        """See above."""

    def peek(self, uid: Uid) -> Profile | None:
        """The profile if this process has it at hand, without waiting."""

    async def get(self, uid: Uid) -> Profile | None:
        """The profile, or None: ask the store."""

    async def put(self, profile: Profile) -> None:
        """Remember it; replaces what was there on every node."""

    async def fill(self, profile: Profile) -> None:
        """Remember what was read in the store, here and for who misses it. Where a change was
        overtaken by that, `put` has to follow."""

    async def drop(self, uid: Uid) -> None:
        """Forget it on every node."""
