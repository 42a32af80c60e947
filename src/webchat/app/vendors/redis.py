"""The bus, the profile cache and the limits on one Redis, and their settings."""

from __future__ import annotations

from dataclasses import replace

from webchat.adapters.redis import (
    RedisBus,
    RedisBusSettings,
    RedisCacheSettings,
    RedisLimits,
    RedisLimitsSettings,
    RedisProfileCache,
)
from webchat.config import Settings
from webchat.metrics import BusCounts
from webchat.ports.bus import Bus
from webchat.ports.cache import ProfileCache
from webchat.ports.clock import Clock
from webchat.ports.limits import Limits


class RedisJoint:
    """What all nodes on a Redis have in common."""

    def __init__(self, settings: Settings, clock: Clock, node_id: str) -> None:
        """Raises BusRefused for a URL that cannot be read."""
        bus = RedisBus(settings.bus, bus_settings(settings), clock, node_id)
        self.bus: Bus = bus
        self.stats: BusCounts | None = bus.stats
        beside = RedisBus(settings.bus, _beside(settings), clock, f"{node_id}:cache")
        self._cache = RedisProfileCache(beside, cache_settings(settings), clock)
        self.cache: ProfileCache = self._cache
        self.limits: Limits = RedisLimits(beside, limits_settings(settings), clock)

    async def open(self) -> None:
        """Connect. Raises BusRefused: unreachable, wrong credentials, unfit."""
        await self.bus.open()
        await self._cache.open()

    async def close(self) -> None:
        """Let go of all connections."""
        await self._cache.close()
        await self.bus.close()


def bus_settings(settings: Settings) -> RedisBusSettings:
    """Names, times and bounds of the bus."""
    return RedisBusSettings(
        channel_prefix=settings.redis_prefix + "bus:",
        connect_timeout_ms=settings.bus_connect_timeout_ms,
        ack_timeout_ms=settings.bus_ack_timeout_ms,
        ping_interval_ms=settings.bus_ping_interval_ms,
        reconnect_min_ms=settings.bus_reconnect_min_ms,
        reconnect_max_ms=settings.bus_reconnect_max_ms,
        max_unanswered_bytes=settings.bus_unanswered_bytes,
        check_interval_s=settings.bus_check_interval_s,
    )


def _beside(settings: Settings) -> RedisBusSettings:
    """Of the connections for profiles and limits, which the chat's publishes do not wait behind."""
    return replace(
        bus_settings(settings),
        channel_prefix=settings.redis_prefix + "cache:",
        ack_timeout_ms=settings.redis_timeout_ms,
        logs_why=False,
    )


def cache_settings(settings: Settings) -> RedisCacheSettings:
    """Names and bounds of the profile cache."""
    return RedisCacheSettings(
        key_prefix=settings.redis_prefix + "profile:",
        ttl_s=settings.profile_cache_s,
        local_profiles=settings.profile_cache_entries,
        unnoticed_s=settings.bus_unnoticed_s,
    )


def limits_settings(settings: Settings) -> RedisLimitsSettings:
    """Names of the limits."""
    return RedisLimitsSettings(key_prefix=settings.redis_prefix + "limit:")
