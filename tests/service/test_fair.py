"""A line in which nobody waits for what another one has asked for."""

from __future__ import annotations

import asyncio

import pytest

from tests.memory import settle
from webchat.service.fair import Full, Line


class Counter:
    """Where a line leads to: work goes on for as long as a test likes."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self.begun: list[str] = []
        self.may_end = asyncio.Semaphore(0)

    def ask(self, asker: str, count: int = 1) -> list[asyncio.Task[None]]:
        return [asyncio.ensure_future(self._work(asker)) for _ in range(count)]

    async def _work(self, asker: str) -> None:
        async with self._line.turn(asker):
            self.begun.append(asker)
            await self.may_end.acquire()

    async def end(self, count: int) -> None:
        for _ in range(count):
            self.may_end.release()
            await settle()


async def test_one_of_each_asker_in_turn_is_next() -> None:
    counter = Counter(Line(1, 10))
    asked = [*counter.ask("ann", 4), *counter.ask("ben", 2), *counter.ask("cleo")]
    await settle()
    await counter.end(7)
    assert counter.begun == ["ann", "ann", "ben", "cleo", "ann", "ben", "ann"]
    await asyncio.gather(*asked)


async def test_where_all_is_full_whoever_has_most_waiting_loses_its_newest() -> None:
    counter = Counter(Line(2, 4))
    anns, bens = counter.ask("ann", 6), []
    await settle()
    for _ in range(3):
        bens += counter.ask("ben")
        await settle()
    for refused in (anns[5], anns[4], bens[2]):
        with pytest.raises(Full):
            await refused
    await counter.end(6)
    assert counter.begun == ["ann", "ann", "ann", "ben", "ann", "ben"]
    await asyncio.gather(*anns[:4], *bens[:2])


async def test_who_asks_for_all_by_itself_is_refused_beyond_the_line() -> None:
    counter = Counter(Line(1, 2))
    asked = counter.ask("ann", 4)
    await settle()
    with pytest.raises(Full):
        await asked[3]
    await counter.end(3)
    await asyncio.gather(*asked[:3])


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_who_gives_up_takes_nobodys_place(which: int) -> None:
    counter = Counter(Line(1, 5))
    asked = counter.ask("ann", 3)
    await settle()
    asked[which].cancel()
    await counter.end(3)
    (ben,) = counter.ask("ben")
    await counter.end(1)
    await asyncio.gather(ben)
    assert counter.begun.count("ann") == (3 if which == 0 else 2)


async def test_who_gives_up_as_its_turn_comes_passes_it_on() -> None:
    counter = Counter(Line(1, 5))
    first, second, third = counter.ask("ann", 3)
    await settle()
    counter.may_end.release()
    await asyncio.wait([first])
    second.cancel()
    await counter.end(1)
    await asyncio.gather(third)
    assert second.cancelled()


async def test_who_gives_up_just_before_its_turn_comes_takes_nobodys_place() -> None:
    counter = Counter(Line(1, 5))
    first, second, third = counter.ask("ann", 3)
    (ben,) = counter.ask("ben")
    await settle()
    counter.may_end.release()
    second.cancel()
    await first
    await counter.end(3)
    await asyncio.gather(third, ben, *counter.ask("cleo"))
    assert counter.begun == ["ann", "ann", "ben", "cleo"]


async def test_who_gives_up_makes_room_at_once() -> None:
    counter = Counter(Line(1, 2))
    asked = counter.ask("ann", 3)
    await settle()
    (ben,) = counter.ask("ben")
    asked[2].cancel()
    await counter.end(3)
    await asyncio.gather(ben, *asked[:2])
    assert counter.begun == ["ann", "ann", "ben"]


async def test_who_gives_up_as_it_is_refused_lets_nobody_in() -> None:
    counter = Counter(Line(1, 2))
    asked = counter.ask("ann", 3)
    await settle()
    (ben,) = counter.ask("ben")
    await asyncio.sleep(0)
    asked[2].cancel()
    await settle()
    assert counter.begun == ["ann"]
    await counter.end(3)
    await asyncio.gather(ben, *asked[:2])
