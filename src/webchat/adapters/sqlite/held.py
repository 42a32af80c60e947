"""Messages that wait for a group the server does not know, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from webchat.adapters.sqlite.reader import Reader
from webchat.adapters.sqlite.writer import Writer
from webchat.model import ConvID, Draft, Uid
from webchat.ports.held import HeldLimits, HeldMessage, check_limits

_HELD: Final = "SELECT id, conv, uid, kind, msg_id, envelope, at FROM held_message"


class SqliteHeld:
    """Held messages in the order of holding. See `ports/held.py`."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._write = writer.write
        self._reader = reader

    async def hold(self, conv: ConvID, draft: Draft, at: int, limits: HeldLimits) -> None:
        """Keep a message, once. Raises WebchatError(RATE_LIMITED)."""
        await self._write(partial(_hold, conv=conv, at=at, limits=limits), draft)

    async def of_group(self, conv: ConvID, not_before: int) -> Sequence[HeldMessage]:
        """All that is held for a group."""
        return await self._read("conv = ?", (conv, not_before))

    async def of_user(self, uid: Uid, not_before: int) -> Sequence[HeldMessage]:
        """All that is held of a user."""
        return await self._read("uid = ?", (uid, not_before))

    async def drop(self, ids: Sequence[int]) -> None:
        """Forget these."""
        await self._write(_drop, ids)

    async def expire(self, before: int) -> None:
        """Forget what was held before that time."""
        await self._write(_expire, before)

    async def _read(self, whose: str, parameters: tuple[str, int]) -> list[HeldMessage]:
        query = f"{_HELD} WHERE {whose} AND at >= ? ORDER BY id"
        rows = await self._reader.read(lambda db: db.execute(query, parameters).fetchall())
        return [
            HeldMessage(id_, conv, uid, Draft(kind, uid, msg_id, envelope), at)
            for id_, conv, uid, kind, msg_id, envelope, at in rows
        ]


def _hold(
    db: sqlite3.Connection, draft: Draft, *, conv: ConvID, at: int, limits: HeldLimits
) -> None:
    not_before = at - limits.lifetime_ms
    if draft.msg_id and _is_held(db, draft, conv, not_before):
        return
    _check_limits(db, draft, conv, not_before, limits)
    _expire(db, not_before)
    db.execute(
        """INSERT INTO held_message (conv, uid, kind, msg_id, envelope, at)
        VALUES (?, ?, ?, ?, ?, ?)""",
        (conv, draft.sender, draft.kind, draft.msg_id, draft.envelope, at),
    )


def _is_held(db: sqlite3.Connection, draft: Draft, conv: ConvID, not_before: int) -> bool:
    query = "SELECT 1 FROM held_message WHERE conv = ? AND uid = ? AND msg_id = ? AND at >= ?"
    key = (conv, draft.sender, draft.msg_id, not_before)
    return db.execute(query, key).fetchone() is not None


def _check_limits(
    db: sqlite3.Connection, draft: Draft, conv: ConvID, not_before: int, limits: HeldLimits
) -> None:
    query = "SELECT count(*) FROM held_message WHERE uid = ? AND at >= ?"
    (of_user,) = db.execute(query, (draft.sender, not_before)).fetchone()
    query = "SELECT ifnull(sum(length(envelope)), 0) FROM held_message WHERE conv = ? AND at >= ?"
    (of_group,) = db.execute(query, (conv, not_before)).fetchone()
    check_limits(conv, draft, limits, of_user=of_user, of_group_bytes=of_group)


def _drop(db: sqlite3.Connection, ids: Sequence[int]) -> None:
    db.executemany("DELETE FROM held_message WHERE id = ?", [(each,) for each in ids])


def _expire(db: sqlite3.Connection, before: int) -> None:
    db.execute("DELETE FROM held_message WHERE at < ?", (before,))
