"""Limits that all nodes count together in Redis; without it, each node counts alone."""

from __future__ import annotations

from hashlib import sha1
from importlib.resources import files
from typing import Final

import hiredis

from webchat.adapters.redis.bus import RedisBus
from webchat.adapters.redis.settings import RedisLimitsSettings
from webchat.errors import WebchatError
from webchat.ports.clock import Clock
from webchat.ports.limits import Buckets, Rate

_TAKE: Final = 1
_GIVE_BACK: Final = -1


class RedisLimits:
    """Token buckets by Redis' own clock; a key lives until its bucket is full again.

    It asks over a bus that somebody else opens and closes.
    """

    def __init__(self, bus: RedisBus, settings: RedisLimitsSettings, clock: Clock) -> None:
        self._bus = bus
        self._key_prefix = settings.key_prefix
        self._clock = clock
        self._alone = Buckets(settings.local_keys)
        self._script = files(__package__).joinpath("bucket.lua").read_text()
        self._script_id = sha1(self._script.encode(), usedforsecurity=False).hexdigest()

    async def take(self, key: str, rate: Rate) -> int:
        """Use one up, on all nodes. 0: allowed; else ms until it would be."""
        try:
            return await self._run(key, rate, _TAKE)
        except (WebchatError, hiredis.ReplyError):
            return self._alone.take(key, rate, self._clock.monotonic_s())

    async def give_back(self, key: str, rate: Rate) -> None:
        """Undo one `take`."""
        try:
            await self._run(key, rate, _GIVE_BACK)
        except (WebchatError, hiredis.ReplyError):
            self._alone.give_back(key, rate, self._clock.monotonic_s())

    async def _run(self, key: str, rate: Rate, amount: int) -> int:
        what = (1, self._key_prefix + key, str(rate.per_min), rate.burst, amount)
        try:
            return int(await self._bus.ask("EVALSHA", self._script_id, *what))
        except hiredis.ReplyError as error:
            if not str(error).startswith("NOSCRIPT"):
                raise
            return int(await self._bus.ask("EVAL", self._script, *what))
