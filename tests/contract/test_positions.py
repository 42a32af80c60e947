"""The contract of `ports/positions.py`."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.asking import create, message, move, send
from webchat.model import NO_POSITION, Position
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
