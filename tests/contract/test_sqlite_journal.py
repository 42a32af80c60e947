"""The journal of an SQLite store: as good as the tables to whoever reads, bounded, and replayed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Final

import msgspec
import pytest

from tests.contract.asking import create, edit, message, move, send
from tests.contract.killed import as_if_killed
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, backup, check, journal, writer
from webchat.errors import WebchatError
from webchat.model import Head, Position
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Move
from webchat.ports.store import StoreRefused

NEVER_FOLDED: Final = SqliteSettings(fold_interval_ms=3_600_000)
NOW: Final = ManualClock().now_ms()
DEADLINE_S: Final = 10
POLL_S: Final = 0.01


async def opened(path: Path, clock: ManualClock, settings: SqliteSettings) -> SqliteStore:
    store = SqliteStore(path, settings, clock)
    await store.open("secured")
    return store


@pytest.fixture
async def store(path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    """A group with three messages and a position, of which the tables have the `create` alone."""
    made = await opened(path, clock, NEVER_FOLDED)
    await send(made, create("group_x", "ann", "bob"))
    for number in (1, 2, 3):
        await send(made, say(number))
    await move(made, Move("group_x", "bob", 3, 2))
    yield made
    await made.close()
    assert check(path) == []


def say(number: int, text: str = "hello") -> Append:
    return Append("group_x", (message("ann", str(number), text),), moves_sender=True)


def count(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what another thread does. Raises TimeoutError."""
    for _ in range(int(DEADLINE_S / POLL_S)):
        if holds():
            return
        await asyncio.sleep(POLL_S)
    raise TimeoutError


async def outcome(store: SqliteStore, request: Append) -> Appended | WebchatError:
    try:
        return await send(store, request)
    except WebchatError as refusal:
        return refusal


async def assert_all_is_said(store: SqliteStore) -> None:
    """Every read says what the fixture did."""
    log = store.log
    assert [entry.seq for entry in await log.read("group_x", 0, 99)] == [1, 2, 3, 4]
    assert [entry.seq for entry in await log.read("group_x", 2, 1)] == [3]
    assert [entry.seq for entry in await log.read("group_x", 4, 9)] == []
    assert [entry.seq for entry in await log.read_before("group_x", None, 2)] == [3, 4]
    assert [entry.seq for entry in await log.read_before("group_x", 4, 9)] == [1, 2, 3]
    assert await log.heads(["group_x", "group_none"]) == {"group_x": Head(4, 3, NOW, 1)}
    found = await log.find("group_x", "ann", "2")
    assert found is not None
    assert (found.seq, found.n) == (3, 2)
    both = {"ann": Position(4, 4, 3), "bob": Position(3, 2, 1)}
    assert await store.positions.of_members("group_x", ["ann", "bob", "cid"]) == both
    assert await store.positions.of_user("bob", ["group_x", "group_y"]) == {"group_x": both["bob"]}


async def test_reads_see_what_the_journal_alone_has(store: SqliteStore, path: Path) -> None:
    assert count(path, "entry") == 1 + 2  # the `create`, and what the logs of both users say
    await assert_all_is_said(store)


async def test_a_page_is_the_same_before_and_after_it_is_folded(store: SqliteStore) -> None:
    places = [(after, limit) for after in range(-1, 6) for limit in range(6)]
    before = [await store.log.read("group_x", *place) for place in places]
    await store.positions.counts("group_x", "ann", [2])  # which the tables alone can tell
    assert [await store.log.read("group_x", *place) for place in places] == before
    assert [entry.seq for entry in before[places.index((1, 3))]] == [2, 3, 4]


async def test_counts_see_what_the_journal_alone_has(store: SqliteStore) -> None:
    assert await store.positions.counts("group_x", "ann", [2, 3, 4]) == {
        2: (1, 1),
        3: (1, 0),
        4: (0, 0),
    }


async def test_a_change_reaches_an_entry_that_the_journal_alone_had(store: SqliteStore) -> None:
    await send(store, edit("group_x", "ann", 3, "changed"))
    entries = await store.log.read("group_x", 0, 99)
    assert b'"changed"' in entries[2].envelope
    again = await send(store, say(2))
    assert (again.fresh, again.entries[0]) == (False, entries[2])
    assert [entry.seq for entry in entries] == [1, 2, 3, 4, 5]


async def test_what_a_killed_process_left_in_the_journal_is_there_after_a_start(
    store: SqliteStore, path: Path, clock: ManualClock
) -> None:
    copied = as_if_killed(path)
    killed = await opened(copied, clock, NEVER_FOLDED)
    assert count(copied, "journal") == 0
    await assert_all_is_said(killed)
    again = await send(killed, say(3))
    assert (again.fresh, again.entries[0].seq) == (False, 4)
    await killed.close()


async def test_a_backup_has_what_the_journal_alone_has(
    store: SqliteStore, path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    await asyncio.to_thread(backup, path, tmp_path / "copy.db")
    assert count(tmp_path / "copy.db", "journal") > 0
    copy = await opened(tmp_path / "copy.db", clock, NEVER_FOLDED)
    await assert_all_is_said(copy)
    await copy.close()


async def test_a_tool_beside_sees_what_the_journal_alone_has_and_is_noticed(
    store: SqliteStore, path: Path, clock: ManualClock
) -> None:
    tool = SqliteStore.beside(path, NEVER_FOLDED, clock)
    await tool.open("secured")
    await assert_all_is_said(tool)
    assert count(path, "journal") == 0
    assert (await send(tool, say(4))).entries[0].seq == 5
    assert (await send(store, say(5))).entries[0].seq == 6
    await send(store, say(6))
    for each in (store, tool):
        assert [entry.seq for entry in await each.log.read("group_x", 3, 9)] == [4, 5, 6, 7]
    await tool.close()


async def test_another_writer_is_noticed_even_if_that_failed_at_first(
    store: SqliteStore, path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: sqlite3.Connection) -> bool:
        raise sqlite3.OperationalError("disk I/O error")

    tool = SqliteStore.beside(path, NEVER_FOLDED, clock)
    await tool.open("secured")
    assert (await send(tool, say(4))).entries[0].seq == 5
    await tool.close()
    with monkeypatch.context() as patch:
        patch.setattr(journal, "is_empty", fail)
        assert isinstance(await outcome(store, say(5)), WebchatError)
    assert (await send(store, say(5))).entries[0].seq == 6


async def test_what_comes_close_together_shares_a_commit_but_the_first_does_not_wait(
    path: Path, clock: ManualClock
) -> None:
    settings = SqliteSettings(gather_ms=500, fold_interval_ms=3_600_000)
    store = await opened(path, clock, settings)
    await send(store, create("group_x", "ann", "bob"))
    await move(store, Move("group_x", "bob", 1, 1))
    batches = count(path, "journal")
    asked = []
    for number in (1, 2, 3):
        asked.append(send(store, say(number)))
        await asyncio.sleep(0)
    assert [outcome.entries[0].seq for outcome in await asyncio.gather(*asked)] == [2, 3, 4]
    assert count(path, "journal") == batches + 1
    await store.close()


async def test_who_writes_alone_and_waits_for_each_ack_is_not_held_up(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    time_of_writer = SimpleNamespace(monotonic=lambda: 0.0, sleep=waits.append)
    monkeypatch.setattr(writer, "time", time_of_writer)
    store = await opened(path, clock, SqliteSettings(gather_ms=50, fold_interval_ms=3_600_000))
    await send(store, create("group_x", "ann", "bob"))
    for number in range(10):
        await send(store, say(number))
    assert 0 < len(waits) <= 4
    alone = len(waits)
    await asyncio.gather(send(store, say(10)), send(store, say(11)))
    await send(store, say(12))
    assert len(waits) > alone
    assert set(waits) == {0.05}
    await store.close()


async def test_it_is_folded_when_nothing_is_written_for_a_while(
    path: Path, clock: ManualClock
) -> None:
    store = await opened(path, clock, SqliteSettings(fold_interval_ms=1, fold_slice=2))
    await send(store, create("group_x", "ann", "bob"))
    for number in range(20):
        await send(store, say(number))
    await until(lambda: count(path, "journal") == 0)
    assert count(path, "entry") == 23
    await store.close()


async def test_it_does_not_grow_beyond_its_bound(path: Path, clock: ManualClock) -> None:
    store = await opened(path, clock, SqliteSettings(journal_entries=50, fold_slice=10))
    await send(store, create("group_x", "ann", "bob"))
    for first in range(0, 2_000, 20):
        await asyncio.gather(*(send(store, say(number)) for number in range(first, first + 20)))
        with closing(sqlite3.connect(path)) as db:
            batches = [row[0] for row in db.execute("SELECT batch FROM journal")]
        assert sum(len(msgspec.msgpack.decode(batch)[0]) for batch in batches) <= 2 * 50 + 20
    entries = await store.log.read("group_x", 0, 9_999)
    assert [entry.seq for entry in entries] == list(range(1, 2_002))
    await store.close()
    assert check(path) == []


async def test_what_was_folded_goes_from_it_a_slice_at_a_time(
    path: Path, clock: ManualClock
) -> None:
    settings = SqliteSettings(journal_entries=200, fold_slice=10, fold_interval_ms=3_600_000)
    store = await opened(path, clock, settings)
    await send(store, create("group_x", "ann", "bob"))
    rows = [0]
    while len(rows) < 600 or rows[-1] >= rows[-2]:
        await send(store, say(len(rows)))
        rows.append(count(path, "journal"))
    assert max(before + 1 - after for before, after in pairwise(rows)) == 2 * 10
    assert max(rows) < 200
    killed = await opened(as_if_killed(path), clock, settings)
    for each in (store, killed):
        entries = await each.log.read("group_x", 0, 9_999)
        assert [entry.seq for entry in entries] == list(range(1, len(rows) + 1))
        await each.close()
        assert check(each._path) == []


async def test_it_is_bounded_by_bytes(path: Path, clock: ManualClock) -> None:
    store = await opened(path, clock, SqliteSettings(journal_bytes=20_000))
    await send(store, create("group_x", "ann", "bob"))
    for number in range(50):
        await send(store, say(number, "x" * 5_000))
    assert count(path, "journal") <= 10
    await store.close()


async def test_a_fold_that_fails_loses_nothing_and_is_done_later(
    path: Path, clock: ManualClock
) -> None:
    store = await opened(path, clock, SqliteSettings(journal_entries=20))
    await send(store, create("group_x", "ann", "bob"))
    refuse = "CREATE TRIGGER refuse BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'no'); END"
    await store._writer.write(lambda db, _: db.execute(refuse), None)
    outcomes = [await outcome(store, say(number)) for number in range(20)]
    acked = [each for each in outcomes if isinstance(each, Appended)]
    assert 0 < len(acked) < 20
    assert len(await store.log.read("group_x", 0, 99)) == 1 + len(acked)
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER refuse")
    await store.open("secured")
    seqs = [(await send(store, say(number))).entries[0].seq for number in range(20)]
    assert seqs == list(range(2, 22))
    await store.close()
    assert check(path) == []


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("DELETE FROM journal WHERE id = 3", "group_x: the journal goes on with Seq 4 after 2"),
        ("DELETE FROM journal WHERE id IN (3, 4)", "group_x: the journal has bob at 3, the end"),
        (
            "UPDATE journal SET batch = CAST(replace(batch, '{', '[') AS BLOB) WHERE id = 3",
            "group_x: the entry at Seq 3 is no JSON object",
        ),
        ("UPDATE journal SET batch = x'93' WHERE id = 3", "the file cannot be read: the journal's"),
    ],
)
async def test_the_check_finds_a_journal_that_does_not_go_on(
    store: SqliteStore, path: Path, tmp_path: Path, damage: str, finding: str
) -> None:
    copy = tmp_path / "copy.db"
    await asyncio.to_thread(backup, path, copy)
    assert check(copy) == []
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        assert db.execute(damage).rowcount > 0
    assert [line for line in check(copy) if line.startswith(finding)], check(copy)


async def test_a_damaged_journal_is_not_served(
    store: SqliteStore, path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    copy = tmp_path / "copy.db"
    await asyncio.to_thread(backup, path, copy)
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        db.execute("UPDATE journal SET batch = x'93' WHERE id = 3")
    with pytest.raises(StoreRefused, match="the journal's batch 3 is damaged"):
        await opened(copy, clock, NEVER_FOLDED)
