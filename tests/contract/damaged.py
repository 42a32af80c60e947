"""A page of an SQLite store that is damaged on the disk, perhaps while a process serves it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from webchat.adapters.sqlite import SqliteStore
from webchat.model import ConvID

PAGE_BYTES: Final = 4096
DEADLINE_S: Final = 20
READERS: Final = [f"reader{number}" for number in range(1_000)]
"""So many that their positions in a group take several pages."""


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the store says in the log."""
    return [each.getMessage() for each in caplog.records if each.name.startswith("webchat.")]


def damage(path: Path, name: str) -> Callable[[], None]:
    """Destroy a page of the table or index; what is returned mends it."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return _destroy(path, name)


def damage_served(
    store: SqliteStore, path: Path, name: str, *, last: bool = False
) -> Callable[[], None]:
    """The same, while `store` serves it, which then has the page in memory no more. `last`: the
    page to which rows are added."""
    forget_pages(store)
    return _destroy(path, name, last=last)


def forget_pages(store: SqliteStore) -> None:
    """Have its writer keep no page in memory, nor in the write-ahead log."""
    for setting in ("cache_size = 0", "shrink_memory", "wal_checkpoint(TRUNCATE)"):
        store._writer._db.execute(f"PRAGMA {setting}").fetchall()


def damage_end(path: Path, conv: ConvID) -> None:
    """Destroy the page with the newest entry of a log that the tables have."""
    for page in _leaves(path, "entry"):
        mend = _destroy_page(path, page)
        if not _has_end(path, conv):
            return
        mend()
    raise AssertionError(f"no page has the end of {conv}")


def _has_end(path: Path, conv: ConvID) -> bool:
    query = """SELECT n FROM entry WHERE log = (SELECT id FROM log WHERE name = ?)
        ORDER BY seq DESC LIMIT 1"""
    with closing(sqlite3.connect(path)) as db:
        try:
            return bool(db.execute(query, (conv,)).fetchone())
        except sqlite3.DatabaseError:
            return False


async def come_to_rest(store: SqliteStore) -> None:
    """Wait until the tables have everything."""
    memory = store._writer._memory
    async with asyncio.timeout(DEADLINE_S):
        while memory.is_learning or not memory.is_at_rest:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def _destroy(path: Path, name: str, *, last: bool = False) -> Callable[[], None]:
    leaves = _leaves(path, name)
    return _destroy_page(path, leaves[-1 if last else len(leaves) // 2])


def _leaves(path: Path, name: str) -> list[int]:
    pages = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
    with closing(sqlite3.connect(path)) as db:
        return [page for (page,) in db.execute(pages, (name,))]


def _destroy_page(path: Path, page: int) -> Callable[[], None]:
    start = (page - 1) * PAGE_BYTES
    sound = path.read_bytes()[start : start + 100]
    _write(path, start, b"\xff" * 100)
    return lambda: _write(path, start, sound)


def _write(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)
