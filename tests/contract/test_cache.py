"""The contract of `ports/cache.py`."""

from __future__ import annotations

from webchat.adapters.memory import MemoryProfileCache
from webchat.model import Profile


def person(uid: str, name: str = "") -> Profile:
    return Profile(uid, name, "", True, "everybody", False)


async def test_what_was_put_is_there_until_it_is_dropped() -> None:
    cache = MemoryProfileCache()
    await cache.put(person("ann", "old"))
    await cache.put(person("ann", "new"))
    assert cache.peek("ann") == await cache.get("ann") == person("ann", "new")
    await cache.drop("ann")
    await cache.drop("ann")
    assert cache.peek("ann") is None
    assert await cache.get("ann") is None


async def test_beyond_the_bound_the_least_recently_used_goes() -> None:
    cache = MemoryProfileCache(max_profiles=2)
    await cache.put(person("ann"))
    await cache.put(person("bob"))
    await cache.get("ann")
    await cache.put(person("cid"))
    assert [cache.peek(uid) is not None for uid in ("ann", "bob", "cid")] == [True, False, True]
