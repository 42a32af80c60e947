"""Turns: what concerns the same thing is done one after the other, whoever gives up meanwhile."""

from __future__ import annotations

import asyncio
import weakref

from tests.memory import settle
from webchat.errors import Code
from webchat.service.turns import Turns


class Work:
    """Work on things, in turns; `done`: what was begun and ended, in order."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self._turns = Turns()

    def begin(self, thing: str, name: str) -> tuple[asyncio.Task[None], asyncio.Event]:
        """A piece of work, and what ends it."""
        may_end = asyncio.Event()
        return asyncio.ensure_future(self._run(thing, name, may_end)), may_end

    async def _run(self, thing: str, name: str, may_end: asyncio.Event) -> None:
        async with self._turns.of(thing):
            self.done.append(f"{name} begins")
            await may_end.wait()
            self.done.append(f"{name} ends")


async def test_work_on_one_thing_is_done_in_the_order_it_was_begun() -> None:
    work = Work()
    pieces = [work.begin("a", name) for name in ("first", "second", "third")]
    for _, may_end in reversed(pieces):
        may_end.set()
        await settle()
    names = [each.removesuffix(" begins") for each in work.done if each.endswith("begins")]
    assert names == ["first", "second", "third"]


async def test_work_on_another_thing_does_not_wait() -> None:
    work = Work()
    here, there = work.begin("a", "here"), work.begin("b", "there")
    await settle()
    assert work.done == ["here begins", "there begins"]
    for task, may_end in (here, there):
        may_end.set()
        await task


async def test_who_gives_up_waiting_lets_nobody_in_before_the_first_is_done() -> None:
    work = Work()
    first, first_may_end = work.begin("a", "first")
    second, _ = work.begin("a", "second")
    third, third_may_end = work.begin("a", "third")
    await settle()
    second.cancel()
    await settle()
    assert work.done == ["first begins"]
    first_may_end.set()
    third_may_end.set()
    await asyncio.gather(first, third)
    assert work.done == ["first begins", "first ends", "third begins", "third ends"]


async def test_who_comes_after_one_that_gave_up_waits_as_well() -> None:
    work = Work()
    first, first_may_end = work.begin("a", "first")
    second, _ = work.begin("a", "second")
    await settle()
    second.cancel()
    await settle()
    third, third_may_end = work.begin("a", "third")
    await settle()
    assert work.done == ["first begins"]
    first_may_end.set()
    third_may_end.set()
    await asyncio.gather(first, third)


async def test_after_work_that_failed_or_was_cancelled_the_next_begins() -> None:
    work = Work()
    first, _ = work.begin("a", "first")
    second, may_end = work.begin("a", "second")
    await settle()
    first.cancel()
    may_end.set()
    await second
    assert work.done == ["first begins", "second begins", "second ends"]


async def test_those_who_wait_may_be_refused_their_turn_and_nobody_else() -> None:
    turns, may_end, done = Turns(), asyncio.Event(), list[str]()

    async def work(name: str) -> None:
        async with turns.of("a"):
            done.append(name)
            await may_end.wait()

    turns.refuse_waiting("a")
    first, *waiting = [asyncio.ensure_future(work(name)) for name in ("first", "second", "third")]
    await settle()
    turns.refuse_waiting("a")
    later = asyncio.ensure_future(work("later"))
    await settle()
    may_end.set()
    await asyncio.gather(first, later)
    refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert [getattr(each, "code", each) for each in refused] == [Code.UNAVAILABLE] * 2
    assert done == ["first", "later"]


async def test_nothing_is_kept_of_things_that_nobody_works_on() -> None:
    turns, thing = Turns(), Work()
    is_kept = weakref.ref(thing)
    async with turns.of(thing):
        pass
    del thing
    assert is_kept() is None
