"""Rows of nodes, and the keys they share, on DynamoDB."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import as_bytes
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import ABSENT, ConditionFailed, Item, Key, version
from webchat.ports.nodes import NodeRow

_KEYS: Final = Key(keys.META, "shared_secret")
_decode: Final = msgspec.json.Decoder(NodeRow).decode


class DynamoNodes:
    """See `ports/nodes.py`."""

    def __init__(self, table: SteadyTable) -> None:
        self._table = table

    async def put(self, row: NodeRow) -> bool:
        """Write a node's row, unless another incarnation's is there."""

        def renew(item: Item | None) -> Item | None:
            if item is not None and _read(item).incarnation != row.incarnation:
                return None
            return {"row": msgspec.json.encode(row)}

        return await self._table.change(Key(keys.NODES, row.id), renew) is not None

    async def all(self) -> Sequence[NodeRow]:
        """All rows, by id."""
        return [_read(item) async for item in self._table.items(keys.prefixed(keys.NODES, ""))]

    async def remove(self, node_id: str, incarnation: str) -> None:
        """Drop a row, if it is still of that incarnation."""
        key = Key(keys.NODES, node_id)
        while (item := await self._table.get(key)) is not None:
            if _read(item).incarnation != incarnation:
                return
            try:
                await self._table.delete(key, version(int(item["ver"])))
            except ConditionFailed:
                continue
            return

    async def shared_keys(self, fresh: bytes) -> Sequence[bytes]:
        """The keys; `fresh` becomes the only one if there was none."""
        if await self._table.put_if(_item([fresh]), ABSENT):
            return [fresh]
        kept = await self._table.get(_KEYS)
        if kept is None:
            return [fresh]
        others = str(kept.get("others", ""))
        return [as_bytes(kept["secret"]), *map(bytes.fromhex, others.split())]

    async def save_keys(self, keys: Sequence[bytes]) -> None:
        """The keys from now on."""
        await self._table.put(_item(keys))


def _item(keys_: Sequence[bytes]) -> Item:
    first, *others = keys_
    item: Item = {**_KEYS._asdict(), "secret": first}
    return item | {"others": " ".join(key.hex() for key in others)} if others else item


def _read(item: Item) -> NodeRow:
    return _decode(as_bytes(item["row"]))
