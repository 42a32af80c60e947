"""Messages that wait for a group the server does not know, on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from webchat.adapters.postgresql.connections import Connection, Connections
from webchat.model import ConvID, Draft, Uid
from webchat.ports.held import HeldLimits, HeldMessage, check_limits

_HELD: Final = "SELECT id, conv, uid, kind, msg_id, envelope, at FROM held_message"
_OF_GROUP: Final = f"{_HELD} WHERE conv = $1 AND at >= $2 ORDER BY id"
_OF_USER: Final = f"{_HELD} WHERE uid = $1 AND at >= $2 ORDER BY id"
# Limits are checked and used up by one at a time; few hold at once.
_ONE_AT_A_TIME: Final = "LOCK TABLE held_message IN SHARE ROW EXCLUSIVE MODE"
_IS_HELD: Final = """
    SELECT 1 FROM held_message WHERE conv = $1 AND uid = $2 AND msg_id = $3 AND at >= $4"""
_MESSAGES: Final = "SELECT count(*) FROM held_message WHERE uid = $1 AND at >= $2"
_BYTES: Final = """
    SELECT coalesce(sum(length(envelope)), 0)::bigint FROM held_message
    WHERE conv = $1 AND at >= $2"""
_EXPIRE: Final = "DELETE FROM held_message WHERE at < $1"
_HOLD: Final = """
    INSERT INTO held_message (conv, uid, kind, msg_id, envelope, at)
    VALUES ($1, $2, $3, $4, $5, $6)"""


class PostgresHeld:
    """Held messages in the order of holding. See `ports/held.py`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._in_order = asyncio.Lock()

    async def hold(self, conv: ConvID, draft: Draft, at: int, limits: HeldLimits) -> None:
        """Keep a message, once. Raises WebchatError(RATE_LIMITED)."""
        not_before = at - limits.lifetime_ms
        msg_id = draft.msg_id.encode()

        async def run(connection: Connection) -> None:
            await connection.execute(_ONE_AT_A_TIME)
            key = (conv, draft.sender, msg_id, not_before)
            if msg_id and await connection.fetch(_IS_HELD, *key):
                return
            await _check_limits(connection, draft, conv, not_before, limits)
            await connection.execute(_EXPIRE, not_before)
            said = (draft.kind, msg_id, draft.envelope)
            await connection.execute(_HOLD, conv, draft.sender, *said, at)

        async with self._in_order:
            await self._connections.transact(run)

    async def of_group(self, conv: ConvID, not_before: int) -> Sequence[HeldMessage]:
        """All that is held for a group."""
        return await self._read(_OF_GROUP, conv, not_before)

    async def of_user(self, uid: Uid, not_before: int) -> Sequence[HeldMessage]:
        """All that is held of a user."""
        return await self._read(_OF_USER, uid, not_before)

    async def drop(self, ids: Sequence[int]) -> None:
        """Forget these."""
        delete = "DELETE FROM held_message WHERE id = ANY($1::bigint[])"
        await self._connections.execute(delete, ids)

    async def expire(self, before: int) -> None:
        """Forget what was held before that time."""
        await self._connections.execute(_EXPIRE, before)

    async def _read(self, query: str, whose: str, not_before: int) -> list[HeldMessage]:
        return [
            HeldMessage(id_, conv, uid, Draft(kind, uid, msg_id.decode(), envelope), at)
            for id_, conv, uid, kind, msg_id, envelope, at in await self._connections.fetch(
                query, whose, not_before
            )
        ]


async def _check_limits(
    connection: Connection, draft: Draft, conv: ConvID, not_before: int, limits: HeldLimits
) -> None:
    of_user = await connection.fetchval(_MESSAGES, draft.sender, not_before)
    of_group = await connection.fetchval(_BYTES, conv, not_before)
    check_limits(conv, draft, limits, of_user=of_user, of_group_bytes=of_group)
