"""Rows of nodes in a plain dictionary: the reference of `ports/nodes.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webchat.ports.nodes import NodeRow


class MemoryNodes:
    """Rows by node id; `check_up` raises while the store is down."""

    def __init__(self, check_up: Callable[[], None]) -> None:
        self._check_up = check_up
        self._rows: dict[str, NodeRow] = {}
        self._keys: Sequence[bytes] = ()

    async def put(self, row: NodeRow) -> bool:
        """Write a node's row, unless another incarnation's is there."""
        self._check_up()
        before = self._rows.get(row.id)
        if before is not None and before.incarnation != row.incarnation:
            return False
        self._rows[row.id] = row
        return True

    async def all(self) -> Sequence[NodeRow]:
        """All rows, by id."""
        self._check_up()
        return [row for _, row in sorted(self._rows.items())]

    async def remove(self, node_id: str, incarnation: str) -> None:
        """Drop a row, if it is still of that incarnation."""
        self._check_up()
        row = self._rows.get(node_id)
        if row is not None and row.incarnation == incarnation:
            del self._rows[node_id]

    async def shared_keys(self, fresh: bytes) -> Sequence[bytes]:
        """The keys; `fresh` becomes the only one if there was none."""
        self._check_up()
        self._keys = self._keys or (fresh,)
        return self._keys

    async def save_keys(self, keys: Sequence[bytes]) -> None:
        """The keys from now on."""
        self._check_up()
        self._keys = tuple(keys)
