"""A lone process: its bus, its cache and its limits are its own memory."""

from __future__ import annotations

from webchat.adapters.memory import LoneBus, MemoryLimits, MemoryProfileCache
from webchat.config import Settings
from webchat.metrics import BusCounts
from webchat.ports.bus import Bus
from webchat.ports.cache import ProfileCache
from webchat.ports.clock import Clock
from webchat.ports.limits import Limits


class MemoryJoint:
    """Nothing is shared with anybody."""

    stats: BusCounts | None = None

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.bus: Bus = LoneBus()
        self.cache: ProfileCache = MemoryProfileCache(settings.profile_cache_entries)
        self.limits: Limits = MemoryLimits(clock)

    async def open(self) -> None:
        """There is nothing to connect to."""
        await self.bus.open()

    async def close(self) -> None:
        """Let go."""
        await self.bus.close()
