"""Counts of large groups: what is stored while they are read is in them, and noted for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from msgspec.structs import replace

from tests.memory.clock import settle
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


class Slow(Stored):
    """Positions that take a while to be counted."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = asyncio.Event()

    async def counts(self, conv: str, author: str, seqs: Sequence[int]) -> Any:
        self.asked += 1
        await self.go_on.wait()
        return await super().counts(conv, author, seqs)


class Counting:
    """One who counts what is `stored`, and what it told."""

    def __init__(self, world: World, stored: Stored) -> None:
        store: Any = world.store
        store.positions = stored
        self.told: list[Counts] = []
        self.clock = world.clock
        self.tasks: list[asyncio.Task[None]] = []
        self.readers = ReadPositions(
            store, world.profiles, world.clock, self._spawn, self.told.append, ReceiptSettings()
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self.tasks.append(asyncio.ensure_future(work))

    async def pass_time(self, seconds: int = 1) -> None:
        for _ in range(seconds):
            self.clock.advance(1)
            await asyncio.gather(*self.tasks)

    @property
    def rows(self) -> list[tuple[tuple[int, int, int], ...]]:
        return [counts.rows for counts in self.told]


async def test_only_counts_that_changed_are_told(world: World) -> None:
    counting = Counting(world, stored := Stored())
    for stored.delivered in (5, 5, 6):
        counting.readers.count_later(G, [HELLO])
        await counting.pass_time()
    assert counting.rows == [((2, 5, 0),), ((2, 6, 0),)]


async def test_counts_that_were_not_heard_are_made_and_told_again(world: World) -> None:
    counting = Counting(world, Stored())
    counting.readers.count_later(G, [HELLO])
    for _ in range(2):
        await counting.pass_time()
        counting.readers.count_again(G, "ann", {2})
    assert counting.rows == [((2, 5, 0),)] * 2


async def test_counts_that_crossed_those_of_another_node_are_made_and_told_again(
    world: World,
) -> None:
    counting = Counting(world, stored := Stored())
    counting.readers.count_later(G, [HELLO])
    await counting.pass_time()
    counting.readers.heard(Counts("ann", G, ((2, 4, 0),)))  # counted before, and came after
    await counting.pass_time(10)
    assert counting.rows == [((2, 5, 0),)] * 2
    stored.delivered = 4  # somebody has left, long after
    counting.readers.heard(Counts("ann", G, ((2, 4, 0),)))
    await counting.pass_time(10)
    assert len(counting.rows) == 2


async def test_news_of_another_node_are_not_counted_here_too(world: World) -> None:
    counting = Counting(world, Stored())
    counting.readers.count_later(G, [HELLO])
    await counting.pass_time()
    counting.readers.heard(Counts("ann", G, ((2, 6, 0),)))
    await counting.pass_time(10)
    assert counting.rows == [((2, 5, 0),)]


async def test_while_counts_take_long_no_others_are_begun_and_none_is_forgotten(
    world: World,
) -> None:
    counting = Counting(world, stored := Slow())
    for _ in range(3):
        counting.readers.count_later(G, [HELLO])
        world.clock.advance(1)
        await asyncio.sleep(0)
    assert stored.asked == 1
    stored.go_on.set()
    await asyncio.gather(*counting.tasks)
    stored.delivered = 6
    await counting.pass_time()
    assert counting.rows == [((2, 5, 0),), ((2, 6, 0),)]


class OneByOne(Stored):
    """Positions of groups that are counted when they may; `asked`: for whom, in which group."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.may_go_on = asyncio.Semaphore(0)

    async def counts(self, conv: str, author: str, seqs: Sequence[int]) -> Any:
        self.asked.append((conv, author))
        await self.may_go_on.acquire()
        return await super().counts(conv, author, seqs)


async def test_a_group_of_many_authors_does_not_keep_those_of_another_waiting(
    world: World,
) -> None:
    counting = Counting(world, stored := OneByOne())
    authors = [f"a{number}" for number in range(9)]
    counting.readers.count_later(G, [replace(HELLO, sender=each) for each in authors])
    for seconds in (1, 2):
        counting.readers.count_later("group_2", [replace(HELLO, conv="group_2", seq=1 + seconds)])
        world.clock.advance(1)
        for _ in range(3):
            await settle()
            stored.may_go_on.release()
    await settle()
    assert len(stored.asked) == 7  # one at a time
    assert [author for conv, author in stored.asked if conv == "group_2"] == ["ann", "ann"]
    for _ in range(9):
        stored.may_go_on.release()
    await asyncio.gather(*counting.tasks)
    assert sorted({told.author for told in counting.told}) == [*authors, "ann"]
