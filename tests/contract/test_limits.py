"""The contract of `ports/limits.py`, counted in one process and shared through Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.engines.redis import RedisServer
from tests.memory import ManualClock
from webchat.adapters.memory import LoopClock, MemoryLimits
from webchat.adapters.redis import (
    RedisBus,
    RedisBusSettings,
    RedisLimits,
    RedisLimitsSettings,
)
from webchat.ports.limits import Limits, Rate

RATE = Rate(per_min=0.6, burst=3)
FULL_AGAIN_MS = 100_000
"""How long one token takes."""
SLACK_MS = 10_000
"""What a slow machine may take for a test by a clock that is not its own."""


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def limits(
    request: pytest.FixtureRequest, clock: ManualClock, server: RedisServer
) -> AsyncIterator[Limits]:
    if request.param == "memory":
        yield MemoryLimits(clock)
        return
    server.command("FLUSHALL")
    bus = RedisBus(server.url, RedisBusSettings(), LoopClock(), "a node")
    await bus.open()
    yield RedisLimits(bus, RedisLimitsSettings(), clock)
    await bus.close()


async def take_all(limits: Limits, key: str) -> list[int]:
    return [await limits.take(key, RATE) for _ in range(RATE.burst)]


def about(wait_ms: int) -> bool:
    """Whether it is one token's time, less what the test itself took."""
    return FULL_AGAIN_MS - SLACK_MS < wait_ms <= FULL_AGAIN_MS


async def test_a_burst_is_allowed_and_then_one_has_to_wait(limits: Limits) -> None:
    assert await take_all(limits, "k") == [0, 0, 0]
    assert about(await limits.take("k", RATE))
    assert about(await limits.take("k", RATE))
    assert await limits.take("other", RATE) == 0


async def test_what_is_given_back_can_be_taken_again(limits: Limits) -> None:
    await take_all(limits, "k")
    await limits.give_back("k", RATE)
    assert await limits.take("k", RATE) == 0
    assert await limits.take("k", RATE) > 0


async def test_giving_back_never_gains_more_than_a_burst(limits: Limits) -> None:
    await limits.give_back("k", RATE)
    assert await take_all(limits, "k") == [0, 0, 0]
    assert await limits.take("k", RATE) > 0


async def test_keys_are_any_text(limits: Limits) -> None:
    for key in ("login:Grüße ☂", "login: \r\n*1"):
        assert await take_all(limits, key) == [0, 0, 0]
        assert await limits.take(key, RATE) > 0


class TestByTheProcessesOwnClock:
    """What a clock that tests move can show."""

    @pytest.fixture
    def limits(self, clock: ManualClock) -> MemoryLimits:
        return MemoryLimits(clock)

    async def test_what_is_told_is_when_it_is_allowed(
        self, limits: MemoryLimits, clock: ManualClock
    ) -> None:
        await take_all(limits, "k")
        clock.advance(40)
        assert await limits.take("k", RATE) == 60_000
        clock.advance(59.99)
        assert await limits.take("k", RATE) == 10
        clock.advance(0.01)
        assert await limits.take("k", RATE) == 0

    async def test_waiting_long_gains_no_more_than_a_burst(
        self, limits: MemoryLimits, clock: ManualClock
    ) -> None:
        await take_all(limits, "k")
        clock.advance(3600)
        assert await take_all(limits, "k") == [0, 0, 0]
        assert await limits.take("k", RATE) > 0

    async def test_keys_are_bounded_and_the_longest_unused_is_forgotten(
        self, clock: ManualClock
    ) -> None:
        limits = MemoryLimits(clock, max_keys=2)
        for key in ("a", "b", "a", "c"):
            await limits.take(key, RATE)
        assert len(limits) == 2
        assert [await limits.take("a", RATE) for _ in range(2)] == [0, FULL_AGAIN_MS]

    async def test_idle_keys_are_forgotten(self, limits: MemoryLimits, clock: ManualClock) -> None:
        for number in range(10):
            await limits.take(str(number), RATE)
        clock.advance(600)
        for _ in range(10):
            await limits.take("busy", RATE)
        assert len(limits) == 1
