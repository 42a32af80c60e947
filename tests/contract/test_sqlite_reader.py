"""Reads on SQLite's threads: every one is answered, whatever ends meanwhile, and few wake the loop.

What is read is tested with the ports; here it is only how a read comes and goes.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from functools import partial

import pytest

from webchat.adapters.sqlite.reader import Reader
from webchat.errors import Code, WebchatError

_DEADLINE_S = 10.0


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = Reader([sqlite3.connect(":memory:", check_same_thread=False)], at_once=32)
    yield reader
    await asyncio.to_thread(reader.close)


def _one(db: sqlite3.Connection) -> int:
    (one,) = db.execute("SELECT 1").fetchone()
    return int(one)


def _broken(db: sqlite3.Connection) -> None:
    db.execute("SELECT nothing FROM nowhere")


async def test_a_read_that_fails_is_unavailable_and_the_next_is_answered(reader: Reader) -> None:
    with pytest.raises(WebchatError) as refused:
        await reader.read(_broken)
    assert refused.value.code is Code.UNAVAILABLE
    assert await reader.read(_one) == 1


async def test_a_read_nobody_waits_for_any_more_holds_up_no_other(reader: Reader) -> None:
    may_go_on = threading.Event()
    given_up = asyncio.ensure_future(reader.read(lambda db: may_go_on.wait(_DEADLINE_S)))
    await asyncio.sleep(0)
    next_one = asyncio.ensure_future(reader.read(_one))
    await asyncio.sleep(0)
    given_up.cancel()
    may_go_on.set()
    assert await asyncio.wait_for(next_one, _DEADLINE_S) == 1
    assert given_up.cancelled()


async def test_what_was_asked_before_the_end_is_answered_and_what_comes_after_is_not(
    reader: Reader,
) -> None:
    asked = [asyncio.ensure_future(reader.read(_one)) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.to_thread(reader.close)
    assert await asyncio.wait_for(asyncio.gather(*asked), _DEADLINE_S) == [1] * 20
    with pytest.raises(WebchatError) as refused:
        await reader.read(_one)
    assert refused.value.code is Code.UNAVAILABLE


async def test_answers_that_come_while_the_loop_is_busy_wake_it_once(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    wakes: list[object] = []
    wake = loop.call_soon_threadsafe

    def counted(call: object, *args: object, **kwargs: object) -> object:
        wakes.append(call)
        return wake(call, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    all_read = threading.Event()
    reads = [asyncio.ensure_future(reader.read(_one)) for _ in range(20)]
    last = asyncio.ensure_future(reader.read(lambda db: all_read.set()))
    await asyncio.sleep(0)
    assert all_read.wait(_DEADLINE_S)  # on the loop's thread: it takes no answer meanwhile
    await asyncio.wait_for(asyncio.gather(*reads, last), _DEADLINE_S)
    assert len(wakes) <= 2  # the last read's answer may come when the others were taken


async def test_threads_are_given_few_reads_at_a_time_and_all_in_the_end() -> None:
    connections = [sqlite3.connect(":memory:", check_same_thread=False) for _ in range(2)]
    reader = Reader(connections, at_once=1)
    seen: list[tuple[str, int]] = []

    def note(number: int, db: sqlite3.Connection) -> None:
        seen.append(("begins", number))
        _one(db)
        seen.append(("ends", number))

    reads = [asyncio.ensure_future(reader.read(partial(note, number))) for number in range(50)]
    await asyncio.wait_for(asyncio.gather(*reads), _DEADLINE_S)
    await asyncio.to_thread(reader.close)
    assert seen == [(what, number) for number in range(50) for what in ("begins", "ends")]
