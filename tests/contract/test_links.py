"""The contract of `ports/links.py`: invite links, found by the hash of their code."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from tests.contract.conftest import NO_LOGS
from webchat.model import InviteLink
from webchat.ports.links import VISITS
from webchat.ports.store import Store

pytestmark = NO_LOGS

NOW: Final = 1_750_000_000_000
LINK: Final = InviteLink("l-1", "group_x", "ann", NOW + 1_000, None)


def link(link_id: str, **more: object) -> InviteLink:
    return msgspec.structs.replace(LINK, id=link_id, **more)


async def uses_of(store: Store, code_hash: bytes) -> int | None:
    found = await store.links.find(code_hash)
    assert found is not None
    return found.uses


async def test_a_link_is_found_by_the_hash_of_its_code(store: Store) -> None:
    await store.links.add(b"1", LINK, 50, NOW)
    await store.links.add(b"2", link("l-2", uses=3), 50, NOW)
    assert await store.links.find(b"1") == LINK
    assert await store.links.find(b"2") == link("l-2", uses=3)
    assert await store.links.find(b"3") is None


async def test_the_links_of_a_group_are_those_that_have_not_expired(store: Store) -> None:
    await store.links.add(b"1", link("l-1", expires_at=NOW + 3), 50, NOW)
    await store.links.add(b"2", link("l-3", expires_at=NOW + 2), 50, NOW)
    await store.links.add(b"3", link("l-2", expires_at=NOW + 2, uses=0), 50, NOW)
    await store.links.add(b"4", link("l-4", conv="group_y"), 50, NOW)
    assert [each.id for each in await store.links.of_group("group_x", NOW)] == [
        "l-2", "l-3", "l-1"
    ]  # fmt: skip
    assert [each.id for each in await store.links.of_group("group_x", NOW + 2)] == ["l-1"]
    assert await store.links.of_group("group_z", NOW) == []


async def test_a_link_is_used_up(store: Store) -> None:
    await store.links.add(b"1", link("l-1", uses=2), 50, NOW)
    assert [await store.links.use("l-1", f"v-{n}") for n in range(3)] == [True, True, False]
    assert await uses_of(store, b"1") == 0
    await store.links.give_back("l-1", "v-1")
    assert await uses_of(store, b"1") == 1
    assert await store.links.use("l-1", "v-2")


async def test_a_visit_uses_a_link_once_however_often_it_asks(store: Store) -> None:
    await store.links.add(b"1", link("l-1", uses=2), 50, NOW)
    asked = [store.links.use("l-1", "v-1") for _ in range(3)]
    assert await asyncio.gather(*asked) == [True, True, True]
    assert await uses_of(store, b"1") == 1
    assert await store.links.use("l-1", "v-2")
    assert await store.links.use("l-1", "v-1")
    for _ in range(2):
        await store.links.give_back("l-1", "v-1")
    await store.links.give_back("l-1", "v-3")
    assert await uses_of(store, b"1") == 1


async def test_the_newest_visits_of_a_link_are_remembered(store: Store) -> None:
    await store.links.add(b"1", link("l-1", uses=VISITS + 2), 50, NOW)
    for number in range(VISITS + 1):
        assert await store.links.use("l-1", f"v-{number}")
    for number in range(1, VISITS + 1):
        assert await store.links.use("l-1", f"v-{number}")
    assert await uses_of(store, b"1") == 1


async def test_of_older_visits_of_a_link_nothing_is_kept(store: Store) -> None:
    await store.links.add(b"1", link("l-1", uses=VISITS + 2), 50, NOW)
    for number in range(VISITS + 1):
        assert await store.links.use("l-1", str(number))
    await store.links.give_back("l-1", "0")
    assert await uses_of(store, b"1") == 1


async def test_a_link_without_a_limit_is_never_used_up(store: Store) -> None:
    await store.links.add(b"1", LINK, 50, NOW)
    assert [await store.links.use("l-1", f"v-{n}") for n in range(3)] == [True, True, True]
    await store.links.give_back("l-1", "v-1")
    assert await uses_of(store, b"1") is None


async def test_a_group_has_so_many_links_that_have_not_expired(store: Store) -> None:
    assert await store.links.add(b"1", link("l-1", expires_at=NOW + 1), 2, NOW)
    assert await store.links.add(b"2", link("l-2"), 2, NOW)
    assert await store.links.add(b"3", link("l-3", conv="group_y"), 2, NOW)
    assert not await store.links.add(b"4", link("l-4"), 2, NOW)
    assert await store.links.find(b"4") is None
    assert [each.id for each in await store.links.of_group("group_x", NOW)] == ["l-1", "l-2"]
    assert await store.links.add(b"5", link("l-5"), 2, NOW + 1)
    await store.links.revoke("group_x", "l-2")
    assert await store.links.add(b"6", link("l-6"), 2, NOW + 1)
    assert not await store.links.add(b"7", link("l-7"), 2, NOW + 1)


async def test_of_links_that_are_added_at_once_no_more_are_kept_than_a_group_may_have(
    store: Store,
) -> None:
    links = [store.links.add(b"%d" % n, link(f"l-{n}"), 2, NOW) for n in range(5)]
    assert sorted(await asyncio.gather(*links)) == [False, False, False, True, True]
    assert len(await store.links.of_group("group_x", NOW)) == 2


async def test_a_revoked_link_is_gone(store: Store) -> None:
    await store.links.add(b"1", LINK, 50, NOW)
    assert not await store.links.revoke("group_y", "l-1")
    assert not await store.links.revoke("group_x", "l-9")
    assert await store.links.revoke("group_x", "l-1")
    assert not await store.links.revoke("group_x", "l-1")
    assert await store.links.find(b"1") is None
    assert not await store.links.use("l-1", "v-1")
    await store.links.give_back("l-1", "v-1")


async def test_what_has_expired_is_dropped(store: Store) -> None:
    await store.links.add(b"1", link("l-1", expires_at=NOW), 50, NOW)
    await store.links.add(b"2", link("l-2", expires_at=NOW + 1), 50, NOW)
    await store.links.forget_expired(NOW)
    assert await store.links.find(b"1") is None
    assert await store.links.find(b"2") is not None
