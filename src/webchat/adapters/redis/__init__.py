"""The bus, the profile cache and the shared limits on Redis."""

from webchat.adapters.redis.bus import RedisBus
from webchat.adapters.redis.settings import (
    RedisBusSettings,
    RedisCacheSettings,
    RedisLimitsSettings,
)

__all__ = [
    "RedisBus",
    "RedisBusSettings",
    "RedisCacheSettings",
    "RedisLimitsSettings",
]
