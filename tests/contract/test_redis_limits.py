"""Limits in Redis: shared by nodes, by Redis' clock, and counted alone while it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import redis

from tests.contract.hearing import Heard
from tests.contract.redis_node import SETTINGS
from tests.engines.redis import RedisServer
from tests.memory import ManualClock
from webchat.adapters.memory import LoopClock
from webchat.adapters.redis import (
    RedisBus,
    RedisLimits,
    RedisLimitsSettings,
)
from webchat.ports.limits import Rate

SLOW = Rate(per_min=0.6, burst=2)
FAST = Rate(per_min=120, burst=1)
"""A token in 500 ms."""

Make = Callable[[], Awaitable[tuple[RedisLimits, Heard]]]


@pytest.fixture
async def node(server: RedisServer, clock: ManualClock) -> AsyncIterator[Make]:
    """Makes a node's end, whose own clock is `clock`, and what it hears of its bus."""
    async with AsyncExitStack() as closing:

        async def make() -> tuple[RedisLimits, Heard]:
            bus, heard = RedisBus(server.url, SETTINGS, LoopClock(), "a node"), Heard()
            bus.listen(heard)
            await bus.open()
            closing.push_async_callback(bus.close)
            return RedisLimits(bus, RedisLimitsSettings(), clock), heard

        yield make


async def test_nodes_count_together(node: Make) -> None:
    (first, _), (second, _) = await node(), await node()
    assert await first.take("k", SLOW) == await second.take("k", SLOW) == 0
    assert await first.take("k", SLOW) > 0
    await first.give_back("k", SLOW)
    assert await second.take("k", SLOW) == 0
    assert await first.take("k", SLOW) > 0


async def test_what_is_told_is_when_it_is_allowed_by_the_servers_clock(
    node: Make, clock: ManualClock
) -> None:
    limits, _ = await node()
    assert await limits.take("k", FAST) == 0
    wait_ms = await limits.take("k", FAST)
    clock.advance(3_600)  # a node's clock is of no account
    assert 0 < wait_ms <= 500
    await asyncio.sleep(wait_ms / 1000)
    assert await limits.take("k", FAST) == 0


async def test_while_redis_is_away_each_node_counts_alone_and_then_together_again(
    server: RedisServer, node: Make
) -> None:
    (first, hears), (second, also_hears) = await node(), await node()
    await first.take("k", SLOW)
    server.kill()
    for limits in (first, second):
        assert [await limits.take("k", SLOW) for _ in range(2)] == [0, 0]
        assert await limits.take("k", SLOW) > 0
        await limits.give_back("k", SLOW)
        assert await limits.take("k", SLOW) == 0
    server.start()
    await hears.until("regained")
    await also_hears.until("regained")
    assert await first.take("k", SLOW) == await second.take("k", SLOW) == 0
    assert await first.take("k", SLOW) > 0


async def test_a_redis_that_stands_still_costs_one_timeout_and_not_one_a_call(
    server: RedisServer, node: Make
) -> None:
    limits, hears = await node()
    await limits.take("k", SLOW)
    server.pause()
    begun = time.monotonic()
    for number in range(100):
        assert await limits.take(f"k{number}", SLOW) == 0
    assert time.monotonic() - begun < 2.0
    server.resume()
    await hears.until("regained")
    assert await limits.take("k", SLOW) == 0
    assert await limits.take("k", SLOW) > 0


async def test_a_redis_that_forgot_the_script_is_told_it_again(
    server: RedisServer, node: Make
) -> None:
    limits, _ = await node()
    await limits.take("k", SLOW)
    server.command("SCRIPT", "FLUSH")
    assert await limits.take("k", SLOW) == 0
    assert await limits.take("k", SLOW) > 0


async def test_keys_go_when_they_mean_nothing_any_more(server: RedisServer, node: Make) -> None:
    limits, _ = await node()
    await limits.take("taken", SLOW)
    await limits.take("returned", SLOW)
    await limits.give_back("returned", SLOW)
    with redis.Redis(port=server.port) as admin:
        assert admin.keys() == [b"webchat:limit:taken"]
        assert 0 < admin.pttl("webchat:limit:taken") <= 100_000
