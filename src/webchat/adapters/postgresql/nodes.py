"""Rows of nodes, and the keys they share, on PostgreSQL."""

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
_KEYS: Final = """
    SELECT value FROM property WHERE name IN ('shared_secret', 'shared_secret_others')
    ORDER BY name"""
_SAVE_KEYS: Final = """
    INSERT INTO property VALUES ('shared_secret', $1), ('shared_secret_others', $2)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value"""


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

    async def shared_keys(self, fresh: bytes) -> Sequence[bytes]:
        """The keys; `fresh` becomes the only one if there was none."""
        await self._execute(_KEEP_KEY, fresh.hex())
        rows = await self._fetch(_KEYS)
        return [bytes.fromhex(key) for (value,) in rows for key in value.split()]

    async def save_keys(self, keys: Sequence[bytes]) -> None:
        """The keys from now on."""
        first, *others = (key.hex() for key in keys)
        await self._execute(_SAVE_KEYS, first, " ".join(others))
