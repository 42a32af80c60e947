"""Logins and what ended them, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webchat.adapters.postgresql.connections import Connection, Connections
from webchat.model import Login, Uid
from webchat.ports.accounts import REVOCATIONS_KEPT_MS, Revocation
from webchat.ports.clock import Clock

_LOGINS: Final = "SELECT id, uid, created_at, last_used_at, expires_at FROM login"
_TOUCH: Final = """
    UPDATE login SET last_used_at = at, expires_at = until
    FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS used (one, at, until) WHERE id = one"""
_OF_USER: Final = f"{_LOGINS} WHERE uid = $1 ORDER BY created_at DESC, id DESC"
# The counter's row is locked until the commit, so ids become visible in their order and a process
# that polls misses none. Nobody reads what is empty.
_LEAVE: Final = """
    WITH next AS (UPDATE revoked SET last = last + 1 RETURNING last)
    INSERT INTO revocation SELECT last, $1, '', '', $2 FROM next"""
# One statement sees one moment.
_REVOCATIONS: Final = """
    SELECT last, id, uid FROM revoked
    LEFT JOIN revocation ON id > coalesce($1, last) ORDER BY id"""


class PostgresLogins:
    """Logins by token hash. See `ports/accounts.py`."""

    def __init__(self, connections: Connections, clock: Clock) -> None:
        self._connections = connections
        self._fetch = connections.fetch
        self._execute = connections.execute
        self._clock = clock

    async def add(self, token_hash: bytes, login: Login) -> None:
        """Keep a login."""
        times = (login.created_at, login.last_used_at, login.expires_at)
        insert = "INSERT INTO login VALUES ($1, $2, $3, $4, $5, $6)"
        await self._execute(insert, token_hash, login.id, login.uid, *times)

    async def find(self, token_hash: bytes) -> Login | None:
        """The login of that token, or None."""
        rows = await self._fetch(f"{_LOGINS} WHERE token_hash = $1", token_hash)
        return Login(*rows[0]) if rows else None

    async def touch(self, used: Sequence[Login]) -> None:
        """Slide logins."""
        ids = [login.id for login in used]
        times = [(login.last_used_at, login.expires_at) for login in used]
        await self._execute(_TOUCH, ids, [at for at, _ in times], [until for _, until in times])

    async def of_user(self, uid: Uid) -> Sequence[Login]:
        """The user's logins, newest first."""
        return [Login(*row) for row in await self._fetch(_OF_USER, uid)]

    async def revoke(self, uid: Uid, login_id: str) -> bool:
        """End one login of the user."""
        at = self._clock.now_ms()

        async def run(connection: Connection) -> bool:
            delete = "DELETE FROM login WHERE uid = $1 AND id = $2 RETURNING 1"
            if not await connection.fetch(delete, uid, login_id):
                return False
            await connection.execute(_LEAVE, uid, at)
            return True

        return await self._connections.transact(run)

    async def revoke_all(self, uid: Uid, except_login: str = "") -> None:
        """End all logins of a user but one."""
        at = self._clock.now_ms()

        async def run(connection: Connection) -> None:
            delete = "DELETE FROM login WHERE uid = $1 AND id <> $2"
            await connection.execute(delete, uid, except_login)
            await connection.execute(_LEAVE, uid, at)

        await self._connections.transact(run)

    async def revocations(self, after_id: int | None) -> tuple[int, Sequence[Revocation]]:
        """(highest id, those after `after_id`)."""
        rows = await self._fetch(_REVOCATIONS, after_id)
        found = [Revocation(*row[1:]) for row in rows if row[1] is not None]
        return int(rows[0][0]), found

    async def forget_expired(self, now: int) -> None:
        """Drop expired logins, and revocations older than a day."""
        await self._execute("DELETE FROM login WHERE expires_at <= $1", now)
        await self._execute("DELETE FROM revocation WHERE at < $1", now - REVOCATIONS_KEPT_MS)
