"""Receipts kept for those who are away, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from webchat.adapters.sqlite.reader import Reading, bounded, first_row
from webchat.adapters.sqlite.writer import Writer
from webchat.model import Uid

_IS_KEPT: Final = "SELECT 1 FROM kept_receipt WHERE uid = ?"


class SqliteKeptReceipts:
    """A bounded queue of receipt envelopes per user. See `ports/kept.py`."""

    def __init__(self, writer: Writer, reader: Reading) -> None:
        self._write = writer.write
        self._reader = reader

    async def keep(self, uid: Uid, envelopes: Sequence[bytes], newest: int) -> None:
        """Append them; beyond `newest` the oldest go."""
        await self._write(partial(_keep, envelopes=envelopes, newest=newest), uid)

    async def take(self, uid: Uid, limit: int) -> Sequence[bytes]:
        """Remove and return the oldest, durably. Where there are none nothing is written."""
        if await first_row(self._reader, _IS_KEPT, (uid,)) is None:
            return []
        return await self._write(partial(_take, limit=limit), uid)


def _keep(db: sqlite3.Connection, uid: Uid, *, envelopes: Sequence[bytes], newest: int) -> None:
    rows = [(uid, envelope) for envelope in envelopes]
    db.executemany("INSERT INTO kept_receipt (uid, envelope) VALUES (?, ?)", rows)
    db.execute(
        """DELETE FROM kept_receipt WHERE uid = ?1 AND id <=
        (SELECT id FROM kept_receipt WHERE uid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)""",
        (uid, bounded(newest)),
    )


def _take(db: sqlite3.Connection, uid: Uid, *, limit: int) -> Sequence[bytes]:
    rows = db.execute(
        "SELECT id, envelope FROM kept_receipt WHERE uid = ? ORDER BY id LIMIT ?",
        (uid, bounded(limit)),
    ).fetchall()
    db.executemany("DELETE FROM kept_receipt WHERE id = ?", [(row[0],) for row in rows])
    return [row[1] for row in rows]
