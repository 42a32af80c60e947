"""Links by which people come into a group, on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from webchat.adapters.sqlite.reader import Reader
from webchat.adapters.sqlite.writer import Writer
from webchat.model import ConvID, InviteLink
from webchat.ports.links import VISITS

_LINKS: Final = "SELECT id, conv, by, expires_at, uses FROM invite_link"
_INSERT: Final = """
    INSERT INTO invite_link (code_hash, id, conv, by, expires_at, uses)
    VALUES (?, ?, ?, ?, ?, ?)"""


class SqliteInviteLinks:
    """Links by the hash of their code. See `ports/links.py`."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._write = writer.write
        self._reader = reader

    async def add(self, code_hash: bytes, link: InviteLink, most: int, now: int) -> bool:
        """Keep a link, unless its group has too many."""
        return await self._write(partial(_add, code_hash=code_hash, most=most, now=now), link)

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code."""
        found = await self._read(f"{_LINKS} WHERE code_hash = ?", (code_hash,))
        return found[0] if found else None

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired."""
        query = f"{_LINKS} WHERE conv = ? AND expires_at > ? ORDER BY expires_at, id"
        return await self._read(query, (conv, now))

    async def use(self, link_id: str, visit: str) -> bool:
        """Use a link once for a visit."""
        return await self._write(_use, (link_id, visit))

    async def give_back(self, link_id: str, visit: str) -> None:
        """Undo the use for a visit."""
        await self._write(_give_back, (link_id, visit))

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group."""
        return await self._write(_revoke, (conv, link_id))

    async def forget_expired(self, now: int) -> None:
        """Drop what has expired."""
        await self._write(_forget_expired, now)

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[InviteLink]:
        rows = await self._reader.read(lambda db: db.execute(query, parameters).fetchall())
        return [InviteLink(*row) for row in rows]


def _add(
    db: sqlite3.Connection, link: InviteLink, *, code_hash: bytes, most: int, now: int
) -> bool:
    query = "SELECT count(*) FROM invite_link WHERE conv = ? AND expires_at > ?"
    (count,) = db.execute(query, (link.conv, now)).fetchone()
    if count < most:
        row = (code_hash, link.id, link.conv, link.by, link.expires_at, link.uses)
        db.execute(_INSERT, row)
    return bool(count < most)


def _use(db: sqlite3.Connection, use: tuple[str, str]) -> bool:
    link_id, visit = use
    uses, visits = _visits(db, link_id)
    if uses and visit not in visits:
        _save(db, link_id, uses - 1, [*visits, visit])
    return uses is None or uses > 0 or visit in visits


def _give_back(db: sqlite3.Connection, use: tuple[str, str]) -> None:
    link_id, visit = use
    uses, visits = _visits(db, link_id)
    if uses is not None and visit in visits:
        _save(db, link_id, uses + 1, [each for each in visits if each != visit])


def _visits(db: sqlite3.Connection, link_id: str) -> tuple[int | None, list[str]]:
    """How often a link may be used yet, 0 if it is gone, and the newest visits that did."""
    found = db.execute("SELECT uses, visits FROM invite_link WHERE id = ?", (link_id,)).fetchone()
    uses, visits = found or (0, "[]")
    return uses, json.loads(visits)


def _save(db: sqlite3.Connection, link_id: str, uses: int, visits: Sequence[str]) -> None:
    update = "UPDATE invite_link SET uses = ?, visits = ? WHERE id = ?"
    db.execute(update, (uses, json.dumps(visits[-VISITS:]), link_id))


def _revoke(db: sqlite3.Connection, key: tuple[ConvID, str]) -> bool:
    return db.execute("DELETE FROM invite_link WHERE conv = ? AND id = ?", key).rowcount > 0


def _forget_expired(db: sqlite3.Connection, now: int) -> None:
    db.execute("DELETE FROM invite_link WHERE expires_at <= ?", (now,))
