"""The contract of `ports/clock.py`: the loop's clock, and the one that tests move."""

from __future__ import annotations

import asyncio
import time

from tests.memory import ManualClock
from webchat.adapters.memory import LoopClock


async def test_the_loops_clock_tells_the_systems_time() -> None:
    clock = LoopClock()
    before_ms = time.time() * 1000
    assert before_ms - 1 <= clock.now_ms() <= before_ms + 10_000
    assert clock.monotonic_s() <= asyncio.get_running_loop().time()


async def test_the_loops_clock_runs_what_was_put_off_unless_cancelled() -> None:
    clock = LoopClock()
    ran: list[str] = []
    finished = asyncio.Event()
    clock.call_later(0.0, lambda: ran.append("cancelled")).cancel()
    clock.call_later(0.0, lambda: ran.append("kept"))
    clock.call_later(0.001, finished.set)
    await asyncio.wait_for(finished.wait(), timeout=10)
    assert ran == ["kept"]


def test_a_manual_clock_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(start_ms=1_000)
    assert (clock.now_ms(), clock.monotonic_s()) == (1_000, 0.0)
    clock.advance(1.5)
    assert (clock.now_ms(), clock.monotonic_s()) == (2_500, 1.5)


def test_timers_run_in_order_each_at_its_own_moment() -> None:
    clock = ManualClock()
    ran: list[tuple[str, float]] = []
    clock.call_later(2, lambda: ran.append(("late", clock.monotonic_s())))
    clock.call_later(1, lambda: ran.append(("early", clock.monotonic_s())))
    clock.call_later(1, lambda: ran.append(("early too", clock.monotonic_s())))
    clock.call_later(9, lambda: ran.append(("not yet", clock.monotonic_s())))
    clock.advance(3)
    assert ran == [("early", 1), ("early too", 1), ("late", 2)]


def test_a_timer_set_by_a_timer_runs_if_it_falls_due() -> None:
    clock = ManualClock()
    ran: list[float] = []

    def again() -> None:
        ran.append(clock.monotonic_s())
        clock.call_later(1, again)

    clock.call_later(1, again)
    clock.advance(3.5)
    assert ran == [1, 2, 3]


def test_a_cancelled_timer_does_not_run() -> None:
    clock = ManualClock()
    ran: list[str] = []
    timer = clock.call_later(1, lambda: ran.append("ran"))
    timer.cancel()
    clock.advance(2)
    timer.cancel()
    assert ran == []
