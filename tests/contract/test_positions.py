"""The contract of `ports/positions.py`."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.contract.asking import create, depart, message, move, refer, send
from tests.profiles import save_profile
from webchat.model import NO_POSITION, Position, Profile
from webchat.ports.log import Append
from webchat.ports.positions import Move, Moved
from webchat.ports.store import Store


@pytest.fixture
async def group(store: Store) -> str:
    """`create`, then messages at Seq 2 to 6."""
    await send(store, create("group_x", "ann", "bob"))
    for number in range(5):
        await send(store, Append("group_x", (message("ann", str(number)),)))
    return "group_x"


async def test_positions_move_forward_and_tell_before_and_after(store: Store, group: str) -> None:
    moved = await move(store, Move(group, "bob", 4, 0), Move(group, "bob", 0, 3))
    assert moved == [
        Moved(group, "bob", Position(0, 0, 0), Position(4, 0, 0)),
        Moved(group, "bob", Position(4, 0, 0), Position(4, 3, 2)),
    ]
    assert await store.positions.of_user("bob", [group]) == {group: Position(4, 3, 2)}


async def test_a_display_implies_the_delivery(store: Store, group: str) -> None:
    (moved,) = await move(store, Move(group, "bob", 0, 5))
    assert moved.after == Position(5, 5, 4)


async def test_positions_never_go_back(store: Store, group: str) -> None:
    await move(store, Move(group, "bob", 5, 4))
    (moved,) = await move(store, Move(group, "bob", 2, 1))
    assert moved.before == moved.after == Position(5, 4, 3)


async def test_beyond_the_last_counts_as_the_last(store: Store, group: str) -> None:
    (moved,) = await move(store, Move(group, "bob", 10**30, 10**30))
    assert moved.after == Position(6, 6, 5)


async def test_a_move_in_a_log_that_does_not_exist_does_nothing(store: Store) -> None:
    (moved,) = await move(store, Move("group_none", "bob", 3, 3))
    assert moved == Moved("group_none", "bob", NO_POSITION, NO_POSITION)
    assert await store.positions.of_user("bob", ["group_none"]) == {}


async def test_a_move_queued_after_an_append_sees_its_entry(store: Store, group: str) -> None:
    asked = send(store, Append(group, (message("ann", "new"),)))
    moved = await move(store, Move(group, "bob", 7, 7))
    assert moved[0].after == Position(7, 7, 6)
    assert (await asked).entries[0].seq == 7


async def test_a_move_queued_before_an_append_is_kept_whatever_else_moves(
    store: Store, group: str
) -> None:
    others = [f"group_{number}" for number in range(5)]
    for conv in others:
        await send(store, create(conv, "ann", "bob"))
    moves = [Move(conv, "bob", 1, 1) for conv in others]
    moving = asyncio.create_task(move(store, *moves, Move(group, "bob", 6, 6)))
    await asyncio.sleep(0)  # it is queued
    sent = await send(store, Append(group, (message("ann", "new"),)))
    await moving
    assert sent.entries[0].seq == 7
    places = {**dict.fromkeys(others, Position(1, 1, 0)), group: Position(6, 6, 5)}
    assert await store.positions.of_user("bob", [group, *others]) == places


async def test_moves_of_several_members_and_logs_are_one_write(store: Store, group: str) -> None:
    await send(store, create("group_y", "bob", "cid"))
    moved = await move(
        store, Move(group, "ann", 2, 2), Move(group, "bob", 3, 0), Move("group_y", "bob", 1, 1)
    )
    assert [one.after for one in moved] == [
        Position(2, 2, 1), Position(3, 0, 0), Position(1, 1, 0)
    ]  # fmt: skip
    assert await store.positions.of_user("bob", ["group_y", group, "group_none"]) == {
        group: Position(3, 0, 0),
        "group_y": Position(1, 1, 0),
    }
    assert await store.positions.of_members(group, ["ann", "bob", "cid"]) == {
        "ann": Position(2, 2, 1),
        "bob": Position(3, 0, 0),
    }


async def test_no_moves_are_done_too(store: Store) -> None:
    assert await asyncio.wait_for(move(store), timeout=10) == []


async def test_moves_are_told_in_the_order_in_which_they_were_queued(
    store: Store, group: str
) -> None:
    asked = [
        asyncio.create_task(move(store, *moves))
        for moves in ([Move(group, "bob", 4, 0)], [Move(group, "bob", 5, 0)], [])
    ]
    assert await asked[-1] == []
    assert all(each.done() for each in asked)
    assert [one.after.delivered for one in await asked[0]] == [4]
    assert [one.before.delivered for one in await asked[1]] == [4]


async def test_own_messages_tell_where_each_sender_was_however_many_send(store: Store) -> None:
    uids = [f"u{number}" for number in range(12)]
    await send(store, create("group_y", *uids))
    was = dict.fromkeys(uids, 0)
    for time in range(4):
        requests = [
            Append("group_y", (message(uid, f"m{time}"),), moves_sender=True) for uid in uids[time:]
        ]
        for done in await asyncio.gather(*[send(store, request) for request in requests]):
            moved, (entry,) = done.moved, done.entries
            assert moved is not None
            assert (moved.before.displayed, moved.after.displayed) == (was[moved.uid], entry.seq)
            was[moved.uid] = entry.seq


async def test_counts_tell_how_many_others_have_an_entry(store: Store, group: str) -> None:
    await send(store, refer(group, "ann", "cid"))
    await send(store, Append(group, (message("ann", "last"),), moves_sender=True))
    await move(store, Move(group, "bob", 8, 3), Move(group, "cid", 8, 8))
    counts = await store.positions.counts(group, "ann", [2, 4, 8, 9, 2])
    assert counts == {2: (1, 1), 4: (1, 0), 8: (2, 1), 9: (0, 0)}


async def test_who_came_in_with_an_entry_or_later_does_not_count_for_it(
    store: Store, group: str
) -> None:
    await send(store, refer(group, "ann", "cid"))
    await move(store, Move(group, "cid", 7, 7))
    counts = await store.positions.counts(group, "ann", [1, 6, 7])
    assert counts == {1: (0, 0), 6: (0, 0), 7: (0, 0)}


async def test_who_left_does_not_count_and_who_came_back_counts_from_then(
    store: Store, group: str
) -> None:
    await move(store, Move(group, "bob", 6, 6))
    await send(store, depart(group, "bob", since=1))
    assert await store.positions.counts(group, "ann", [2]) == {2: (0, 0)}
    await send(store, refer(group, "ann", "bob"))
    await send(store, Append(group, (message("ann", "last"),)))
    await move(store, Move(group, "bob", 9, 0))
    assert await store.positions.counts(group, "ann", [2, 9]) == {2: (0, 0), 9: (1, 0)}


async def test_who_hides_its_display_counts_as_delivered_until_it_shows_it(
    store: Store, group: str
) -> None:
    await move(store, Move(group, "bob", 6, 6))
    profile = Profile("bob", "Bob", "", False, "everybody", False)
    await save_profile(store.accounts, profile, 1)
    assert await store.positions.counts(group, "ann", [2]) == {2: (1, 0)}
    shown = msgspec.structs.replace(profile, display_receipts=True)
    await save_profile(store.accounts, shown, 2)
    assert await store.positions.counts(group, "ann", [2]) == {2: (1, 1)}


async def test_nobody_has_what_does_not_exist(store: Store, group: str) -> None:
    assert await store.positions.counts("group_none", "ann", [1]) == {1: (0, 0)}
    assert await store.positions.counts(group, "ann", [-1, 0, 2**70]) == {
        -1: (0, 0), 0: (0, 0), 2**70: (0, 0)
    }  # fmt: skip
    assert await store.positions.counts(group, "ann", []) == {}
