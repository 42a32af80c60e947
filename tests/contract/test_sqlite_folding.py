"""Reads of an SQLite store while the journal is folded: what is committed is seen all the same."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from tests.contract.asking import create, message, send
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.ports.log import Append

T = TypeVar("T")
NEVER_FOLDED: Final = SqliteSettings(fold_interval_ms=3_600_000)
DEADLINE_S: Final = 10
READS: Final[dict[str, Callable[[SqliteStore], Awaitable[object]]]] = {
    "read": lambda store: store.log.read("group_x", 0, 9),
    "read each": lambda store: store.log.read_each({"group_x": 0}, 9),
    "read before": lambda store: store.log.read_before("group_x", None, 9),
    "heads": lambda store: store.log.heads(["group_x"]),
    "following": lambda store: store.following.of("bob"),
    "newest": lambda store: store.following.newest("bob", None, 9),
}


@pytest.fixture
async def store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    """A group with three messages, of which the tables have the `create` alone."""
    made = SqliteStore(tmp_path / "webchat.db", NEVER_FOLDED, clock)
    await made.open("secured")
    await send(made, create("group_x", "ann", "bob"))
    for number in (1, 2, 3):
        await send(made, Append("group_x", (message("ann", str(number)),)))
    yield made
    await made.close()


@pytest.mark.parametrize("queries", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("at_once", [True, False])
async def test_what_is_folded_while_it_is_read_is_seen_all_the_same(
    store: SqliteStore, name: str, queries: int, at_once: bool
) -> None:
    read = READS[name]
    expected = await read(store)
    fold_after(queries, store, at_once=at_once)
    assert await read(store) == expected


def fold_after(queries: int, store: SqliteStore, *, at_once: bool) -> None:
    """Let whoever reads logs fold `group_x` once the tables were asked so often: at once, as before
    an act that needs to find it there, or as a slice of all."""
    reader, loop = store._reader, asyncio.get_running_loop()
    ports: Any = store
    logs = ports.positions._logs

    def begin(db: sqlite3.Connection, _: str) -> None:
        logs._ledger._folding.begin(logs._ledger._unfolded.values())

    def fold() -> None:
        folding = store._writer.write(logs.settle if at_once else begin, "group_x")
        asyncio.run_coroutine_threadsafe(folding, loop).result(DEADLINE_S)
        assert logs._ledger.tail("group_x") is None

    class Reader:
        async def read(self, query: Callable[[Any], T]) -> T:
            return await reader.read(lambda db: query(Asked(db, queries, fold)))

        brief = read

    ports.log._reader = ports.following._reader = Reader()


class Asked:
    """A connection; once it was asked so often, it does something."""

    def __init__(self, db: sqlite3.Connection, queries: int, act: Callable[[], None]) -> None:
        self._db = db
        self._left = queries
        self._act = act
        self._act_in_time()

    def execute(self, query: str, parameters: Sequence[object] = ()) -> Rows:
        """All that the query gives."""
        rows = Rows(self._db.execute(query, parameters))
        self._left -= 1
        self._act_in_time()
        return rows

    def _act_in_time(self) -> None:
        if self._left == 0:
            self._act()


class Rows(list[Any]):
    """What a query gave."""

    def fetchone(self) -> Any:
        return self[0] if self else None

    def fetchall(self) -> list[Any]:
        return self
