"""Limits in Redis: shared by nodes, by Redis' clock, and counted alone while it is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack

import pytest
import redis

from tests.engines.redis import RedisServer
from webchat.adapters.memory import ManualClock
from webchat.adapters.redis import RedisLimits, RedisLimitsSettings
from webchat.ports.bus import BusRefused
from webchat.ports.limits import Rate

SLOW = Rate(per_min=0.6, burst=2)
FAST = Rate(per_min=120, burst=1)
"""A token in 500 ms."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
async def node(server: RedisServer, clock: ManualClock) -> AsyncIterator[Callable[[], RedisLimits]]:
    """Makes a node's end; each node's clock is `clock`."""
    async with AsyncExitStack() as closing:

        def make() -> RedisLimits:
            limits = RedisLimits(server.url, RedisLimitsSettings(timeout_ms=100), clock)
            closing.push_async_callback(limits.close)
            return limits

        yield make


async def test_nodes_count_together(node: Callable[[], RedisLimits]) -> None:
    first, second = node(), node()
    assert await first.take("k", SLOW) == await second.take("k", SLOW) == 0
    assert await first.take("k", SLOW) > 0
    await first.give_back("k", SLOW)
    assert await second.take("k", SLOW) == 0
    assert await first.take("k", SLOW) > 0


async def test_what_is_told_is_when_it_is_allowed_by_the_servers_clock(
    node: Callable[[], RedisLimits], clock: ManualClock
) -> None:
    limits = node()
    assert await limits.take("k", FAST) == 0
    wait_ms = await limits.take("k", FAST)
    clock.advance(3_600)  # a node's clock is of no account
    assert 0 < wait_ms <= 500
    await asyncio.sleep(wait_ms / 1000)
    assert await limits.take("k", FAST) == 0


async def test_while_redis_is_away_each_node_counts_alone_and_then_together_again(
    server: RedisServer, node: Callable[[], RedisLimits], clock: ManualClock
) -> None:
    first, second = node(), node()
    await first.take("k", SLOW)
    server.stop()
    for limits in (first, second):
        assert [await limits.take("k", SLOW) for _ in range(2)] == [0, 0]
        assert await limits.take("k", SLOW) > 0
        await limits.give_back("k", SLOW)
        assert await limits.take("k", SLOW) == 0
    server.start()
    clock.advance(2)
    assert await first.take("k", SLOW) == await second.take("k", SLOW) == 0
    assert await first.take("k", SLOW) > 0


async def test_a_redis_that_stands_still_costs_one_timeout_and_not_one_a_call(
    server: RedisServer, node: Callable[[], RedisLimits], clock: ManualClock
) -> None:
    limits = node()
    await limits.take("k", SLOW)
    server.pause()
    begun = time.monotonic()
    for number in range(100):
        assert await limits.take(f"k{number}", SLOW) == 0
    assert time.monotonic() - begun < 2.0
    server.resume()
    clock.advance(2)
    assert await limits.take("k", SLOW) == 0
    assert await limits.take("k", SLOW) > 0


async def test_a_redis_that_forgot_the_script_is_told_it_again(
    server: RedisServer, node: Callable[[], RedisLimits]
) -> None:
    limits = node()
    await limits.take("k", SLOW)
    server.command("SCRIPT", "FLUSH")
    assert await limits.take("k", SLOW) == 0
    assert await limits.take("k", SLOW) > 0


async def test_keys_go_when_they_mean_nothing_any_more(
    server: RedisServer, node: Callable[[], RedisLimits]
) -> None:
    limits = node()
    await limits.take("taken", SLOW)
    await limits.take("returned", SLOW)
    await limits.give_back("returned", SLOW)
    with redis.Redis(port=server.port) as admin:
        assert admin.keys() == [b"webchat:limit:taken"]
        assert 0 < admin.pttl("webchat:limit:taken") <= 100_000


async def test_a_url_that_names_no_redis_is_refused(clock: ManualClock) -> None:
    with pytest.raises(BusRefused):
        RedisLimits("http://localhost", RedisLimitsSettings(), clock)
