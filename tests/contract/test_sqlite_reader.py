"""Reads on SQLite's threads: every one is answered, whatever ends meanwhile, and few wake the loop.

What is read is tested with the ports; here it is only how a read comes and goes.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest

from webchat.adapters.sqlite.reader import Reader
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.errors import Code, WebchatError

_DEADLINE_S = 10.0


def _reader(settings: SqliteSettings) -> Reader:
    own, *connections = (
        sqlite3.connect(":memory:", check_same_thread=False) for _ in range(settings.readers + 1)
    )
    return Reader(own, connections, settings)


@pytest.fixture
async def reader() -> AsyncIterator[Reader]:
    reader = _reader(SqliteSettings(readers=1, reads_at_once=32, slow_read_ms=_DEADLINE_S * 1000))
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
    reader = _reader(SqliteSettings(readers=2, reads_at_once=1))
    seen: list[tuple[str, int]] = []

    def note(number: int, db: sqlite3.Connection) -> None:
        seen.append(("begins", number))
        _one(db)
        seen.append(("ends", number))

    reads = [asyncio.ensure_future(reader.read(partial(note, number))) for number in range(50)]
    await asyncio.wait_for(asyncio.gather(*reads), _DEADLINE_S)
    await asyncio.to_thread(reader.close)
    assert seen == [(what, number) for number in range(50) for what in ("begins", "ends")]


def _thread(db: sqlite3.Connection) -> int:
    _one(db)
    return threading.get_ident()


async def test_a_few_brief_reads_a_turn_are_made_by_the_loop_itself(reader: Reader) -> None:
    own = threading.get_ident()
    in_one_turn = await asyncio.gather(*(reader.brief(_thread) for _ in range(10)))
    few = SqliteSettings().brief_reads
    assert [thread == own for thread in in_one_turn] == [True] * few + [False] * (10 - few)
    assert await reader.brief(_thread) == own


async def test_after_a_slow_one_threads_make_the_brief_reads_for_a_while() -> None:
    reader = _reader(SqliteSettings(slow_read_ms=1.0))
    own = threading.get_ident()
    assert await reader.brief(lambda db: threading.Event().wait(0.05) or _thread(db)) == own
    await asyncio.sleep(0)  # A turn in which it could make some.
    assert await reader.brief(_thread) != own
    await asyncio.to_thread(reader.close)


async def test_a_brief_read_that_fails_is_unavailable_and_so_is_one_after_the_end(
    reader: Reader,
) -> None:
    with pytest.raises(WebchatError) as refused:
        await reader.brief(_broken)
    assert refused.value.code is Code.UNAVAILABLE
    await asyncio.to_thread(reader.close)
    with pytest.raises(WebchatError) as refused:
        await reader.brief(_one)
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_brief_read_of_a_file_that_is_locked_waits_without_holding_up_the_loop(
    tmp_path: Path,
) -> None:
    path = tmp_path / "locked.db"
    with ExitStack() as opened:
        # Not the write-ahead log of a store: there a reader hardly ever meets a lock.
        writer = opened.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        writer.execute("CREATE TABLE kept (number)")
        own = sqlite3.connect(path, timeout=0.0, check_same_thread=False)
        patient = sqlite3.connect(path, timeout=_DEADLINE_S, check_same_thread=False)
        reader = Reader(own, [patient], SqliteSettings())
        opened.callback(reader.close)
        writer.execute("BEGIN EXCLUSIVE")
        count = asyncio.ensure_future(
            reader.brief(lambda db: db.execute("SELECT count(*) FROM kept").fetchone())
        )
        await asyncio.sleep(0)
        writer.execute("INSERT INTO kept VALUES (1)")
        writer.execute("COMMIT")
        assert await asyncio.wait_for(count, _DEADLINE_S) == (1,)
