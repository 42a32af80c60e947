"""The bus, the profile cache and the shared limits on Redis."""

from webchat.adapters.redis.bus import RedisBus
from webchat.adapters.redis.cache import RedisProfileCache
from webchat.adapters.redis.limits import RedisLimits
from webchat.adapters.redis.settings import (
    RedisBusSettings,
    RedisCacheSettings,
    RedisLimitsSettings,
)
from webchat.adapters.redis.stats import BusStats

__all__ = [
    "BusStats",
    "RedisBus",
    "RedisBusSettings",
    "RedisCacheSettings",
    "RedisLimits",
    "RedisLimitsSettings",
    "RedisProfileCache",
]
