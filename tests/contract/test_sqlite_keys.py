"""Keys of idempotence in SQLite: found wherever they are kept, before and after they are folded."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.asking import message, send
from webchat.adapters.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, check
from webchat.adapters.sqlite.keys import Keys, key_hash
from webchat.adapters.sqlite.logs import Logs
from webchat.adapters.sqlite.schema import migrate
from webchat.ports.log import Append

SETTINGS = SqliteSettings(max_unfolded_keys=4)


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


def folded_in(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM entry_key").fetchone()[0])


@pytest.mark.parametrize(("written", "folded"), [(3, 0), (4, 4), (7, 4), (9, 8)])
async def test_keys_are_found_whether_folded_or_not(
    store: SqliteStore, path: Path, written: int, folded: int
) -> None:
    entries = [(await send(store, one(str(number)))).entries for number in range(written)]
    assert folded_in(path) == folded
    for number in range(written):
        again = await send(store, one(str(number)))
        assert (again.entries, again.fresh) == (entries[number], False)
        assert await store.log.find("group_x", "ann", str(number)) == entries[number][0]
    assert await store.log.find("group_x", "ann", "never") is None


async def test_keys_are_found_after_a_start(store: SqliteStore, path: Path) -> None:
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


@pytest.fixture
def db(path: Path, clock: ManualClock) -> Iterator[sqlite3.Connection]:
    """A file with one entry: Seq 1 of `group_x`, by ann, MsgID `m`."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection)
        Logs(clock, SETTINGS).append(connection, one("m"))
        yield connection


def test_another_key_with_the_same_hash_is_another_key(db: sqlite3.Connection) -> None:
    keys, hashed = Keys(max_unfolded=4), key_hash("ann", "m")
    assert hashed is not None
    assert keys.find(db, 1, hashed, "ann", "m") is not None
    assert keys.find(db, 1, hashed, "ann", "other") is None
    assert keys.find(db, 2, hashed, "ann", "m") is None


@pytest.mark.parametrize("max_unfolded", [2, 9])
def test_two_keys_with_one_hash_are_both_found(db: sqlite3.Connection, max_unfolded: int) -> None:
    keys, logs = Keys(max_unfolded), Logs(ManualClock(), SETTINGS)
    keys.find(db, 1, 7, "nobody", "nothing")
    logs.append(db, one("other"))
    keys.add(db, 1, key_hash("ann", "m"), 2)
    hashed = key_hash("ann", "m")
    assert hashed is not None
    first = keys.find(db, 1, hashed, "ann", "m")
    second = keys.find(db, 1, hashed, "ann", "other")
    assert [row and row[0] for row in (first, second)] == [1, 2]


def test_the_same_hash_is_told_apart_when_folded_too(db: sqlite3.Connection) -> None:
    keys, hashed = Keys(max_unfolded=1), key_hash("ann", "m")
    assert hashed is not None
    keys.add(db, 1, hashed, 1)
    assert db.execute("SELECT count(*) FROM entry_key").fetchone() == (1,)
    assert keys.find(db, 1, hashed, "ann", "m") is not None
    assert keys.find(db, 1, hashed, "bob", "m") is None
