"""Receipts kept for those who are away, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webchat.adapters.postgresql.connections import Connection, Connections
from webchat.adapters.postgresql.values import bounded
from webchat.model import Uid

_KEEP: Final = """
    INSERT INTO kept_receipt (uid, envelope)
    SELECT $1, envelope FROM unnest($2::bytea[]) WITH ORDINALITY AS said (envelope, place)
    ORDER BY place"""
_TRIM: Final = """
    DELETE FROM kept_receipt WHERE uid = $1 AND id <=
    (SELECT id FROM kept_receipt WHERE uid = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)"""
# Of two who take at once one waits, and finds gone what the other took.
_TAKE: Final = """
    DELETE FROM kept_receipt WHERE id = ANY(ARRAY(
        SELECT id FROM kept_receipt WHERE uid = $1 ORDER BY id LIMIT $2 FOR UPDATE
    )) RETURNING id, envelope"""


class PostgresKeptReceipts:
    """A bounded queue of receipt envelopes per user. See `ports/kept.py`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def keep(self, uid: Uid, envelopes: Sequence[bytes], newest: int) -> None:
        """Append them; beyond `newest` the oldest go."""

        async def run(connection: Connection) -> None:
            await connection.execute(_KEEP, uid, envelopes)
            await connection.execute(_TRIM, uid, bounded(newest))

        await self._connections.transact(run)

    async def take(self, uid: Uid, limit: int) -> Sequence[bytes]:
        """Remove and return the oldest, durably."""
        rows = await self._connections.fetch(_TAKE, uid, bounded(limit))
        return [envelope for _, envelope in sorted(rows)]
