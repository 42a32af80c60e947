"""Rows of nodes, and the keys they share, on SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import msgspec

from webchat.adapters.sqlite.reader import Reader
from webchat.adapters.sqlite.writer import Writer
from webchat.ports.nodes import NodeRow

_PUT: Final = """INSERT INTO node VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET row = ?3 WHERE incarnation = ?2"""
_KEEP_KEY: Final = "INSERT OR IGNORE INTO property VALUES ('shared_secret', ?)"
_KEYS: Final = """SELECT value FROM property
    WHERE name IN ('shared_secret', 'shared_secret_others') ORDER BY name"""
_SAVE_KEYS: Final = """
    REPLACE INTO property VALUES ('shared_secret', ?), ('shared_secret_others', ?)"""


class SqliteNodes:
    """Nodes by id. See `ports/nodes.py`."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._write = writer.write
        self._read = reader.read

    async def put(self, row: NodeRow) -> bool:
        """Write a node's row, unless another incarnation's is there."""
        return await self._write(_put, row)

    async def all(self) -> Sequence[NodeRow]:
        """All rows, by id."""
        return await self._read(_all)

    async def remove(self, node_id: str, incarnation: str) -> None:
        """Drop a row, if it is still of that incarnation."""
        await self._write(_remove, (node_id, incarnation))

    async def shared_keys(self, fresh: bytes) -> Sequence[bytes]:
        """The keys; `fresh` becomes the only one if there was none."""
        return await self._write(_shared_keys, fresh)

    async def save_keys(self, keys: Sequence[bytes]) -> None:
        """The keys from now on."""
        await self._write(_save_keys, keys)


def _put(db: sqlite3.Connection, row: NodeRow) -> bool:
    return db.execute(_PUT, (row.id, row.incarnation, msgspec.json.encode(row))).rowcount > 0


def _all(db: sqlite3.Connection) -> list[NodeRow]:
    rows = db.execute("SELECT row FROM node ORDER BY id").fetchall()
    return [msgspec.json.decode(row, type=NodeRow) for (row,) in rows]


def _remove(db: sqlite3.Connection, key: tuple[str, str]) -> None:
    db.execute("DELETE FROM node WHERE id = ? AND incarnation = ?", key)


def _shared_keys(db: sqlite3.Connection, fresh: bytes) -> list[bytes]:
    db.execute(_KEEP_KEY, (fresh.hex(),))
    return [bytes.fromhex(key) for (value,) in db.execute(_KEYS) for key in value.split()]


def _save_keys(db: sqlite3.Connection, keys: Sequence[bytes]) -> None:
    first, *others = (key.hex() for key in keys)
    db.execute(_SAVE_KEYS, (first, " ".join(others)))
