"""redis-py for what is asked rarely; an outage is told at once instead of waited for each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from webchat.adapters.redis.address import Address
from webchat.ports.clock import Clock

Answer = TypeVar("Answer")


class Unreachable(Exception):  # noqa: N818
    """Redis did not answer, or was not asked because it just did not."""


class Client:
    """One Redis. After a failure it is not asked again for `retry_after_ms`."""

    def __init__(self, url: str, timeout_ms: int, retry_after_ms: int, clock: Clock) -> None:
        """Raises BusRefused for a URL that cannot be read."""
        tls = Address.of(url).tls
        options = {"ssl_check_hostname": tls.check_hostname} if tls else {}
        self._redis: Redis = Redis.from_url(
            url,
            socket_timeout=timeout_ms / 1000,
            socket_connect_timeout=timeout_ms / 1000,
            retry=Retry(NoBackoff(), 0),
            **options,
        )
        self._retry_after_s = retry_after_ms / 1000
        self._clock = clock
        self._failed_s = float("-inf")

    async def ask(self, command: Callable[[Redis], Awaitable[Answer]]) -> Answer:
        """The answer to one command. Raises Unreachable."""
        if self._clock.monotonic_s() < self._failed_s + self._retry_after_s:
            raise Unreachable("it just did not answer")
        try:
            return await command(self._redis)
        except (RedisError, OSError) as error:
            self._failed_s = self._clock.monotonic_s()
            raise Unreachable(str(error)) from error

    async def close(self) -> None:
        """Let go of its connections."""
        await self._redis.aclose()
