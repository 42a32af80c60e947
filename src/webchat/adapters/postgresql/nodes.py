"""Rows of nodes, and the key they share, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from webchat.adapters.postgresql.connections import Connections
from webchat.ports.nodes import NodeRow

_PUT: Final = """
    INSERT INTO node VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET said = excluded.said
    WHERE node.incarnation = excluded.incarnation"""
_KEEP_KEY: Final = """
    INSERT INTO property VALUES ('shared_secret', $1) ON CONFLICT (name) DO NOTHING"""
_SHARED_KEY: Final = "SELECT value FROM property WHERE name = 'shared_secret'"


class PostgresNodes:
    """Nodes by id. See `ports/nodes.py`."""

    def __init__(self, connections: Connections) -> None:
        self._fetch = connections.fetch
        self._execute = connections.execute

    async def put(self, row: NodeRow) -> bool:
        """Write a node's row, unless another incarnation's is there."""
        said = msgspec.json.encode(row)
        return await self._execute(_PUT, row.id, row.incarnation, said) > 0

    async def all(self) -> Sequence[NodeRow]:
        """All rows, by id."""
        rows = await self._fetch("SELECT said FROM node ORDER BY id")
        return [msgspec.json.decode(said, type=NodeRow) for (said,) in rows]

    async def remove(self, node_id: str, incarnation: str) -> None:
        """Drop a row, if it is still of that incarnation."""
        delete = "DELETE FROM node WHERE id = $1 AND incarnation = $2"
        await self._execute(delete, node_id, incarnation)

    async def shared_secret(self, fresh: bytes) -> bytes:
        """The key; `fresh` becomes it if there was none."""
        await self._execute(_KEEP_KEY, fresh.hex())
        rows = await self._fetch(_SHARED_KEY)
        return bytes.fromhex(rows[0][0])
