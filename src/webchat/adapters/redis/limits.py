"""Limits that all nodes count together in Redis; without it, each node counts alone."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from webchat.adapters.redis.client import Client, Unreachable
from webchat.adapters.redis.settings import RedisLimitsSettings
from webchat.ports.buckets import Buckets
from webchat.ports.clock import Clock
from webchat.ports.limits import Rate

_TAKE: Final = 1
_GIVE_BACK: Final = -1


class RedisLimits:
    """Token buckets by Redis' own clock; a key lives until its bucket is full again."""

    def __init__(self, url: str, settings: RedisLimitsSettings, clock: Clock) -> None:
        """Raises BusRefused for a URL that cannot be read."""
        self._settings = settings
        self._clock = clock
        self._client = Client(url, settings.timeout_ms, settings.retry_after_ms, clock)
        self._local = Buckets(settings.local_keys)
        self._script = files(__package__).joinpath("bucket.lua").read_text()
        self._script_id = sha1(self._script.encode(), usedforsecurity=False).hexdigest()

    async def take(self, key: str, rate: Rate) -> int:
        """Use one up, on all nodes. 0: allowed; else ms until it would be."""
        try:
            return await self._run(key, rate, _TAKE)
        except Unreachable:
            return self._local.take(key, rate, self._clock.monotonic_s())

    async def give_back(self, key: str, rate: Rate) -> None:
        """Undo one `take`."""
        try:
            await self._run(key, rate, _GIVE_BACK)
        except Unreachable:
            self._local.give_back(key, rate, self._clock.monotonic_s())

    async def close(self) -> None:
        """Let go of its connections."""
        await self._client.close()

    async def _run(self, key: str, rate: Rate, amount: int) -> int:
        key = self._settings.key_prefix + key
        arguments = (str(rate.per_min), str(rate.burst), str(amount))

        async def run(redis: Redis) -> int:
            try:
                return int(await redis.evalsha(self._script_id, 1, key, *arguments))
            except NoScriptError:
                return int(await redis.eval(self._script, 1, key, *arguments))

        return await self._client.ask(run)
