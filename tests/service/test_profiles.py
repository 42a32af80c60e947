"""Profiles: write-through, who is known, and what open mode makes of strangers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from tests.memory import ManualClock, MemoryStore
from tests.memory.people import MemoryAccounts
from tests.profiles import save_profile
from tests.service.late import answers_late
from tests.service.world import World, code_of
from webchat.adapters.memory import MemoryProfileCache
from webchat.errors import Code, WebchatError
from webchat.model import Profile, Uid
from webchat.ports.accounts import Changed
from webchat.service.accounts import ProfileChange
from webchat.service.profiles import Profiles, new_profile


class SlowCache(MemoryProfileCache):
    """Takes a while to put: the first put is as late as the test wants."""

    def __init__(self, *, is_shared: bool) -> None:
        super().__init__()
        self.is_shared = is_shared
        self.first_may_go_on = asyncio.Event()
        self._puts = 0

    async def put(self, profile: Profile) -> None:
        self._puts += 1
        if self._puts == 1:
            await self.first_may_go_on.wait()
        await super().put(profile)


class DiesAfterSave(MemoryAccounts):
    """Accounts whose store takes the first save and then answers no more."""

    def __init__(self) -> None:
        super().__init__(self._check_up_for_test)
        self.dies = False
        self.is_down = False

    async def change_profile(
        self, uid: Uid, fields: Mapping[str, object], at: int, make: Profile | None = None
    ) -> Changed | None:
        changed = await super().change_profile(uid, fields, at, make)
        self.is_down = self.dies
        return changed

    def _check_up_for_test(self) -> None:
        if self.is_down:
            raise WebchatError(Code.UNAVAILABLE, "the store is not answering")


async def test_a_saved_profile_is_in_the_store_and_at_hand(world: World) -> None:
    profile = new_profile("ann", "Ann")
    await world.store.accounts.create(new_profile("ann", "First"), "", 1)
    await world.profiles.change("ann", {"name": "Ann"})
    assert world.profiles.peek("ann") == profile
    assert await world.store.accounts.profile("ann") == profile


async def test_a_profile_comes_from_the_cache_while_the_store_is_down(world: World) -> None:
    await world.profile_of("ann")
    world.store.is_down = True
    assert (await world.profiles.get("ann")) is not None
    assert await code_of(world.profiles.get("ben")) is Code.UNAVAILABLE


async def test_nobody_is_not_remembered_as_nobody(world: World) -> None:
    assert await world.profiles.get("ann") is None
    await world.store.accounts.create(new_profile("ann", "Ann"), "", 1)
    assert await world.profiles.get("ann") == new_profile("ann", "Ann")


async def test_the_cache_ends_with_the_last_of_two_saves_at_once() -> None:
    clock = ManualClock()
    store, cache = MemoryStore(clock), SlowCache(is_shared=True)
    here = Profiles(store.accounts, cache, clock, open_mode=False)
    there = Profiles(store.accounts, cache, clock, open_mode=False)
    await store.accounts.create(new_profile("ann", "Ann"), "", 1)
    first = asyncio.ensure_future(here.change("ann", {"name": "First"}))
    await asyncio.sleep(0)
    await there.change("ann", {"name": "Second"})
    cache.first_may_go_on.set()
    await first
    assert await here.get("ann") == new_profile("ann", "Second")


@pytest.mark.parametrize("is_shared", [False, True])
async def test_the_cache_ends_with_a_save_that_overtook_a_read(*, is_shared: bool) -> None:
    clock = ManualClock()
    store, cache = MemoryStore(clock), SlowCache(is_shared=is_shared)
    await store.accounts.create(new_profile("ann", "First"), "", 1)
    profiles = Profiles(store.accounts, cache, clock, open_mode=False)
    reading = asyncio.ensure_future(profiles.get("ann"))
    await asyncio.sleep(0)
    await profiles.change("ann", {"name": "Second"})
    cache.first_may_go_on.set()
    await reading
    assert await profiles.get("ann") == new_profile("ann", "Second")


async def test_a_store_that_dies_after_a_save_leaves_nothing_old_in_the_cache() -> None:
    accounts = DiesAfterSave()
    profiles = Profiles(accounts, MemoryProfileCache(), ManualClock(), open_mode=False)
    await accounts.create(new_profile("ann", "First"), "", 1)
    accounts.dies = True
    await profiles.change("ann", {"name": "Second"})
    assert profiles.peek("ann") is None
    accounts.is_down = False
    assert await profiles.get("ann") == new_profile("ann", "Second")


@pytest.mark.parametrize("how", ["the store does not answer", "nobody waits any more"])
async def test_a_read_that_a_save_overtook_leaves_nothing_old_if_it_cannot_look_again(
    how: str,
) -> None:
    clock = ManualClock()
    store, cache = MemoryStore(clock), SlowCache(is_shared=True)
    await store.accounts.create(new_profile("ann", "First"), "", 1)
    here = Profiles(store.accounts, cache, clock, open_mode=False)
    there = Profiles(store.accounts, cache, clock, open_mode=False)
    reading = asyncio.ensure_future(here.get("ann"))
    await asyncio.sleep(0)
    await there.change("ann", {"display_receipts": False})
    if how == "the store does not answer":
        store.is_down = True
        cache.first_may_go_on.set()
        assert await code_of(reading) is Code.UNAVAILABLE
    else:
        answers_late(store.accounts)
        cache.first_may_go_on.set()
        for _ in range(3):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    store.is_down = False
    assert await there.hiding(["ann"]) == {"ann"}


async def test_the_unknown_and_the_disabled_are_told_apart_from_the_known(world: World) -> None:
    uids = [f"uid{number}" for number in range(100)]
    for uid in uids:
        await world.profile_of(uid)
    await world.profile_of("gone")
    await world.administration.disable("gone")
    await world.profiles.forget("gone")
    asked = ["nobody", *uids, "gone", "group_x", "a b"]
    assert await world.profiles.unknown_among(asked) == ["nobody", "gone", "group_x", "a b"]


async def test_in_open_mode_every_well_formed_uid_is_known_at_once(open_world: World) -> None:
    profiles = open_world.profiles
    assert profiles.peek("stranger") == new_profile("stranger", "stranger")
    assert await profiles.get("stranger") == new_profile("stranger", "stranger")
    assert profiles.peek("group_x") is None
    assert await profiles.get("a b") is None
    assert await profiles.unknown_among(["stranger", "group_x"]) == ["group_x"]


async def test_a_saved_profile_is_found_in_open_mode_too(open_world: World) -> None:
    await open_world.profiles.change("ann", {"name": "Ann"})
    await open_world.profiles.forget("ann")
    assert await open_world.profiles.get("ann") == new_profile("ann", "Ann")


async def test_a_change_beside_this_process_is_seen_once_it_is_told(world: World) -> None:
    await world.profile_of("ann")
    changed = msgspec.structs.replace(new_profile("ann", "Ann"), disabled=True)
    await save_profile(world.store.accounts, changed)
    assert world.profiles.peek("ann") != changed
    await world.profiles.forget("ann")
    assert await world.profiles.get("ann") == changed


async def test_the_recent_are_the_last_joined_and_then_the_last_added(open_world: World) -> None:
    profiles = open_world.profiles
    for number in range(12):
        await profiles.change(f"added{number}", {"name": "Added"})
    for uid in ["joined1", "added3", "joined2", "joined1"]:
        profiles.note_recent(uid)
    recent = [profile.uid for profile in await profiles.recent()]
    assert recent == ["joined1", "joined2", "added3", *(f"added{n}" for n in range(11, 4, -1))]


async def test_of_many_who_join_only_the_last_few_are_remembered(open_world: World) -> None:
    for number in range(1_000):
        open_world.profiles.note_recent(f"uid{number}")
    recent = [profile.uid for profile in await open_world.profiles.recent()]
    assert recent == [f"uid{number}" for number in range(999, 989, -1)]


async def test_who_is_heard_of_elsewhere_has_the_place_of_its_time(open_world: World) -> None:
    profiles, clock = open_world.profiles, open_world.clock
    for number in range(10):
        clock.advance(1)
        profiles.note_recent(f"uid{number}")
    now_ms = clock.now_ms()
    profiles.heard_recent([("new", now_ms + 1), ("uid9", 0), ("uid2", now_ms - 1_500)])
    recent = [profile.uid for profile in await profiles.recent()]
    assert recent == ["new", "uid9", "uid8", "uid2", *(f"uid{n}" for n in (7, 6, 5, 4, 3, 1))]


async def test_a_new_name_and_a_change_at_once_do_not_undo_each_other(open_world: World) -> None:
    await open_world.profile_of("ann")
    answers_late(open_world.store.accounts)
    await asyncio.gather(
        open_world.profiles.rename("ann", "Anna"),
        open_world.accounts.change("ann", ProfileChange(display_receipts=False)),
    )
    kept = await open_world.store.accounts.profile("ann")
    assert kept is not None
    assert (kept.name, kept.display_receipts) == ("Anna", False)


async def test_a_new_name_leaves_what_the_store_has_and_the_cache_does_not(
    open_world: World,
) -> None:
    await open_world.profile_of("ann")
    changed = msgspec.structs.replace(new_profile("ann", "Ann"), about="changed elsewhere")
    await save_profile(open_world.store.accounts, changed)
    renamed = await open_world.profiles.rename("ann", "Anna")
    assert renamed == msgspec.structs.replace(changed, name="Anna")
    assert await open_world.store.accounts.profile("ann") == renamed


async def test_a_name_makes_an_account_in_open_mode_alone(world: World, open_world: World) -> None:
    assert await open_world.profiles.rename("ann", " Anna ") == new_profile("ann", "Anna")
    assert await open_world.store.accounts.profile("ann") == new_profile("ann", "Anna")
    assert await code_of(open_world.profiles.rename("a b", "Anna")) is Code.BAD_REQUEST
    assert await code_of(open_world.profiles.rename("ann", "")) is Code.BAD_REQUEST
    assert await code_of(world.profiles.rename("ann", "Anna")) is Code.UNKNOWN_USER
