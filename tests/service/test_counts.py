"""Counts of large groups: what is stored while they are read is in them, and noted for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from tests.service.world import World
from webchat.model import Entry
from webchat.service.read_positions import Counts, ReadPositions, ReceiptSettings

G = "group_1"
HELLO = Entry(G, 2, 1, 0, "message", "ann", "m", b"{}")


class Stored:
    """Positions that `delivered` others have."""

    delivered = 5

    async def counts(self, conv: str, author: str, seqs: Sequence[int]) -> Any:
        return dict.fromkeys(seqs, (self.delivered, 0))


async def test_only_counts_that_changed_are_told(world: World) -> None:
    tasks: list[asyncio.Task[None]] = []

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.ensure_future(work))

    store: Any = world.store
    store.positions = stored = Stored()
    told: list[Counts] = []
    readers = ReadPositions(
        store, world.profiles, world.clock, spawn, told.append, ReceiptSettings()
    )
    for stored.delivered in (5, 5, 6):
        readers.count_later(G, [HELLO])
        world.clock.advance(1)
        await asyncio.gather(*tasks)
    assert [counts.rows for counts in told] == [((2, 5, 0),), ((2, 6, 0),)]


async def test_counts_that_were_not_heard_are_made_and_told_again(world: World) -> None:
    tasks: list[asyncio.Task[None]] = []

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.ensure_future(work))

    store: Any = world.store
    store.positions = Stored()
    told: list[Counts] = []
    readers = ReadPositions(
        store, world.profiles, world.clock, spawn, told.append, ReceiptSettings()
    )
    readers.count_later(G, [HELLO])
    for _ in range(2):
        world.clock.advance(1)
        await asyncio.gather(*tasks)
        readers.count_again(G, "ann", {2})
    assert [counts.rows for counts in told] == [((2, 5, 0),)] * 2


class Slow(Stored):
    """Positions that take a while to be counted."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = asyncio.Event()

    async def counts(self, conv: str, author: str, seqs: Sequence[int]) -> Any:
        self.asked += 1
        await self.go_on.wait()
        return await super().counts(conv, author, seqs)


async def test_while_counts_take_long_no_others_are_begun_and_none_is_forgotten(
    world: World,
) -> None:
    tasks: list[asyncio.Task[None]] = []

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        tasks.append(asyncio.ensure_future(work))

    store: Any = world.store
    store.positions = stored = Slow()
    told: list[Counts] = []
    readers = ReadPositions(
        store, world.profiles, world.clock, spawn, told.append, ReceiptSettings()
    )
    for _ in range(3):
        readers.count_later(G, [HELLO])
        world.clock.advance(1)
        await asyncio.sleep(0)
    assert stored.asked == 1
    stored.go_on.set()
    await asyncio.gather(*tasks)
    stored.delivered = 6
    world.clock.advance(1)
    await asyncio.gather(*tasks)
    assert [counts.rows for counts in told] == [((2, 5, 0),), ((2, 6, 0),)]
