"""Logins and what ended them, on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Final

from webchat.adapters.sqlite.reader import Reader, first_row
from webchat.adapters.sqlite.writer import Writer
from webchat.model import Login, Uid
from webchat.ports.accounts import REVOCATIONS_KEPT_MS, Revocation
from webchat.ports.clock import Clock

_LOGINS: Final = "SELECT id, uid, created_at, last_used_at, expires_at FROM login"
_TOUCH: Final = """
    UPDATE login SET
    last_used_at = json_extract(value, '$[1]'), expires_at = json_extract(value, '$[2]')
    FROM json_each(?) WHERE login.id = json_extract(value, '$[0]')"""


class SqliteLogins:
    """Logins by token hash. See `ports/accounts.py`."""

    def __init__(self, writer: Writer, reader: Reader, clock: Clock) -> None:
        self._write = writer.write
        self._reader = reader
        self._clock = clock

    async def add(self, token_hash: bytes, login: Login) -> None:
        """Keep a login."""
        await self._write(partial(_add, token_hash=token_hash), login)

    async def find(self, token_hash: bytes) -> Login | None:
        """The login of that token, or None."""
        row = await first_row(self._reader, f"{_LOGINS} WHERE token_hash = ?", (token_hash,))
        return None if row is None else Login(*row)

    async def touch(self, used: Sequence[Login]) -> None:
        """Slide logins."""
        rows = [(login.id, login.last_used_at, login.expires_at) for login in used]
        await self._write(_touch, json.dumps(rows))

    async def of_user(self, uid: Uid) -> Sequence[Login]:
        """The user's logins, newest first."""
        query = f"{_LOGINS} WHERE uid = ? ORDER BY created_at DESC, id DESC"
        return await self._read(query, (uid,))

    async def revoke(self, uid: Uid, login_id: str) -> bool:
        """End one login of the user."""
        return await self._write(partial(_revoke, at=self._clock.now_ms()), (uid, login_id))

    async def revoke_all(self, uid: Uid, except_login: str = "") -> None:
        """End all logins of a user but one."""
        await self._write(partial(_revoke_all, at=self._clock.now_ms()), (uid, except_login))

    async def revocations(self, after_id: int | None) -> tuple[int, Sequence[Revocation]]:
        """(highest id, those after `after_id`)."""
        return await self._reader.read(partial(_revocations, after_id=after_id))

    async def forget_expired(self, now: int) -> None:
        """Drop expired logins, and revocations older than a day."""
        await self._write(_forget_expired, now)

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[Login]:
        rows = await self._reader.read(lambda db: db.execute(query, parameters).fetchall())
        return [Login(*row) for row in rows]


def _add(db: sqlite3.Connection, login: Login, *, token_hash: bytes) -> None:
    db.execute(
        "INSERT INTO login VALUES (?, ?, ?, ?, ?, ?)",
        (token_hash, login.id, login.uid, login.created_at, login.last_used_at, login.expires_at),
    )


def _touch(db: sqlite3.Connection, used: str) -> None:
    # One statement, however many there are: after each the interpreter's lock has to be waited for.
    db.execute(_TOUCH, (used,))


def _revoke(db: sqlite3.Connection, login: tuple[Uid, str], *, at: int) -> bool:
    if not db.execute("DELETE FROM login WHERE uid = ? AND id = ?", login).rowcount:
        return False
    _leave_revocation(db, login[0], at)
    return True


def _revoke_all(db: sqlite3.Connection, but: tuple[Uid, str], *, at: int) -> None:
    db.execute("DELETE FROM login WHERE uid = ? AND id <> ?", but)
    _leave_revocation(db, but[0], at)


def _leave_revocation(db: sqlite3.Connection, uid: Uid, at: int) -> None:
    # Nobody reads what the other columns say.
    insert = "INSERT INTO revocation (uid, login, except_login, at) VALUES (?, '', '', ?)"
    db.execute(insert, (uid, at))


def _revocations(
    db: sqlite3.Connection, *, after_id: int | None
) -> tuple[int, Sequence[Revocation]]:
    # The counter first: what is left between the two queries comes again with the next poll.
    counter = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'revocation'").fetchone()
    last = 0 if counter is None else int(counter[0])
    rows = db.execute(
        "SELECT id, uid FROM revocation WHERE id > ? AND id <= ? ORDER BY id",
        (last if after_id is None else after_id, last),
    )
    return last, [Revocation(*row) for row in rows]


def _forget_expired(db: sqlite3.Connection, now: int) -> None:
    db.execute("DELETE FROM login WHERE expires_at <= ?", (now,))
    db.execute("DELETE FROM revocation WHERE at < ?", (now - REVOCATIONS_KEPT_MS,))
