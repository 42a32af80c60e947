"""A page of an SQLite store that is damaged on the disk, perhaps while a process serves it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from webchat.adapters.sqlite import SqliteStore

PAGE_BYTES: Final = 4096
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
    for setting in ("cache_size = 0", "shrink_memory", "wal_checkpoint(TRUNCATE)"):
        store._writer._db.execute(f"PRAGMA {setting}").fetchall()
    return _destroy(path, name, last=last)


def _destroy(path: Path, name: str, *, last: bool = False) -> Callable[[], None]:
    with closing(sqlite3.connect(path)) as db:
        pages = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
        leaves = [page for (page,) in db.execute(pages, (name,))]
    start = (leaves[-1 if last else len(leaves) // 2] - 1) * PAGE_BYTES
    sound = path.read_bytes()[start : start + 100]
    _write(path, start, b"\xff" * 100)
    return lambda: _write(path, start, sound)


def _write(path: Path, start: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(start)
        file.write(data)
