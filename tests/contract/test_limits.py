"""The contract of `ports/limits.py`."""

from __future__ import annotations

import pytest

from webchat.adapters.memory import ManualClock, MemoryLimits
from webchat.ports.limits import Rate

RATE = Rate(per_min=6, burst=3)


@pytest.fixture
def limits(clock: ManualClock) -> MemoryLimits:
    return MemoryLimits(clock)


async def take_all(limits: MemoryLimits, key: str) -> list[int]:
    return [await limits.take(key, RATE) for _ in range(RATE.burst)]


async def test_a_burst_is_allowed_and_then_one_has_to_wait(limits: MemoryLimits) -> None:
    assert await take_all(limits, "k") == [0, 0, 0]
    assert await limits.take("k", RATE) == 10_000
    assert await limits.take("other", RATE) == 0


async def test_what_is_told_is_when_it_is_allowed(limits: MemoryLimits, clock: ManualClock) -> None:
    await take_all(limits, "k")
    clock.advance(4)
    assert await limits.take("k", RATE) == 6_000
    clock.advance(5.99)
    assert await limits.take("k", RATE) == 10
    clock.advance(0.01)
    assert await limits.take("k", RATE) == 0


async def test_waiting_long_gains_no_more_than_a_burst(
    limits: MemoryLimits, clock: ManualClock
) -> None:
    await take_all(limits, "k")
    clock.advance(3600)
    assert await take_all(limits, "k") == [0, 0, 0]
    assert await limits.take("k", RATE) > 0


async def test_what_is_given_back_can_be_taken_again(limits: MemoryLimits) -> None:
    await take_all(limits, "k")
    await limits.give_back("k", RATE)
    assert await limits.take("k", RATE) == 0
    assert await limits.take("k", RATE) > 0


async def test_giving_back_never_gains_more_than_a_burst(limits: MemoryLimits) -> None:
    await limits.give_back("k", RATE)
    assert await take_all(limits, "k") == [0, 0, 0]
    assert await limits.take("k", RATE) > 0


async def test_keys_are_bounded_and_the_longest_unused_is_forgotten(clock: ManualClock) -> None:
    limits = MemoryLimits(clock, max_keys=2)
    for key in ("a", "b", "a", "c"):
        await limits.take(key, RATE)
    assert len(limits) == 2
    assert [await limits.take("a", RATE) for _ in range(2)] == [0, 10_000]


async def test_idle_keys_are_forgotten(limits: MemoryLimits, clock: ManualClock) -> None:
    for number in range(10):
        await limits.take(str(number), RATE)
    clock.advance(60)
    for _ in range(10):
        await limits.take("busy", RATE)
    assert len(limits) == 1
