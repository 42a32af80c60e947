"""The loop of the simulation: virtual time, processes that stand still or die, order by seed."""

from __future__ import annotations

import asyncio
from itertools import count
from random import Random

import pytest

from tests.sim.loop import Process, VirtualLoop
from tests.sim.violations import Violation


def run(loop: VirtualLoop, seconds: float) -> None:
    """Let virtual seconds pass."""
    loop.run_until_complete(asyncio.sleep(seconds))


def begin(loop: VirtualLoop, name: str, said: list[str]) -> Process:
    """A process that says its name ten times a second."""
    process = Process(name)

    async def speak() -> None:
        while True:
            said.append(name)
            await asyncio.sleep(0.1)

    loop.call_soon(lambda: loop.create_task(speak()), context=process.context)
    return process


def test_an_hour_costs_no_time() -> None:
    loop = VirtualLoop(Random(1))
    run(loop, 3_600.0)
    assert 3_600.0 <= loop.time() < 3_600.1
    loop.close()


def test_timers_run_in_the_order_of_their_moments() -> None:
    loop, ran = VirtualLoop(Random(1)), list[float]()
    for moment in (0.3, 0.1, 0.2):
        loop.call_later(moment, ran.append, moment)
    loop.call_later(0.15, ran.append, 0.15).cancel()
    run(loop, 1.0)
    assert ran == [0.1, 0.2, 0.3]
    loop.close()


def test_a_process_that_stands_still_goes_on_where_it_stood() -> None:
    loop, said = VirtualLoop(Random(1)), list[str]()
    process = begin(loop, "a", said)
    run(loop, 0.35)
    loop.pause(process)
    run(loop, 5.0)
    assert len(said) == 4
    loop.resume(process)
    run(loop, 0.25)
    assert len(said) == 7
    loop.kill(process)
    loop.close()


def test_a_process_that_is_dead_says_nothing_more_and_leaves_no_task() -> None:
    loop, said = VirtualLoop(Random(1)), list[str]()
    process = begin(loop, "a", said)
    run(loop, 0.35)
    loop.kill(process)
    run(loop, 5.0)
    assert len(said) == 4
    assert not process.tasks
    loop.close()


def test_the_seed_says_who_goes_first() -> None:
    def order(seed: int) -> list[str]:
        loop, said = VirtualLoop(Random(seed)), list[str]()
        processes = [begin(loop, name, said) for name in "abc"]
        run(loop, 1.0)
        for process in processes:
            loop.kill(process)
        loop.close()
        return said

    assert order(1) == order(1)
    assert len({tuple(order(seed)) for seed in range(10)}) > 5


def test_what_spins_or_waits_for_ever_is_told_of() -> None:
    async def spin() -> None:
        for _ in count():
            await asyncio.sleep(0)

    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    for work, said in ((spin, "spins"), (wait, "stuck")):
        loop = VirtualLoop(Random(1), max_steps=1_000)
        loop.set_exception_handler(lambda *_: None)
        coroutine = work()
        with pytest.raises(Violation, match=said):
            loop.run_until_complete(coroutine)
        loop.kill(loop.world)
        loop.close()
