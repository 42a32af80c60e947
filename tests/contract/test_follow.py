"""The contract of `Follow`: what comes with an entry comes with it, once."""

from __future__ import annotations

import asyncio

import msgspec

from tests.contract.asking import create, depart, message, move, refer, send, to_pair
from webchat.model import Membership, Position, pair_conv, user_log
from webchat.ports.log import Append, Follow
from webchat.ports.positions import Move
from webchat.ports.store import Store


async def positions_in(store: Store, conv: str, *uids: str) -> list[Position | None]:
    found = await store.positions.of_members(conv, uids)
    return [found.get(uid) for uid in uids]


async def test_a_group_comes_with_its_members_and_their_user_logs(store: Store) -> None:
    outcome = await send(store, create("group_x", "ann", "bob", "cid"))
    assert [entry.conv for entry in outcome.followed] == ["user:ann", "user:bob", "user:cid"]
    assert await store.members.count("group_x") == 3
    assert await store.members.of_user("bob") == [Membership("group_x", "bob", 1, None, "")]
    assert await store.log.read(user_log("cid"), 0, 9) == [outcome.followed[2]]


async def test_two_first_messages_at_once_make_a_pair_once(store: Store) -> None:
    asked = [send(store, to_pair("ann", "bob", "1")), send(store, to_pair("bob", "ann", "1"))]
    first, second = await asyncio.gather(*asked)
    assert {entry.conv for entry in first.followed} == {"user:ann", "user:bob"}
    assert second.followed == ()
    conv = pair_conv("ann", "bob")
    assert await store.members.spans(conv, "ann") == [Membership(conv, "ann", 1, None, "")]
    assert len(await store.log.read(user_log("bob"), 0, 9)) == 1


async def test_notes_to_oneself_are_one_membership(store: Store) -> None:
    await send(store, to_pair("ann", "ann", "1"))
    assert await store.members.count("dm:ann:ann") == 1
    assert len(await store.log.read(user_log("ann"), 0, 9)) == 1


async def test_announcing_the_same_twice_is_heard_once(store: Store) -> None:
    span = Membership("group_x", "ann", 1, None, "")
    twice = Follow((span,), (("ann", "added"), ("ann", "added")))
    drafts = (message("ann", "1"),)
    outcome = await send(store, Append("group_x", drafts, is_membership=True, follow=twice))
    assert [entry.seq for entry in outcome.followed] == [1]


async def test_a_message_moves_its_sender(store: Store) -> None:
    await send(store, to_pair("ann", "bob", "1"))
    await send(store, to_pair("ann", "bob", "2"))
    conv = pair_conv("ann", "bob")
    assert await positions_in(store, conv, "ann", "bob") == [Position(2, 2, 2), Position(0, 0, 0)]


async def test_a_message_that_moves_nobody_moves_nobody(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, Append("group_x", (message("ann", "1"),)))
    assert await positions_in(store, "group_x", "ann") == [Position(0, 0, 0)]


async def test_a_message_met_again_moves_nobody(store: Store) -> None:
    await send(store, to_pair("ann", "bob", "1"))
    await send(store, to_pair("bob", "ann", "2"))
    await send(store, to_pair("ann", "bob", "1"))
    assert await positions_in(store, pair_conv("ann", "bob"), "ann") == [Position(1, 1, 1)]


async def test_what_came_before_coming_in_is_not_unread(store: Store) -> None:
    await send(store, create("group_x", "ann"))
    for number in range(3):
        await send(store, Append("group_x", (message("ann", str(number)),)))
    await send(store, refer("group_x", "ann", "bob"))
    assert await positions_in(store, "group_x", "bob") == [Position(4, 4, 3)]


async def test_one_who_comes_in_with_messages_behind_its_entry_has_them_unread(
    store: Store,
) -> None:
    span = Membership("group_x", "ann", 1, None, "")
    drafts = (message("ann", "1"), message("ann", "2"))
    request = Append("group_x", drafts, is_membership=True, follow=Follow((span,)))
    await send(store, request)
    assert await positions_in(store, "group_x", "ann") == [Position(0, 0, 0)]


async def test_what_follows_from_several_drafts_follows_from_the_first(store: Store) -> None:
    made = create("group_x", "ann", "bob", msg_id="c")
    request = msgspec.structs.replace(made, drafts=(*made.drafts, message("bob", "1")))
    first = await send(store, request)
    assert [entry.msg_id for entry in first.followed] == ["group_x:1", "group_x:1"]
    assert await store.members.spans("group_x", "bob") == [
        Membership("group_x", "bob", 1, None, "")
    ]
    assert await positions_in(store, "group_x", "bob") == [Position(0, 0, 0)]
    again = await send(store, request)
    assert (again.entries, again.followed) == (first.entries, first.followed)


async def test_leaving_closes_the_span_and_leaves_the_positions(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, Append("group_x", (message("ann", "1"),)))
    await move(store, Move("group_x", "bob", 2, 2))
    outcome = await send(store, depart("group_x", "bob", since=1))
    assert [entry.conv for entry in outcome.followed] == ["user:bob"]
    assert await store.members.spans("group_x", "bob") == [Membership("group_x", "bob", 1, 3, "")]
    assert await store.members.count("group_x") == 1
    assert await positions_in(store, "group_x", "bob") == [Position(2, 2, 1)]


async def test_coming_back_makes_a_second_span_and_moves_the_positions(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, depart("group_x", "bob", since=1))
    await send(store, Append("group_x", (message("ann", "1"),)))
    await send(store, refer("group_x", "ann", "bob"))
    assert await store.members.spans("group_x", "bob") == [
        Membership("group_x", "bob", 1, 2, ""),
        Membership("group_x", "bob", 4, None, ""),
    ]
    assert await positions_in(store, "group_x", "bob") == [Position(3, 3, 1)]
    assert await store.members.count("group_x") == 2
    states = [entry.msg_id for entry in await store.log.read(user_log("bob"), 0, 9)]
    assert states == ["group_x:1", "group_x:2", "group_x:4"]


async def test_opening_a_span_that_is_open_does_nothing(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, refer("group_x", "ann", "bob"))
    assert await store.members.spans("group_x", "bob") == [
        Membership("group_x", "bob", 1, None, "")
    ]
    assert await store.members.count("group_x") == 2
    assert await positions_in(store, "group_x", "bob") == [Position(0, 0, 0)]


async def test_a_refused_append_lets_nothing_follow(store: Store) -> None:
    await send(store, create("group_x", "ann"))
    asked = send(store, create("group_x", "bob", "cid"))
    await asyncio.gather(asked, return_exceptions=True)
    assert await store.members.of_user("bob") == []
    assert await store.log.read(user_log("cid"), 0, 9) == []
