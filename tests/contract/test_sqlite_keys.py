"""Keys of idempotence in SQLite: found wherever they are kept, before and after they are folded."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice, pairwise
from pathlib import Path

import pytest

from tests.contract.asking import message, send
from tests.contract.early_folding import SETTINGS, one
from tests.contract.early_folding import store as store
from tests.contract.killed import as_if_killed
from tests.memory import ManualClock
from webchat.adapters.sqlite import (
    SqliteSettings,
    SqliteStore,
    backup,
    check,
    keyjournal,
    ledger,
    schema,
)  # fmt: skip
from webchat.adapters.sqlite.keyjournal import KeyJournal
from webchat.adapters.sqlite.keys import key_hash
from webchat.errors import WebchatError
from webchat.ports.log import Append
from webchat.ports.store import StoreRefused

REFUSE = "CREATE TRIGGER refuse BEFORE INSERT ON entry_key BEGIN SELECT RAISE(ABORT, 'no'); END"


def count_in(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def count_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        return count_in(db, table)


@pytest.mark.parametrize(
    ("written", "entries", "keys"),
    [(3, 0, 0), (4, 0, 0), (5, 4, 0), (6, 4, 4), (8, 4, 4), (9, 8, 4), (10, 8, 8)],
)
async def test_keys_are_found_whether_folded_or_not(
    store: SqliteStore, path: Path, written: int, entries: int, keys: int
) -> None:
    sent = [(await send(store, one(str(number)))).entries for number in range(written)]
    assert (count_of(path, "entry"), count_of(path, "entry_key")) == (entries, keys)
    for number in range(written):
        assert await store.log.find("group_x", "ann", str(number)) == sent[number][0]
        again = await send(store, one(str(number)))
        assert (again.entries, again.fresh) == (sent[number], False)
    assert await store.log.find("group_x", "ann", "never") is None


async def test_keys_are_found_after_a_start(store: SqliteStore, path: Path) -> None:
    for number in range(6):
        await send(store, one(str(number)))
    await store.close()
    assert count_of(path, "key_journal") == 1
    await store.open("secured")
    seqs = [(await send(store, one(str(number)))).entries[0].seq for number in range(7)]
    assert seqs == [1, 2, 3, 4, 5, 6, 7]


async def test_keys_are_found_after_a_start_from_what_was_killed(
    store: SqliteStore, path: Path, clock: ManualClock
) -> None:
    for number in range(7):
        await send(store, one(str(number)))
    copied = as_if_killed(path)
    killed = SqliteStore(copied, SETTINGS, clock)
    await killed.open("secured")
    seqs = [(await send(killed, one(str(number)))).entries[0].seq for number in range(8)]
    assert seqs == [1, 2, 3, 4, 5, 6, 7, 8]
    await killed.close()
    assert check(copied) == []


async def test_a_tool_beside_finds_keys_and_brings_them_into_their_table(
    store: SqliteStore, path: Path, clock: ManualClock
) -> None:
    for number in range(5):
        await send(store, one(str(number)))
    tool = SqliteStore.beside(path, SETTINGS, clock)
    await tool.open("secured")
    found = await tool.log.find("group_x", "ann", "1")
    assert found is not None
    assert found.seq == 2
    assert (count_of(path, "key_journal"), count_of(path, "entry_key")) == (0, 5)
    assert not (await send(tool, one("2"))).fresh
    await tool.close()
    seqs = [(await send(store, one(str(number)))).entries[0].seq for number in range(20)]
    assert seqs == list(range(1, 21))


async def test_keys_do_not_grow_beyond_their_bound(path: Path, clock: ManualClock) -> None:
    few = SqliteSettings(journal_entries=10, journal_keys=50, fold_slice=10)
    store = SqliteStore(path, few, clock)
    await store.open("secured")
    for first in range(0, 2_000, 20):
        await asyncio.gather(*(send(store, one(str(first + number))) for number in range(20)))
        assert count_of(path, "entry") - count_of(path, "entry_key") <= 2 * 50 + 40
    assert count_of(path, "key_journal") <= 2 * 50
    await store.close()
    assert check(path) == []


async def test_the_rows_of_folded_keys_go_a_few_at_a_time(path: Path, clock: ManualClock) -> None:
    settings = SqliteSettings(journal_entries=1, journal_keys=40, fold_slice=2)
    store = SqliteStore(path, settings, clock)
    await store.open("secured")
    rows, written = [0], 0
    while len(rows) < 200 or rows[-1] >= rows[-2]:
        await send(store, one(str(written)))
        written += 1
        rows.append(count_of(path, "key_journal"))
    assert max(before - after for before, after in pairwise(rows)) == 2 * 2
    assert max(rows) < 2 * 40
    killed = SqliteStore(as_if_killed(path), settings, clock)
    await killed.open("secured")
    for each in (store, killed):
        for _ in range(2):
            seqs = [(await send(each, one(str(n)))).entries[0].seq for n in range(written + 50)]
            assert seqs == list(range(1, written + 51))
        await each.close()
        assert check(each._path) == []


def test_at_no_time_is_a_key_in_neither_place_though_each_transaction_fails_once() -> None:
    keys = KeyJournal(SqliteSettings(journal_keys=50, fold_slice=5))
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db)
        for at in range(0, 3 * 50, 3):
            keys.note(db, (at, at, at))
            keys.committed()
        rows = [50]
        while not keys.is_empty:
            for end, said in (("ROLLBACK", keys.rolled_back), ("COMMIT", keys.committed)):
                db.execute("BEGIN")
                keys.go_on(db, 1)
                db.execute(end)
                said()
                folded = {key for (key,) in db.execute("SELECT entry FROM entry_key")}
                noted = {id_ for _, batch in keyjournal.batches(db) for id_ in batch}
                assert folded | noted == set(range(0, 3 * 50, 3))
            rows.append(count_in(db, "key_journal"))
        assert rows == [50] * 11 + [40, 30, 20, 10, 0, 0]


async def test_keys_whose_transaction_failed_are_folded_with_the_next_one(
    path: Path, clock: ManualClock
) -> None:
    store = SqliteStore(
        path, SqliteSettings(journal_entries=8, journal_keys=8, fold_slice=2), clock
    )
    await store.open("secured")
    for number in range(100):
        await send(store, one(str(number)))
        with pytest.raises(Exception, match="a write failed"):
            await send(store, Append("group_x", (message("ann", "\ud800"),)))
    assert count_of(path, "entry_key") > 50
    assert [(await send(store, one(str(number)))).fresh for number in range(100)] == [False] * 100
    await store.close()
    assert check(path) == []


async def test_keys_that_cannot_be_folded_are_not_lost(path: Path, clock: ManualClock) -> None:
    store = SqliteStore(path, SETTINGS, clock)
    await store.open("secured")
    await store._writer.write(lambda db, _: db.execute(REFUSE), None)
    acked = 0
    for number in range(9):
        with suppress(WebchatError):
            await send(store, one(str(number)))
            acked += 1
    assert 0 < acked < 9
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER refuse")
    await store.open("secured")
    seqs = [(await send(store, one(str(number)))).entries[0].seq for number in range(9)]
    assert seqs == list(range(1, 10))
    await store.close()
    assert check(path) == []


async def test_keys_that_another_brought_into_their_table_meanwhile_are_let_go(
    store: SqliteStore, path: Path, clock: ManualClock
) -> None:
    await store._writer.write(lambda db, _: db.execute(REFUSE), None)
    for number in range(5):
        await send(store, one(str(number)))
    with pytest.raises(WebchatError):  # they are to be folded with it
        await send(store, one("5"))
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP TRIGGER refuse")
    tool = SqliteStore.beside(path, SETTINGS, clock)
    await tool.open("secured")
    await send(tool, one("5"))
    await tool.close()
    for number in range(6, 20):
        await send(store, one(str(number)))
    assert [(await send(store, one(str(number)))).fresh for number in range(20)] == [False] * 20


async def test_keys_for_which_there_is_no_memory_are_folded_later(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(left: Iterator[int], _: int) -> Iterator[int]:
        yield from islice(left, 4)
        raise MemoryError

    for number in range(5):
        await send(store, one(str(number)))
    with monkeypatch.context() as patch:
        patch.setattr(keyjournal, "islice", failing)
        with pytest.raises(WebchatError):
            await send(store, one("5"))
    await send(store, one("5"))
    assert count_of(path, "entry_key") == 4
    assert [(await send(store, one(str(number)))).fresh for number in range(6)] == [False] * 6


def test_keys_that_cannot_be_folded_cost_the_same_however_often_it_is_tried() -> None:
    keys = KeyJournal(SqliteSettings(journal_keys=1_000, fold_slice=100))

    def in_use_after(times: int) -> int:
        """How many bytes of what webchat made, after it failed so often."""
        for _ in range(times):
            with suppress(sqlite3.OperationalError):
                keys.go_on(db, 1)
            keys.rolled_back()
        gc.collect()
        made = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, "*/webchat/*")])
        return sum(trace.size for trace in made.traces)

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db)
        keys.note(db, range(3 * 1_000))
        keys.committed()
        db.execute("PRAGMA query_only = ON")
        tracemalloc.start()
        first, last = in_use_after(10), in_use_after(200)
        tracemalloc.stop()
        assert last < first + 10_000
        db.execute("PRAGMA query_only = OFF")
        while not keys.is_empty:
            keys.go_on(db, 1)
            keys.committed()
        assert (count_in(db, "entry_key"), count_in(db, "key_journal")) == (1_000, 0)


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("DELETE FROM key_journal", "group_x: the entry at Seq 1 is not found by its key"),
        ("UPDATE key_journal SET batch = x'93'", "the file cannot be read: the keys' batch 1 is"),
    ],
)
async def test_the_check_finds_keys_that_are_missing_or_damaged(
    store: SqliteStore, path: Path, tmp_path: Path, damage: str, finding: str
) -> None:
    for number in range(5):
        await send(store, one(str(number)))
    copy = tmp_path / "copy.db"
    await asyncio.to_thread(backup, path, copy)
    assert check(copy) == []
    with closing(sqlite3.connect(copy, isolation_level=None)) as db:
        assert db.execute(damage).rowcount == 1
    assert [line for line in check(copy) if line.startswith(finding)], check(copy)


async def test_damaged_keys_are_not_served(store: SqliteStore, path: Path) -> None:
    for number in range(5):
        await send(store, one(str(number)))
    await store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        (batch,) = db.execute("SELECT batch FROM key_journal").fetchone()
        db.execute("UPDATE key_journal SET batch = x'93'")
    with pytest.raises(StoreRefused, match="the keys' batch 2 is damaged"):
        await store.open("secured")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE key_journal SET batch = ?", (batch,))
    await store.open("secured")


async def test_keys_of_a_batch_that_was_rolled_back_are_forgotten(store: SqliteStore) -> None:
    await send(store, one("before"))
    lost = send(store, one("lost"))
    with pytest.raises(Exception, match="a write failed"):
        await send(store, Append("group_x", (message("ann", "\ud800"),)))
    assert (await lost).entries[0].seq == 2
    assert (await send(store, one("after"))).entries[0].seq == 3
    assert (await send(store, one("lost"))).entries[0].seq == 2


async def test_a_log_made_in_a_batch_that_was_rolled_back_is_made_again(
    store: SqliteStore, path: Path
) -> None:
    lost = send(store, Append("group_y", (message("ann", "first"),)))
    with pytest.raises(Exception, match="a write failed"):
        await send(store, Append("group_y", (message("ann", "\ud800"),)))
    assert (await lost).entries[0].seq == 1
    await store.close()
    assert count_of(path, "log") == 1
    await store.open("secured")
    assert len(await store.log.read("group_y", 0, 9)) == 1


@pytest.mark.parametrize("other", ["second", "third"])
async def test_another_key_with_the_same_hash_is_another_key(
    store: SqliteStore, path: Path, other: str
) -> None:
    await send(store, one("first"))
    await send(store, one("second"))
    await store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        collide = "INSERT INTO entry_key SELECT log, ?, id FROM entry WHERE msg_id = 'first'"
        db.execute(collide, (key_hash("ann", other),))
    await store.open("secured")
    seqs = {each: (await send(store, one(each))).entries[0].seq for each in ("first", other)}
    assert seqs == {"first": 1, other: 2 if other == "second" else 3}


async def test_keys_that_all_have_the_same_hash_are_keys_all_the_same(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (keyjournal, ledger):
        monkeypatch.setattr(module, "key_hash", lambda *_: 7)
    store = SqliteStore(path, SETTINGS, clock)
    await store.open("secured")
    for _ in range(2):
        seqs = [(await send(store, one(str(number)))).entries[0].seq for number in range(20)]
        assert seqs == list(range(1, 21))
    await store.close()


async def test_keys_of_an_older_file_are_found(tmp_path: Path, clock: ManualClock) -> None:
    """Before the journal, the newest keys were in no table but that of the entries."""
    path = tmp_path / "older.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in (*schema.STEPS[0], *schema.STEPS[1]):
            db.execute(statement)
        db.execute("INSERT INTO log VALUES (1, 'group_x', 0)")
        row = "VALUES (?, 1, ?, ?, 1, 0, 'message', 'ann', ?, CAST('{}' AS BLOB))"
        for seq in (1, 2):
            db.execute(f"INSERT INTO entry {row}", (seq, seq, seq, str(seq)))
        db.execute("INSERT INTO entry_key VALUES (1, ?, 1)", (key_hash("ann", "1"),))
        db.execute("UPDATE counter SET value = 1")
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute("PRAGMA user_version = 2")
    store = SqliteStore(path, SETTINGS, clock)
    await store.open("secured")
    seqs = [(await send(store, one(str(number)))).entries[0].seq for number in (1, 2, 3)]
    assert seqs == [1, 2, 3]
    await store.close()
    assert check(path) == []
