"""The contract of `ports/following.py`: what a user follows, in one read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.asking import create, depart, message, refer, send, to_pair
from tests.memory import ManualClock
from webchat.model import NO_HEAD, ConvID, Entry, Membership, Seq, Uid, user_log
from webchat.ports.following import Activity, FollowingInTurn, Seen
from webchat.ports.log import Append, Appended
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


async def seen_by(
    store: Store, uid: Uid, before: Activity | None = None, limit: int = 9
) -> list[Seen]:
    """The newest conversations of a user, which are the same when they are read in turn."""
    found = list(await store.following.newest(uid, before, limit))
    in_turn = FollowingInTurn(store.log, store.members)
    assert found == list(await in_turn.newest(uid, before, limit))
    return found


def in_order(last: Mapping[ConvID, Appended]) -> list[tuple[ConvID, Entry]]:
    """Conversations and their last entries as a list shows them; a store may have its own clock."""
    entries = [appended.entries[-1] for appended in last.values()]
    entries.sort(key=lambda entry: (entry.at, entry.conv), reverse=True)
    return [(entry.conv, entry) for entry in entries]


def shown(found: Sequence[Seen]) -> list[tuple[ConvID, Entry]]:
    return [(seen.span.conv, seen.last) for seen in found]


async def test_the_conversation_with_the_newest_entry_comes_first(
    store: Store, clock: ManualClock
) -> None:
    last = {}
    for conv in ("group_x", "group_y", "group_z"):
        last[conv] = await send(store, create(conv, "ann", "bob"))
        clock.advance(1)
    last["group_y"] = await send(store, Append("group_y", (message("ann", "1"),)))
    assert shown(await seen_by(store, "bob")) == in_order(last)
    assert await seen_by(store, "cid") == []


async def test_what_was_left_is_seen_up_to_its_end(store: Store, clock: ManualClock) -> None:
    await send(store, create("group_x", "ann", "bob"))
    last = {"group_x": await send(store, depart("group_x", "bob", since=1))}
    clock.advance(1)
    last["pair"] = await send(store, to_pair("ann", "bob", "1"))
    clock.advance(1)
    for number in range(3):
        await send(store, Append("group_x", (message("ann", str(number)),)))
    found = await seen_by(store, "bob")
    assert shown(found) == in_order(last)
    assert Membership("group_x", "bob", 1, 2, "") in [seen.span for seen in found]
    last["group_x"] = await send(store, refer("group_x", "ann", "bob"))
    found = await seen_by(store, "bob")
    assert shown(found) == in_order(last)
    assert Membership("group_x", "bob", 6, None, "") in [seen.span for seen in found]


async def test_pages_go_on_below_a_place_by_time_then_by_conversation(
    store: Store, clock: ManualClock
) -> None:
    last: dict[ConvID, Appended] = {}
    for convs in (("group_b", "group_d"), ("group_c", "group_a", "group_e")):
        made = await asyncio.gather(*[send(store, create(conv, "ann", "bob")) for conv in convs])
        last.update(zip(convs, made, strict=True))
        clock.advance(1)
    last["group_a"] = await send(store, depart("group_a", "bob", since=1))
    expected = in_order(last)
    for limit in (1, 2, 5, 9):
        before, walked = None, list[Seen]()
        while page := await seen_by(store, "bob", before, limit):
            assert len(page) <= limit
            walked += page
            before = page[-1].activity
        assert shown(walked) == expected


async def test_a_place_need_not_be_that_of_a_conversation(store: Store) -> None:
    created = await send(store, create("group_b", "ann"))
    at = created.entries[0].at
    below = [Activity(0, "group_c"), Activity(at, "group_a"), Activity(at, "group_b")]
    above = [Activity(at, "group_c"), Activity(at + 1, "group_a"), Activity(10**30, "group_a")]
    for places, found in ((below, 0), (above, 1)):
        assert [len(await seen_by(store, "ann", place)) for place in places] == [found] * 3
    assert len(await seen_by(store, "ann", limit=10**30)) == 1


async def test_what_comes_while_pages_are_walked_goes_to_the_front(
    store: Store, clock: ManualClock
) -> None:
    last = {}
    for number in range(6):
        last[f"dm:ann:u{number}"] = await send(store, to_pair("ann", f"u{number}", "1"))
        clock.advance(1)
    first = await seen_by(store, "ann", None, 2)
    moved = in_order(last)[3][0]
    last[moved] = await send(store, to_pair("ann", moved[-2:], "2"))
    rest = await seen_by(store, "ann", first[-1].activity, 9)
    assert shown(first) + shown(rest) == [one for one in in_order(last) if one[0] != moved]
    assert shown(await seen_by(store, "ann")) == in_order(last)


@pytest.fixture
def numbers() -> count[int]:
    """For people and groups: all examples of a test share its store."""
    return count(1)


class Step(NamedTuple):
    """A message in group number `group`, or somebody leaves it or comes back; then time passes."""

    turns: bool
    group: int
    pause_ms: int


STEPS = st.lists(st.builds(Step, st.booleans(), st.integers(1, 4), st.integers(0, 1)), max_size=20)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, limit=st.integers(1, 5))
async def test_pages_tell_of_each_conversation_what_its_reader_saw_last(
    store: Store, clock: ManualClock, numbers: count[int], steps: list[Step], limit: int
) -> None:
    number = next(numbers)
    uid, last, since = f"bob{number}", dict[ConvID, Appended](), dict[ConvID, Seq]()
    for turns, group, pause_ms in steps:
        conv = f"group_{number}_{group}"
        if conv not in last:
            request = create(conv, "ann", uid)
        elif not turns:
            request = Append(conv, (message("ann", ""),))
        elif conv in since:
            request = depart(conv, uid, since[conv])
        else:
            request = refer(conv, "ann", uid)
        appended = await send(store, request)
        if conv not in last or conv in since or turns:
            last[conv] = appended
        if turns and conv in since:
            del since[conv]
        elif conv not in since and request.is_membership:
            since[conv] = appended.entries[0].seq
        clock.advance(pause_ms)
    before, walked = None, list[Seen]()
    while page := await seen_by(store, uid, before, limit):
        walked += page
        before = page[-1].activity
    assert shown(walked) == in_order(last)
    assert {seen.span.conv for seen in walked if seen.span.until is None} == set(since)
