"""A node on Redis in tests."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.hearing import Node
from tests.engines.redis import RedisServer
from webchat.adapters.memory import LoopClock
from webchat.adapters.redis import RedisBus, RedisBusSettings

SETTINGS = RedisBusSettings(
    ack_timeout_ms=300, ping_interval_ms=100, reconnect_min_ms=10, reconnect_max_ms=50
)


class RedisNode(Node):
    """A node on Redis."""

    def __init__(self, url: str, settings: RedisBusSettings = SETTINGS) -> None:
        self.redis_bus = RedisBus(url, settings, LoopClock(), "node 1")
        super().__init__(self.redis_bus)


Join = Callable[..., RedisNode]


async def pair(server: RedisServer, join: Join) -> tuple[RedisNode, RedisNode]:
    """Two open nodes, of which the second holds `t`."""
    first, second = join(server.url), join(server.url)
    await first.bus.open()
    await second.bus.open()
    await second.bus.subscribe("t")
    return first, second
