"""Keys of idempotence in SQLite: found wherever they are kept, before and after they are folded."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.asking import message, send
from webchat.adapters.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, check, schema
from webchat.adapters.sqlite.keys import key_hash
from webchat.ports.log import Append

SETTINGS = SqliteSettings(journal_entries=4, fold_interval_ms=60_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "webchat.db"


@pytest.fixture
async def store(path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(path, SETTINGS, clock)
    await made.open("secured")
    yield made
    await made.close()
    assert check(path) == []


def one(msg_id: str) -> Append:
    return Append("group_x", (message("ann", msg_id),))


def count_of(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


@pytest.mark.parametrize(("written", "folded"), [(3, 0), (4, 0), (5, 4), (8, 4), (9, 8)])
async def test_keys_are_found_whether_folded_or_not(
    store: SqliteStore, path: Path, written: int, folded: int
) -> None:
    entries = [(await send(store, one(str(number)))).entries for number in range(written)]
    assert count_of(path, "entry") == count_of(path, "entry_key") == folded
    for number in range(written):
        assert await store.log.find("group_x", "ann", str(number)) == entries[number][0]
        again = await send(store, one(str(number)))
        assert (again.entries, again.fresh) == (entries[number], False)
    assert await store.log.find("group_x", "ann", "never") is None


async def test_keys_are_found_after_a_start(store: SqliteStore) -> None:
    for number in range(6):
        await send(store, one(str(number)))
    await store.close()
    await store.open("secured")
    seqs = [(await send(store, one(str(number)))).entries[0].seq for number in range(7)]
    assert seqs == [1, 2, 3, 4, 5, 6, 7]


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
