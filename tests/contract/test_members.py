"""The contract of `ports/members.py`: reading who is and was where."""

from __future__ import annotations

from tests.contract.asking import create, depart, refer, send, to_pair
from webchat.model import Membership, user_log
from webchat.ports.store import Store


async def test_a_user_has_the_newest_span_of_each_conversation(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, create("group_y", "bob", "cid"))
    await send(store, depart("group_x", "bob", since=1))
    await send(store, refer("group_x", "ann", "bob"))
    await send(store, depart("group_y", "bob", since=1))
    await send(store, to_pair("bob", "dan", "1"))
    found = sorted(await store.members.of_user("bob"), key=lambda span: span.conv)
    assert found == [
        Membership("dm:bob:dan", "bob", 1, None, ""),
        Membership("group_x", "bob", 3, None, ""),
        Membership("group_y", "bob", 1, 2, ""),
    ]


async def test_nobody_was_anywhere_in_an_empty_store(store: Store) -> None:
    assert await store.members.of_user("ann") == []
    assert await store.members.spans("group_x", "ann") == []
    assert await store.members.page("group_x", "", 10) == []
    assert await store.members.count("group_x") == 0


async def test_pages_hold_present_members_by_uid(store: Store) -> None:
    uids = ["Zoe", "ann", "bob", "cid", "dan"]
    await send(store, create("group_x", *reversed(uids)))
    await send(store, depart("group_x", "bob", since=1))
    first = await store.members.page("group_x", "", 2)
    assert [span.uid for span in first] == ["Zoe", "ann"]
    second = await store.members.page("group_x", "ann", 2)
    assert [span.uid for span in second] == ["cid", "dan"]
    assert await store.members.page("group_x", "dan", 2) == []


async def test_a_large_group_comes_whole_and_is_paged_through(store: Store) -> None:
    uids = [f"user{number:04}" for number in range(350)]
    outcome = await send(store, create("group_x", *uids))
    assert [entry.conv for entry in outcome.followed] == [user_log(uid) for uid in uids]
    assert await store.members.count("group_x") == 350
    assert await store.members.at("group_x", 1, 3) == (uids[:3], 350)
    found: list[str] = []
    while page := await store.members.page("group_x", found[-1] if found else "", 150):
        found += [span.uid for span in page]
    assert found == uids


async def test_members_as_of_an_entry_are_those_who_were_in_then(store: Store) -> None:
    await send(store, create("group_x", "dan", "ann"))
    await send(store, refer("group_x", "ann", "cid", "bob"))
    await send(store, depart("group_x", "ann", since=1))
    await send(store, refer("group_x", "dan", "ann"))
    at = [await store.members.at("group_x", seq, 9) for seq in range(6)]
    assert at == [
        ([], 0),
        (["ann", "dan"], 2),
        (["ann", "dan", "bob", "cid"], 4),
        (["dan", "bob", "cid"], 3),
        (["dan", "bob", "cid", "ann"], 4),
        (["dan", "bob", "cid", "ann"], 4),
    ]


async def test_nobody_is_in_a_group_that_does_not_exist(store: Store) -> None:
    assert await store.members.at("group_none", 1, 9) == ([], 0)


async def test_those_of_many_who_are_members_now(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob", "cid"))
    await send(store, create("group_y", "dan"))
    await send(store, depart("group_x", "bob", since=1))
    asked = ["cid", "bob", "ann", "dan", "eve", "ann"]
    assert await store.members.present_among("group_x", asked) == {
        uid: Membership("group_x", uid, 1, None, "") for uid in ("ann", "cid")
    }
    await send(store, refer("group_x", "ann", "bob"))
    (span,) = (await store.members.present_among("group_x", ["bob"])).values()
    assert span == Membership("group_x", "bob", 3, None, "")
    assert await store.members.present_among("group_x", []) == {}
    assert await store.members.present_among("group_none", asked) == {}
