"""The contract of `ports/following.py`: what a user follows, in one read."""

from __future__ import annotations

from tests.contract.asking import create, depart, refer, send, to_pair
from webchat.model import NO_HEAD, Membership, user_log
from webchat.ports.following import FollowingInTurn
from webchat.ports.store import Store


async def test_a_user_follows_what_it_is_in_and_its_own_log(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, create("group_y", "bob", "cid"))
    await send(store, depart("group_y", "bob", since=1))
    await send(store, to_pair("bob", "dan", "1"))
    own, pair = user_log("bob"), "dm:bob:dan"
    found = await store.following.of("bob")
    assert sorted(found.memberships, key=lambda span: span.conv) == [
        Membership(pair, "bob", 1, None, ""),
        Membership("group_x", "bob", 1, None, ""),
        Membership("group_y", "bob", 1, 2, ""),
    ]
    assert found.heads == await store.log.heads([pair, "group_x", own])
    assert found.own == found.heads[own]


async def test_of_times_in_a_group_the_newest_counts(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, depart("group_x", "bob", since=1))
    await send(store, refer("group_x", "ann", "bob"))
    found = await store.following.of("bob")
    assert found.memberships == [Membership("group_x", "bob", 3, None, "")]
    assert found.heads["group_x"].last == 3


async def test_what_came_to_old_logs_is_seen_at_once(store: Store) -> None:
    await send(store, to_pair("ann", "bob", "1"))
    await store.following.of("ann")
    await send(store, to_pair("ann", "bob", "2"))
    await send(store, to_pair("ann", "cid", "3"))
    found = await store.following.of("ann")
    assert found.heads["dm:ann:bob"].last == 2
    assert found.own.last == 2


async def test_nobody_follows_anything_in_an_empty_store(store: Store) -> None:
    found = await store.following.of("ann")
    assert (list(found.memberships), dict(found.heads), found.own) == ([], {}, NO_HEAD)


async def test_read_in_turn_it_is_the_same(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, to_pair("ann", "bob", "1"))
    at_once = await store.following.of("ann")
    in_turn = await FollowingInTurn(store.log, store.members).of("ann")
    assert sorted(at_once.memberships, key=lambda span: span.conv) == sorted(
        in_turn.memberships, key=lambda span: span.conv
    )
    assert (at_once.heads, at_once.own) == (in_turn.heads, in_turn.own)
