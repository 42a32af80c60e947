"""Links by which people come into a group, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webchat.adapters.postgresql.connections import Connections
from webchat.model import ConvID, InviteLink

_LINKS: Final = "SELECT id, conv, by, expires_at, uses FROM invite_link"
_OF_GROUP: Final = f"{_LINKS} WHERE conv = $1 AND expires_at > $2 ORDER BY expires_at, id"
_USE: Final = """
    UPDATE invite_link SET uses = uses - 1 WHERE id = $1 AND (uses IS NULL OR uses > 0)"""


class PostgresInviteLinks:
    """Links by the hash of their code. See `ports/links.py`."""

    def __init__(self, connections: Connections) -> None:
        self._fetch = connections.fetch
        self._execute = connections.execute

    async def add(self, code_hash: bytes, link: InviteLink) -> None:
        """Keep a link."""
        insert = "INSERT INTO invite_link VALUES ($1, $2, $3, $4, $5, $6)"
        row = (code_hash, link.id, link.conv, link.by, link.expires_at, link.uses)
        await self._execute(insert, *row)

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code."""
        rows = await self._fetch(f"{_LINKS} WHERE code_hash = $1", code_hash)
        return InviteLink(*rows[0]) if rows else None

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired."""
        return [InviteLink(*row) for row in await self._fetch(_OF_GROUP, conv, now)]

    async def use(self, link_id: str) -> bool:
        """Use a link once."""
        return await self._execute(_USE, link_id) > 0

    async def give_back(self, link_id: str) -> None:
        """Undo one use."""
        await self._execute("UPDATE invite_link SET uses = uses + 1 WHERE id = $1", link_id)

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group."""
        delete = "DELETE FROM invite_link WHERE conv = $1 AND id = $2"
        return await self._execute(delete, conv, link_id) > 0

    async def forget_expired(self, now: int) -> None:
        """Drop what has expired."""
        await self._execute("DELETE FROM invite_link WHERE expires_at <= $1", now)
