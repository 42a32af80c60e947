"""Invitations that wait for an answer, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from webchat.adapters.postgresql.connections import Connection, Connections
from webchat.adapters.postgresql.values import bounded
from webchat.model import ConvID, Invitation, Uid

_INVITATIONS: Final = "SELECT id, conv, uid, by, at FROM invitation"
_OF_USER: Final = f"{_INVITATIONS} WHERE uid = $1 ORDER BY number DESC LIMIT $2"
_ASKED: Final = "SELECT uid FROM invitation WHERE conv = $1 AND uid = ANY($2::text[])"
_LOCKED: Final = "SELECT id, claimed FROM invitation WHERE uid = $1 AND conv = $2 FOR UPDATE"
_UNCLAIM: Final = "UPDATE invitation SET claimed = false WHERE uid = $1 AND conv = $2"
_DROP: Final = "DELETE FROM invitation WHERE uid = $1 AND conv = $2"


class PostgresInvitations:
    """Invitations by whom they ask. See `ports/invitations.py`."""

    def __init__(self, connections: Connections) -> None:
        self._fetch = connections.fetch
        self._execute = connections.execute
        self._transact = connections.transact

    async def of_user(self, uid: Uid, limit: int) -> Sequence[Invitation]:
        """The newest that wait for the user, newest first."""
        return [Invitation(*row) for row in await self._fetch(_OF_USER, uid, bounded(limit))]

    async def find(self, uid: Uid, invitation_id: str) -> Invitation | None:
        """The user's invitation of that id."""
        query = f"{_INVITATIONS} WHERE uid = $1 AND id = $2"
        rows = await self._fetch(query, uid, invitation_id)
        return Invitation(*rows[0]) if rows else None

    async def asked_among(self, conv: ConvID, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` for whom an invitation waits."""
        return {uid for (uid,) in await self._fetch(_ASKED, conv, uids)}

    async def claim(self, invitation: Invitation) -> bool:
        """The user is about to come in by it."""
        update = "UPDATE invitation SET claimed = true WHERE uid = $1 AND id = $2"
        return await self._execute(update, invitation.uid, invitation.id) > 0

    async def decline(self, invitation: Invitation) -> bool:
        """Forget those of the user to the group, unless one is claimed."""
        key = (invitation.uid, invitation.conv)

        async def decline(connection: Connection) -> bool:
            waiting = dict(await connection.fetch(_LOCKED, *key))
            if invitation.id not in waiting:
                return False
            is_claimed = any(waiting.values())
            await connection.execute(_UNCLAIM if is_claimed else _DROP, *key)
            return not is_claimed

        return await self._transact(decline)

    async def drop(self, uid: Uid, conv: ConvID) -> None:
        """Forget those of the user to `conv`."""
        await self._execute(_DROP, uid, conv)
