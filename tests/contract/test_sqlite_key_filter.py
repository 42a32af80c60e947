"""What says which keys are new: it forgets none, whoever wrote it, and spares others a look."""

from __future__ import annotations

import logging
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.asking import message, send
from tests.contract.early_folding import SETTINGS, one
from tests.contract.early_folding import store as store
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, keyfilter, keyjournal, schema
from webchat.adapters.sqlite.keyfilter import KeyFilter
from webchat.adapters.sqlite.keyjournal import KeyJournal
from webchat.adapters.sqlite.openlog import OpenLog
from webchat.model import Draft, seal
from webchat.ports.log import Append
from webchat.ports.transfer import EntryRecord

PAGE_BYTES = 4096


async def looks_of(store: SqliteStore, msg_id: str) -> int:
    """How often the table of keys is asked when that is sent."""
    asked: list[str] = []
    await store._writer.write(lambda db, _: db.set_trace_callback(asked.append), None)
    await send(store, one(msg_id))
    await store._writer.write(lambda db, _: db.set_trace_callback(None), None)
    return sum("FROM entry_key WHERE log" in statement for statement in asked)


async def test_new_keys_are_not_looked_for_once_the_table_was_read(store: SqliteStore) -> None:
    for number in range(10):
        await send(store, one(str(number)))
    await store.close()
    await store.open("secured")
    assert await looks_of(store, "new") == 0
    assert await looks_of(store, "0") == 1
    assert [(await send(store, one(str(number)))).fresh for number in range(10)] == [False] * 10


async def test_a_table_is_read_a_slice_at_a_time_while_messages_come(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        await send(store, one(str(number)))
    await store.close()
    monkeypatch.setattr(keyfilter, "_SLICE", 3)
    await store.open("secured")
    looks = [await looks_of(store, f"new {number}") for number in range(12)]
    assert looks == sorted(looks, reverse=True)
    assert (looks[0], looks[-1]) == (1, 0)
    assert [(await send(store, one(str(number)))).fresh for number in range(20)] == [False] * 20


async def test_a_quiet_server_reads_all_of_the_table_and_rests_then(
    path: Path, store: SqliteStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        await send(store, one(str(number)))
    await store.close()
    monkeypatch.setattr(keyfilter, "_SLICE", 1)
    quiet = SqliteStore(path, SqliteSettings(fold_interval_ms=1), clock)
    await quiet.open("secured")
    memory = quiet._writer._memory
    while not memory.is_at_rest or memory.is_learning:
        await quiet.nodes.all()
    assert await looks_of(quiet, "new") == 0
    await quiet.close()


async def test_a_store_closes_without_reading_the_rest_of_the_table(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        await send(store, one(str(number)))
    await store.close()
    monkeypatch.setattr(keyfilter, "_SLICE", 1)
    await store.open("secured")
    await send(store, one("new"))
    memory = store._writer._memory
    await store.close()
    assert memory.is_learning
    await store.open("secured")


async def test_what_a_tool_beside_has_written_is_known(
    path: Path, store: SqliteStore, clock: ManualClock
) -> None:
    for number in range(10):
        await send(store, one(str(number)))
    tool = SqliteStore.beside(path, SETTINGS, clock)
    await tool.open("secured")
    for number in range(10, 20):
        await send(tool, one(str(number)))
    await tool.close()
    assert [(await send(store, one(str(number)))).fresh for number in range(20)] == [False] * 20


async def test_what_was_restored_is_known(store: SqliteStore) -> None:
    draft = Draft("message", "ann", "kept", b'{"Body":"kept"}')
    await send(store, one("0"))
    entry = seal(draft, "group_y", 1, 1, 1)
    await store.transfer.restore([EntryRecord(entry, members_seq=1)])
    again = await send(store, Append("group_y", (message("ann", "kept"),)))
    assert (again.fresh, again.entries[0].seq) == (False, 1)


@pytest.mark.parametrize("seed", range(20))
def test_no_key_is_taken_for_new_in_whatever_order_things_happen(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(keyfilter, "_SLICE", 3)
    monkeypatch.setattr(keyfilter, "_LEAST_BYTES", 4)
    keys = KeyJournal(SqliteSettings(journal_keys=20, fold_slice=2, key_filter_bytes=64))
    logs = [OpenLog(number, f"group_{number}") for number in (1, 2, 3)]
    known: set[tuple[OpenLog, int]] = set()
    filled = 0

    def new_keys() -> tuple[set[tuple[OpenLog, int]], list[int]]:
        """Some that were not there before, and the same as they are written."""
        made = {(chance.choice(logs), chance.getrandbits(63)) for _ in range(chance.randrange(4))}
        flat: list[int] = []
        for id_, (log, hashed) in enumerate(made, len(known) + 1):
            flat += (log.id, hashed, id_)
            row = "VALUES (?, 1, ?, 1, 1, 0, 'message', 'ann', '', x'')"
            db.execute(f"INSERT OR IGNORE INTO entry {row}", (id_, id_))
        return made, flat

    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db)
        keys.learn_anew(db)
        for _ in range(400):
            db.execute("BEGIN")
            made, flat = new_keys()
            match chance.choice(["note", "note", "note", "fail", "put", "others", "learn"]):
                case "note":
                    keys.go_on(db, len(made))
                    keys.note(db, flat)
                    db.execute("COMMIT")
                    keys.committed()
                    known |= made
                case "fail":
                    keys.go_on(db, len(made))
                    keys.note(db, flat)
                    db.execute("ROLLBACK")
                    keys.rolled_back()
                case "put":
                    keys.put(db, flat)
                    db.execute("COMMIT")
                    known |= made
                case "others":
                    keyjournal.fold_all(db)
                    db.execute("COMMIT")
                    keys.forget()
                    keys.learn_anew(db)
                case "learn":
                    db.execute("ROLLBACK")
                    if not chance.randrange(5):
                        keys.learn_anew(db)
            if keys.is_learning and chance.randrange(3):
                keys.learn(db, len(made))
            filled += not keys.is_learning
            assert keys.met(db, known) == known
            strangers = {(log, chance.getrandbits(63)) for log in logs}
            assert keys.met(db, strangers) == set()
    assert filled > 20


def test_it_grows_with_the_table_and_no_further_than_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keyfilter, "_LEAST_BYTES", 16)
    filter_, chance = KeyFilter(max_bytes=1_000), random.Random(1)
    strangers = [(None, chance.getrandbits(63)) for _ in range(1_000)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        schema.migrate(db)
        filter_.begin(db)
        filter_.go_on(db, 0)
        wrong = []
        for id_ in range(1, 500):
            hashed = chance.getrandbits(63)
            db.execute(
                "INSERT INTO entry VALUES (?, 1, ?, 1, 1, 0, 'message', '', '', x'')", (id_, id_)
            )
            db.execute("INSERT INTO entry_key VALUES (1, ?, ?)", (hashed, id_))
            filter_.add([hashed])
            if filter_.is_outgrown:
                filter_.begin(db)
                while filter_.is_filling:
                    filter_.go_on(db, 0)
            wrong.append(len(filter_.maybe_known(strangers)))
        assert max(wrong) < 200
        for _ in range(500, 3_000):
            filter_.add([chance.getrandbits(63)])
            assert not filter_.is_outgrown
        assert len(filter_.maybe_known(strangers)) < 600
        db.execute("UPDATE entry SET id = 3000 WHERE id = 1")
        filter_.begin(db)
        assert not filter_.is_filling
        assert filter_.maybe_known(strangers) == strangers


async def test_a_damaged_table_of_keys_stops_nothing_that_does_not_need_it(
    path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    store = SqliteStore(path, SqliteSettings(fold_interval_ms=60_000), clock)
    await store.open("secured")
    drafts = tuple(message("ann", str(number)) for number in range(1_000))
    for conv in ("group_x", "group_y"):
        await send(store, Append(conv, drafts))
    await store.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        keyjournal.fold_all(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # A leaf in the middle of the first log's keys.
        pages = "SELECT pageno FROM dbstat WHERE name = 'entry_key' AND pagetype = 'leaf'"
        leaves = [page for (page,) in db.execute(f"{pages} ORDER BY path")]
    with path.open("r+b") as file:
        file.seek((leaves[len(leaves) // 4] - 1) * PAGE_BYTES)
        file.write(b"\xff" * 100)
    await store.open("secured")
    caplog.set_level(logging.WARNING)
    for msg_id in ("new", "newer"):
        sent = await send(store, Append("group_y", (message("ann", msg_id),)))
        assert sent.fresh
    assert [record.message for record in caplog.records if "one by one" in record.message] == [
        "keys are looked up one by one: database disk image is malformed"
    ]
    again = await send(store, Append("group_y", (message("ann", "5"),)))
    assert (again.fresh, again.entries[0].seq) == (False, 6)
    await store.close()
