"""An SQLite store whose disk, file or callers fail: refused whole, and it goes on."""

from __future__ import annotations

import asyncio
import errno
import logging
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.contract.asking import create, message, move, send
from tests.contract.damaged import READERS, damage, said
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, check
from webchat.errors import Code, TooBusyError, WebchatError
from webchat.model import Position
from webchat.ports.log import Append
from webchat.ports.positions import Move


@pytest.fixture
async def store(path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    settings = SqliteSettings(busy_timeout_ms=20, max_waiting=100, max_heads=2)
    made = SqliteStore(path, settings, clock)
    await made.open("secured")
    await send(made, create("group_x", "ann", "bob"))
    yield made
    await made.close()
    assert check(path) == []


def large(number: int) -> Append:
    return Append("group_x", (message("ann", str(number), "x" * 5_000),), moves_sender=True)


async def codes(asked: Sequence[asyncio.Future[Any]]) -> list[Code | None]:
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    return [outcome.code if isinstance(outcome, WebchatError) else None for outcome in outcomes]


def set_max_pages(store: SqliteStore, pages: int) -> None:
    store._writer._db.execute(f"PRAGMA max_page_count = {pages}")


async def test_a_full_disk_is_trouble_and_two_lines_in_the_log(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (pages,) = store._writer._db.execute("PRAGMA page_count").fetchone()
    set_max_pages(store, pages + 3)
    for _ in range(3):
        asked = [send(store, large(number)) for number in range(10)]
        assert await codes(asked) == [Code.UNAVAILABLE] * 10
        assert await store.trouble() == "the store is not answering: database or disk is full"
    set_max_pages(store, 1_000_000)
    assert not await store.trouble()
    assert said(caplog) == [
        "the store cannot be written: database or disk is full", "the store can be written again",
    ]  # fmt: skip
    assert not any(each.exc_info for each in caplog.records)


async def test_what_cannot_be_read_is_said_in_the_log_once(
    store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        with pytest.raises(WebchatError):
            await store._reader.read(lambda db: db.execute("SELECT * FROM damaged").fetchone())
    assert said(caplog) == ["the store cannot be read: no such table: damaged"]


async def test_a_full_disk_refuses_a_batch_whole_and_then_recovers(store: SqliteStore) -> None:
    (pages,) = store._writer._db.execute("PRAGMA page_count").fetchone()
    set_max_pages(store, pages + 3)
    assert await codes([send(store, large(number)) for number in range(10)]) == (
        [Code.UNAVAILABLE] * 10
    )
    assert len(await store.log.read("group_x", 0, 99)) == 1

    set_max_pages(store, 1_000_000)
    assert await codes([send(store, large(number)) for number in range(10)]) == [None] * 10
    assert (await store.log.heads(["group_x"]))["group_x"].last == 11


async def test_a_locked_file_is_unavailable_until_it_is_free(
    store: SqliteStore, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await codes([send(store, large(1))]) == [Code.UNAVAILABLE]
        assert await store.trouble()
        assert [entry.kind for entry in await store.log.read("group_x", 0, 9)] == ["create"]
    assert not await store.trouble()
    assert await codes([send(store, large(1))]) == [None]


async def test_accounts_are_unavailable_with_the_rest(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(WebchatError) as refusal:
            await store.logins.revoke_all("ann")
    assert refusal.value.code is Code.UNAVAILABLE


async def test_a_write_that_cannot_be_done_keeps_no_other_from_it(store: SqliteStore) -> None:
    unwritable = Append("group_x", (message("ann", "\ud800"),))
    asked = [send(store, request) for request in (large(1), unwritable, large(2))]
    assert await codes(asked) == [None, Code.INTERNAL, None]
    assert [entry.seq for entry in await store.log.read("group_x", 0, 9)] == [1, 2, 3]


async def test_a_write_that_meets_a_damaged_page_keeps_no_other_from_it(
    path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store, lost = await with_damaged_positions(path, clock)
    sound = next(uid for uid in READERS if uid not in lost)
    await send(store, large(1))
    for _ in range(2):
        asked = send(store, large(2))
        moving = [asyncio.create_task(move(store, Move("group_x", uid, 2, 2))) for uid in lost[:5]]
        moved = asyncio.create_task(move(store, Move("group_x", sound, 2, 2)))
        assert await codes([asked, *moving]) == [None] + [Code.UNAVAILABLE] * 5
        assert (await moved)[0].after == Position(2, 2, 1)
        assert not await store.trouble()
    assert said(caplog) == ["a write was refused: database disk image is malformed"]
    await store.close()


async def test_a_whole_page_of_writes_that_is_damaged_keeps_no_other_from_it(
    path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store, lost = await with_damaged_positions(path, clock)
    begun = 0

    def count(statement: str) -> None:
        nonlocal begun
        begun += statement.startswith("BEGIN")

    store._writer._db.set_trace_callback(count)
    asked = send(store, large(1))
    moving = [asyncio.create_task(move(store, Move("group_x", uid, 2, 2))) for uid in lost]
    await asyncio.sleep(0)
    others = [send(store, large(number)) for number in range(2, 5)]
    refused = [Code.UNAVAILABLE] * len(lost)
    assert len(lost) > 50
    assert await codes([asked, *moving, *others]) == [None, *refused, None, None, None]
    assert begun < 5 * len(lost)
    assert [entry.seq for entry in await store.log.read("group_x", 0, 9)] == [1, 2, 3, 4, 5]
    assert not await store.trouble()
    assert said(caplog) == ["a write was refused: database disk image is malformed"]
    await store.close()


async def test_moves_that_meet_a_damaged_page_keep_no_others_of_their_write_from_it(
    path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store, lost = await with_damaged_positions(path, clock)
    sound = [uid for uid in READERS if uid not in lost]
    asked = send(store, large(1))
    moved: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    after: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    moves = [Move("group_x", uid, 2, 2) for uid in (*sound[:9], *lost, *sound[9:])]
    store.positions.move(moves, moved.set_result)
    store.positions.move((), lambda _: after.set_result(moved.done()))
    assert await codes([asked]) == [None]
    outcomes = dict(zip([each.uid for each in moves], await moved, strict=True))
    assert await after
    for uid in lost:
        refused = outcomes[uid].refused
        assert isinstance(refused, WebchatError)
        assert refused.code is Code.UNAVAILABLE
        assert outcomes[uid].before == outcomes[uid].after
    assert {outcomes[uid].after for uid in sound} == {Position(2, 2, 1)}
    assert {outcomes[uid].refused for uid in sound} == {None}
    assert said(caplog) == ["a write was refused: database disk image is malformed"]
    assert not await store.trouble()
    await store.close()
    await store.open("secured")
    stored = await store.positions.of_members("group_x", sound[:1])
    assert stored == {sound[0]: Position(2, 2, 1)}
    await store.close()


async def test_of_moves_that_all_meet_a_damaged_page_none_is_done(
    path: Path, clock: ManualClock
) -> None:
    store, lost = await with_damaged_positions(path, clock)
    moving = asyncio.create_task(move(store, *(Move("group_x", uid, 1, 1) for uid in lost)))
    assert await codes([moving, send(store, large(1))]) == [Code.UNAVAILABLE, None]
    await store.close()


async def test_logs_that_cannot_be_looked_up_keep_no_other_write_from_it(
    path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(path, SqliteSettings(), clock)
    await store.open("secured")
    groups = [f"group_{number}" for number in range(300)]
    await asyncio.gather(*(send(store, create(group, "ann", "bob")) for group in groups))
    await store.close()
    damage(path, "sqlite_autoindex_log_1")
    await store.open("secured")
    asked = [send(store, Append(group, (message("ann", "m1"),))) for group in groups]
    outcomes = await codes(asked)
    assert 50 < outcomes.count(None) == 300 - outcomes.count(Code.UNAVAILABLE) < 250
    lost = groups[outcomes.index(Code.UNAVAILABLE)]
    alone = send(store, Append(lost, (message("ann", "m1"),)))
    assert await codes([alone]) == [Code.UNAVAILABLE]
    assert not store._writer.is_failing
    assert said(caplog) == ["a write was refused: database disk image is malformed"]
    await store.close()


async def with_damaged_positions(path: Path, clock: ManualClock) -> tuple[SqliteStore, list[str]]:
    """A store with many readers of a group, of which a page of positions is destroyed, and whose
    cannot be read any more."""
    store = SqliteStore(path, SqliteSettings(), clock)
    await store.open("secured")
    await send(store, create("group_x", "ann", "bob"))
    await move(store, *[Move("group_x", uid, 1, 0) for uid in READERS])
    await store.close()
    damage(path, "position")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        lost = [uid for uid in READERS if not is_readable(db, uid)]
    await store.open("secured")
    return store, lost


def is_readable(db: sqlite3.Connection, uid: str) -> bool:
    try:
        db.execute(
            "SELECT displayed FROM position JOIN log ON log.id = log WHERE uid = ? AND name = ?",
            (uid, "group_x"),
        ).fetchone()
    except sqlite3.DatabaseError:
        return False
    return True


async def test_a_second_login_with_the_same_token_keeps_no_other_write_from_it(
    store: SqliteStore,
) -> None:
    asked = send(store, large(1))
    insert = "INSERT INTO property VALUES ('mode', 'twice')"
    with pytest.raises(WebchatError) as refusal:
        await store._writer.write(lambda db, _: db.execute(insert), None)
    assert refusal.value.code is Code.INTERNAL
    assert (await asked).entries[0].seq == 2


async def test_beyond_what_may_wait_writes_are_refused(store: SqliteStore) -> None:
    asked = [send(store, large(number)) for number in range(110)]
    assert await codes(asked) == [None] * 100 + [Code.UNAVAILABLE] * 10
    assert all(isinstance(each.exception(), TooBusyError) for each in asked[100:])
    assert await codes([send(store, large(200))]) == [None]


async def test_more_logs_than_are_remembered_are_told_apart(store: SqliteStore) -> None:
    for number in range(3):
        for conv in "abcd":
            request = Append(f"group_{conv}", (message("ann", str(number)),))
            assert (await send(store, request)).entries[0].seq == number + 1


async def test_a_log_that_cannot_be_written_does_not_end_the_writer(store: SqliteStore) -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError(errno.ENOSPC, "no space")

    (pages,) = store._writer._db.execute("PRAGMA page_count").fetchone()
    set_max_pages(store, pages + 3)
    root, failing = logging.getLogger(), Failing()
    root.addHandler(failing)
    try:
        asked = [send(store, large(number)) for number in range(10)]
        async with asyncio.timeout(5):
            assert await codes(asked) == [Code.UNAVAILABLE] * 10
            set_max_pages(store, 1_000_000)
            assert await codes([send(store, large(1))]) == [None]
    finally:
        root.removeHandler(failing)


async def test_what_a_long_read_kept_on_the_disk_goes_after_it(
    path: Path, clock: ManualClock
) -> None:
    wal = path.with_name("webchat.db-wal")
    made = SqliteStore(path, SqliteSettings(wal_pages=10), clock)
    await made.open("secured")
    await send(made, create("group_x", "ann", "bob"))
    with closing(sqlite3.connect(path, isolation_level=None)) as long_read:
        long_read.execute("BEGIN")
        long_read.execute("SELECT count(*) FROM entry").fetchone()
        for number in range(60):
            await send(made, large(number))
        held_up = wal.stat().st_size
    for number in range(60, 80):
        await send(made, large(number))
    assert wal.stat().st_size < held_up / 2
    await made.close()
