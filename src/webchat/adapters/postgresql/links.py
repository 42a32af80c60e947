"""Links by which people come into a group, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webchat.adapters.postgresql.connections import Connection, Connections
from webchat.model import ConvID, InviteLink
from webchat.ports.links import VISITS

_LINKS: Final = "SELECT id, conv, by, expires_at, uses FROM invite_link"
_OF_GROUP: Final = f"{_LINKS} WHERE conv = $1 AND expires_at > $2 ORDER BY expires_at, id"
# Of those who add a link to a group at once one counts after the other.
_ONE_AT_A_TIME: Final = "SELECT pg_advisory_xact_lock(hashtextextended('links ' || $1, 0))"
_ADD: Final = """
    INSERT INTO invite_link (code_hash, id, conv, by, expires_at, uses)
    SELECT $1, $2, $3::text, $4, $5, $6
    WHERE (SELECT count(*) FROM invite_link WHERE conv = $3 AND expires_at > $8) < $7::bigint"""
_USE: Final = f"""
    UPDATE invite_link SET uses = uses - 1,
        visits = (visits || $2::text)[greatest(1, cardinality(visits) + 2 - {VISITS}):]
    WHERE id = $1 AND uses > 0 AND $2 <> ALL (visits)"""  # noqa: S608
_IS_USED: Final = """
    SELECT 1 FROM invite_link WHERE id = $1 AND (uses IS NULL OR $2 = ANY (visits))"""
_GIVE_BACK: Final = """
    UPDATE invite_link SET uses = uses + 1, visits = array_remove(visits, $2)
    WHERE id = $1 AND $2 = ANY (visits)"""


class PostgresInviteLinks:
    """Links by the hash of their code. See `ports/links.py`."""

    def __init__(self, connections: Connections) -> None:
        self._fetch = connections.fetch
        self._execute = connections.execute
        self._transact = connections.transact

    async def add(self, code_hash: bytes, link: InviteLink, most: int, now: int) -> bool:
        """Keep a link, unless its group has too many."""
        row = (code_hash, link.id, link.conv, link.by, link.expires_at, link.uses)

        async def add(connection: Connection) -> bool:
            await connection.execute(_ONE_AT_A_TIME, link.conv)
            status: str = await connection.execute(_ADD, *row, most, now)
            return status == "INSERT 0 1"

        return await self._transact(add)

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code."""
        rows = await self._fetch(f"{_LINKS} WHERE code_hash = $1", code_hash)
        return InviteLink(*rows[0]) if rows else None

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired."""
        return [InviteLink(*row) for row in await self._fetch(_OF_GROUP, conv, now)]

    async def use(self, link_id: str, visit: str) -> bool:
        """Use a link once for a visit."""
        if await self._execute(_USE, link_id, visit):
            return True
        return bool(await self._fetch(_IS_USED, link_id, visit))

    async def give_back(self, link_id: str, visit: str) -> None:
        """Undo the use for a visit."""
        await self._execute(_GIVE_BACK, link_id, visit)

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group."""
        delete = "DELETE FROM invite_link WHERE conv = $1 AND id = $2"
        return await self._execute(delete, conv, link_id) > 0

    async def forget_expired(self, now: int) -> None:
        """Drop what has expired."""
        await self._execute("DELETE FROM invite_link WHERE expires_at <= $1", now)
