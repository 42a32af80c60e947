"""Links by which people come into a group, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from webchat.adapters.sqlite.reader import Reader
from webchat.adapters.sqlite.writer import Writer
from webchat.model import ConvID, InviteLink

_LINKS: Final = "SELECT id, conv, by, expires_at, uses FROM invite_link"


class SqliteInviteLinks:
    """Links by the hash of their code. See `ports/links.py`."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._write = writer.write
        self._reader = reader

    async def add(self, code_hash: bytes, link: InviteLink) -> None:
        """Keep a link."""
        await self._write(partial(_add, code_hash=code_hash), link)

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code."""
        found = await self._read(f"{_LINKS} WHERE code_hash = ?", (code_hash,))
        return found[0] if found else None

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired."""
        query = f"{_LINKS} WHERE conv = ? AND expires_at > ? ORDER BY expires_at, id"
        return await self._read(query, (conv, now))

    async def use(self, link_id: str) -> bool:
        """Use a link once."""
        return await self._write(_use, link_id)

    async def give_back(self, link_id: str) -> None:
        """Undo one use."""
        await self._write(_give_back, link_id)

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group."""
        return await self._write(_revoke, (conv, link_id))

    async def forget_expired(self, now: int) -> None:
        """Drop what has expired."""
        await self._write(_forget_expired, now)

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[InviteLink]:
        rows = await self._reader.read(lambda db: db.execute(query, parameters).fetchall())
        return [InviteLink(*row) for row in rows]


def _add(db: sqlite3.Connection, link: InviteLink, *, code_hash: bytes) -> None:
    row = (code_hash, link.id, link.conv, link.by, link.expires_at, link.uses)
    db.execute("INSERT INTO invite_link VALUES (?, ?, ?, ?, ?, ?)", row)


def _use(db: sqlite3.Connection, link_id: str) -> bool:
    query = "UPDATE invite_link SET uses = uses - 1 WHERE id = ? AND (uses IS NULL OR uses > 0)"
    return db.execute(query, (link_id,)).rowcount > 0


def _give_back(db: sqlite3.Connection, link_id: str) -> None:
    db.execute("UPDATE invite_link SET uses = uses + 1 WHERE id = ?", (link_id,))


def _revoke(db: sqlite3.Connection, key: tuple[ConvID, str]) -> bool:
    return db.execute("DELETE FROM invite_link WHERE conv = ? AND id = ?", key).rowcount > 0


def _forget_expired(db: sqlite3.Connection, now: int) -> None:
    db.execute("DELETE FROM invite_link WHERE expires_at <= ?", (now,))
