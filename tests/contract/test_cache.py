"""The contract of `ports/cache.py`, in one process and shared through Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from tests.engines.redis import RedisServer
from webchat.adapters.memory import LoopClock, MemoryProfileCache
from webchat.adapters.redis import (
    RedisBus,
    RedisBusSettings,
    RedisCacheSettings,
    RedisProfileCache,
)
from webchat.model import Profile
from webchat.ports.cache import ProfileCache

Make = Callable[[int], Awaitable[ProfileCache]]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture(params=["memory", "redis"])
async def make(request: pytest.FixtureRequest, server: RedisServer) -> AsyncIterator[Make]:
    """Makes an empty cache that has so many profiles at hand."""
    async with AsyncExitStack() as closing:

        async def memory(at_hand: int) -> ProfileCache:
            return MemoryProfileCache(at_hand)

        async def redis(at_hand: int) -> ProfileCache:
            server.command("FLUSHALL")
            settings = RedisCacheSettings(local_profiles=at_hand)
            bus = RedisBus(server.url, RedisBusSettings(), LoopClock(), "a node")
            cache = RedisProfileCache(bus, settings, LoopClock())
            await cache.open()
            closing.push_async_callback(cache.close)
            return cache

        yield memory if request.param == "memory" else redis


def person(uid: str, name: str = "") -> Profile:
    return Profile(uid, name, "", True, "everybody", False)


async def test_what_was_put_is_there_until_it_is_dropped(make: Make) -> None:
    cache = await make(10)
    await cache.put(person("ann", "old"))
    await cache.put(person("ann", "new"))
    assert cache.peek("ann") == await cache.get("ann") == person("ann", "new")
    await cache.drop("ann")
    await cache.drop("ann")
    assert cache.peek("ann") is None
    assert await cache.get("ann") is None


async def test_what_was_filled_in_is_there_until_something_else_is_put(make: Make) -> None:
    cache = await make(10)
    await cache.fill(person("ann", "old"))
    assert cache.peek("ann") == await cache.get("ann") == person("ann", "old")
    await cache.put(person("ann", "new"))
    assert cache.peek("ann") == await cache.get("ann") == person("ann", "new")


async def test_every_part_of_a_profile_comes_back(make: Make) -> None:
    cache = await make(1)
    profile = Profile("ann", "Änn ☂", 'about "\n', False, "contacts", True)
    await cache.put(profile)
    await cache.put(person("bob"))  # ann is not at hand now
    assert cache.peek("ann") is None
    assert await cache.get("ann") in {None, profile}


async def test_beyond_the_bound_the_least_recently_used_is_not_at_hand(make: Make) -> None:
    cache = await make(2)
    await cache.put(person("ann"))
    await cache.put(person("bob"))
    await cache.get("ann")
    await cache.put(person("cid"))
    assert [cache.peek(uid) is not None for uid in ("ann", "bob", "cid")] == [True, False, True]
