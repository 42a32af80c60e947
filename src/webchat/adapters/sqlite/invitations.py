"""Invitations that wait for an answer, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from webchat.adapters.sqlite.reader import Reader, as_list, bounded
from webchat.adapters.sqlite.writer import Writer
from webchat.model import ConvID, Invitation, Uid

_INVITATIONS: Final = "SELECT id, conv, uid, by, at FROM invitation"
_ASKED: Final = """
    SELECT uid FROM json_each(?) AS asked
    CROSS JOIN invitation ON uid = asked.value AND conv = ?"""


class SqliteInvitations:
    """Invitations by whom they ask. See `ports/invitations.py`."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._write = writer.write
        self._reader = reader

    async def of_user(self, uid: Uid, limit: int) -> Sequence[Invitation]:
        """The newest that wait for the user, newest first."""
        query = f"{_INVITATIONS} WHERE uid = ? ORDER BY number DESC LIMIT ?"
        return await self._read(query, (uid, bounded(limit)))

    async def find(self, uid: Uid, invitation_id: str) -> Invitation | None:
        """The user's invitation of that id."""
        found = await self._read(f"{_INVITATIONS} WHERE uid = ? AND id = ?", (uid, invitation_id))
        return found[0] if found else None

    async def asked_among(self, conv: ConvID, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` for whom an invitation waits."""
        parameters = (as_list(uids), conv)
        rows = await self._reader.read(lambda db: db.execute(_ASKED, parameters).fetchall())
        return {uid for (uid,) in rows}

    async def claim(self, invitation: Invitation) -> bool:
        """The user is about to come in by it."""
        return await self._write(_claim, invitation)

    async def decline(self, invitation: Invitation) -> bool:
        """Forget those of the user to the group, unless one is claimed."""
        return await self._write(_decline, invitation)

    async def drop(self, uid: Uid, conv: ConvID) -> None:
        """Forget those of the user to `conv`."""
        await self._write(_drop, (uid, conv))

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[Invitation]:
        rows = await self._reader.read(lambda db: db.execute(query, parameters).fetchall())
        return [Invitation(*row) for row in rows]


def save_invitations(db: sqlite3.Connection, invitations: Iterable[Invitation], at: int) -> None:
    """Keep invitations that an entry of `at` (ms) made, within its transaction."""
    rows = [(each.id, each.conv, each.uid, each.by, at) for each in invitations]
    db.executemany("INSERT INTO invitation (id, conv, uid, by, at) VALUES (?, ?, ?, ?, ?)", rows)


def _claim(db: sqlite3.Connection, invitation: Invitation) -> bool:
    update = "UPDATE invitation SET claimed = 1 WHERE uid = ? AND id = ?"
    return db.execute(update, (invitation.uid, invitation.id)).rowcount > 0


def _decline(db: sqlite3.Connection, invitation: Invitation) -> bool:
    key = (invitation.uid, invitation.conv)
    query = "SELECT 1 FROM invitation WHERE uid = ? AND id = ?"
    if db.execute(query, (invitation.uid, invitation.id)).fetchone() is None:
        return False
    update = "UPDATE invitation SET claimed = 0 WHERE uid = ? AND conv = ? AND claimed"
    return not db.execute(update, key).rowcount and _drop(db, key) > 0


def _drop(db: sqlite3.Connection, key: tuple[Uid, ConvID]) -> int:
    return db.execute("DELETE FROM invitation WHERE uid = ? AND conv = ?", key).rowcount
