"""The profile cache in Redis: what nodes see of each other's changes, also when Redis is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import msgspec
import pytest
import redis

from tests.contract.hearing import eventually
from tests.engines.redis import RedisServer
from tests.memory import MemoryStore
from webchat.adapters.memory import LoopClock
from webchat.adapters.redis import (
    RedisBus,
    RedisBusSettings,
    RedisCacheSettings,
    RedisProfileCache,
)
from webchat.model import Profile
from webchat.ports.bus import BusRefused
from webchat.service.profiles import Profiles

SETTINGS = RedisCacheSettings(outage_ttl_s=0.05, repay_after_ms=50)
BUS = RedisBusSettings(
    ack_timeout_ms=300, ping_interval_ms=50, reconnect_min_ms=10, reconnect_max_ms=50
)
KEY = "webchat:profile:ann"
BOB = Profile("bob", "", "", True, "everybody", False)

Join = Callable[..., Awaitable[RedisProfileCache]]


@pytest.fixture
async def join(server: RedisServer) -> AsyncIterator[Join]:
    """Makes a node's cache."""
    async with AsyncExitStack() as closing:

        async def make(settings: RedisCacheSettings = SETTINGS) -> RedisProfileCache:
            cache = made(server, settings)
            await cache.open()
            closing.push_async_callback(cache.close)
            return cache

        yield make


def made(server: RedisServer, settings: RedisCacheSettings = SETTINGS) -> RedisProfileCache:
    """A cache that is not opened yet."""
    bus = RedisBus(server.url, BUS, LoopClock(), "a node")
    return RedisProfileCache(bus, settings, LoopClock())


def ann(name: str) -> Profile:
    return Profile("ann", name, "", True, "everybody", False)


async def gone(cache: RedisProfileCache, uid: str = "ann") -> None:
    """Wait until somebody is not at hand."""

    async def is_gone() -> bool:
        return cache.peek(uid) is None

    await eventually(is_gone)


async def at_hand(cache: RedisProfileCache, profile: Profile) -> None:
    """Read it until it stays: while word of its change is on its way, what was read is not kept."""

    async def is_at_hand() -> bool:
        assert await cache.get(profile.uid) == profile
        return cache.peek(profile.uid) == profile

    await eventually(is_at_hand)


async def back(cache: RedisProfileCache) -> None:
    """Wait until the cache keeps again what is put into it."""

    async def keeps() -> bool:
        await cache.put(Profile("somebody", "", "", True, "everybody", False))
        await asyncio.sleep(2 * SETTINGS.outage_ttl_s)
        return cache.peek("somebody") is not None

    await eventually(keeps)


async def test_a_change_is_seen_on_every_node(join: Join) -> None:
    first, second = await join(), await join()
    await first.put(ann("old"))
    await at_hand(second, ann("old"))
    await first.put(ann("new"))
    await gone(second)
    assert await second.get("ann") == first.peek("ann") == ann("new")
    await second.drop("ann")
    await gone(first)
    assert await first.get("ann") is None


async def test_a_read_that_a_change_overtakes_is_not_kept(join: Join) -> None:
    writer, reader = await join(), await join()
    await writer.put(ann("old"))
    reading = asyncio.create_task(reader.get("ann"))
    await asyncio.sleep(0)  # it is on its way
    reader.published("profiles", b"bob ann")
    assert await reading == ann("old")
    assert reader.peek("ann") is None


async def test_a_read_that_crosses_a_put_of_the_same_node_leaves_what_was_put(join: Join) -> None:
    writer, node = await join(), await join()
    await writer.put(ann("old"))
    reading = asyncio.create_task(node.get("ann"))
    await asyncio.sleep(0)  # it is on its way
    await node.put(ann("new"))
    await reading
    await gone(writer)
    assert node.peek("ann") == await writer.get("ann") == ann("new")


async def test_two_nodes_that_save_and_read_at_once_end_with_what_the_store_has(
    join: Join,
) -> None:
    clock = LoopClock()
    store = MemoryStore(clock)
    await store.accounts.create(ann(""), "", 1)
    nodes = [Profiles(store.accounts, await join(), clock, open_mode=False) for _ in range(2)]
    for number in range(20):
        names = [f"{number} {place}" for place in range(len(nodes))]
        acts = [node.change("ann", {"name": name}) for node, name in zip(nodes, names, strict=True)]
        reads = [node.get("ann") for node in nodes * 3]
        await asyncio.gather(*acts, *reads)
        stored = await store.accounts.profile("ann")

        async def all_agree(stored: Profile | None = stored) -> bool:
            return [await node.get("ann") for node in nodes] == [stored] * 2

        await eventually(all_agree)


async def test_during_an_outage_a_profile_is_at_hand_for_a_moment_only(
    server: RedisServer, join: Join
) -> None:
    cache = await join()
    await cache.put(ann("before"))
    server.kill()
    await gone(cache)
    assert await cache.get("ann") is None
    await cache.put(ann("meanwhile"))
    assert cache.peek("ann") == ann("meanwhile")
    await gone(cache)
    server.start()
    await back(cache)
    await cache.put(ann("after"))
    assert await cache.get("ann") == ann("after")


async def test_what_could_not_be_changed_in_redis_is_forgotten_there_afterwards(
    server: RedisServer, join: Join
) -> None:
    first, second = await join(), await join()
    await first.put(ann("old"))
    server.pause()
    await gone(first)
    await first.put(ann("new"))
    server.resume()
    await back(second)

    async def is_forgotten() -> bool:
        return await second.get("ann") is None

    await eventually(is_forgotten)


async def test_what_was_changed_just_before_redis_was_lost_is_forgotten_there_afterwards(
    server: RedisServer, join: Join
) -> None:
    cache = await join()
    await cache.put(ann("new"))
    with redis.Redis(port=server.port) as admin:
        admin.set(KEY, msgspec.json.encode(ann("old")))  # as has one that takes its place
        for kind in ("normal", "pubsub"):
            admin.client_kill_filter(_type=kind, skipme=True)

        async def is_forgotten() -> bool:
            return admin.get(KEY) is None

        await eventually(is_forgotten)


async def test_a_redis_that_stands_still_costs_a_timeout_and_not_one_a_read(
    server: RedisServer, join: Join
) -> None:
    cache = await join()
    server.pause()
    begun = time.monotonic()
    for number in range(100):
        assert await cache.get(f"user{number}") is None
    assert time.monotonic() - begun < 2.0


async def test_a_profile_that_cannot_be_read_is_a_miss(server: RedisServer, join: Join) -> None:
    cache = await join()
    with redis.Redis(port=server.port) as admin:
        for value in (b"{}", b"\xff", b'{"uid": 1}'):
            admin.set(KEY, value)
            assert await cache.get("ann") is None


FULL = ("CONFIG", "SET", "maxmemory", "1")
"""There is no room: what would take some is refused, all else goes on."""
MAY_NOT_SET = ("ACL", "SETUSER", "default", "-set")


@pytest.mark.parametrize("refusal", [FULL, MAY_NOT_SET], ids=["full", "not allowed"])
async def test_a_change_that_redis_does_not_take_is_seen_on_every_node_at_once(
    server: RedisServer, join: Join, refusal: Sequence[str]
) -> None:
    first, second = [await join(replace(SETTINGS, repay_after_ms=60_000)) for _ in range(2)]
    await first.put(ann("old"))
    await at_hand(second, ann("old"))
    server.command(*refusal)
    await first.put(ann("new"))
    await gone(second)
    assert await second.get("ann") is None
    assert first.peek("ann") == ann("new")


async def test_a_change_that_redis_neither_takes_nor_forgets_is_made_up_for_once_it_does(
    server: RedisServer, join: Join
) -> None:
    first, second = await join(), await join()
    await first.put(ann("old"))
    await at_hand(second, ann("old"))
    server.command(*MAY_NOT_SET, "-del")
    await first.put(ann("new"))
    await gone(second)
    server.command("ACL", "SETUSER", "default", "+del")

    async def is_forgotten() -> bool:
        return await second.get("ann") is None

    await eventually(is_forgotten)


async def test_what_was_read_and_redis_does_not_take_is_told_to_nobody(
    server: RedisServer, join: Join
) -> None:
    first, second = await join(replace(SETTINGS, repay_after_ms=0)), await join()
    for profile in (ann(""), BOB):
        await second.put(profile)
    server.command(*FULL)
    await first.fill(ann(""))
    assert first.peek("ann") == ann("")
    server.command("CONFIG", "SET", "maxmemory", "0")
    for about in ("this comes after it", "and this after what would be made up for"):
        await at_hand(second, await second.get("bob") or BOB)
        await first.put(msgspec.structs.replace(BOB, about=about))
        await gone(second, "bob")
    assert second.peek("ann") == ann("")


async def test_redis_forgets_in_time(server: RedisServer, join: Join) -> None:
    cache = await join()
    await cache.put(ann("a"))
    with redis.Redis(port=server.port) as admin:
        assert 0 < admin.pttl(KEY) <= SETTINGS.ttl_s * 1000


async def test_a_redis_that_is_not_there_is_refused_when_it_is_opened() -> None:
    with RedisServer() as server:
        server.kill()
        cache = made(server)
        with pytest.raises(BusRefused):
            await cache.open()
        await cache.close()
