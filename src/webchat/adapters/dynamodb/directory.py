"""Groups' rows, and public groups by the beginnings of their names.

An index item for each of the name's first one to three characters, and one for all. Index items are
written before the row and removed after it; who finds one asks the row, so what a crash leaves
behind is passed over.
"""

from __future__ import annotations

from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import as_bytes
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Item, Key, older
from webchat.model import ConvID, Group, Seq
from webchat.ports.accounts import fold

_decode_group: Final = msgspec.json.Decoder(Group).decode


class PublicGroups:
    """Every method may raise WebchatError(UNAVAILABLE)."""

    def __init__(self, table: SteadyTable) -> None:
        self._table = table

    async def save(self, group: Group, seq: Seq) -> None:
        """`group` is true as of the entry `seq`."""
        key = keys.group(group.conv)
        found = await self._table.get(key)
        before = _indexes(read_group(found)) if found else set()
        after = _indexes(group)
        for pk in after:
            index: Item = {"pk": pk, "sk": group.conv, "ver": seq}
            await self._table.put_if(index, older(seq))
        row: Item = {**key._asdict(), "ver": seq, "group": msgspec.json.encode(group)}
        if await self._table.put_if(row, older(seq)):
            for pk in before - after:
                await self._table.delete_older(Key(pk, group.conv), seq)

    async def group(self, conv: ConvID) -> Group | None:
        """What is true of a group."""
        found = await self._table.get(keys.group(conv))
        return read_group(found) if found else None

    async def search(self, prefix: str, after: ConvID, limit: int) -> list[Group]:
        """See `Members.public`."""
        wanted = fold(prefix)
        span = keys.prefixed(_index(wanted), "", after)
        found: list[Group] = []
        page_after: Key | None = None
        while len(found) < limit:
            page = await self._table.query(span, max(2 * limit, 20), page_after)
            convs = [str(item["sk"]) for item in page.items]
            rows = await self._table.get_many(map(keys.group, convs))
            groups = [read_group(rows[keys.group(conv)]) for conv in convs
                      if keys.group(conv) in rows]  # fmt: skip
            found += (
                group
                for group in groups
                if _is_listed(group) and fold(group.name).startswith(wanted)
            )
            if (page_after := page.after) is None:
                break
        return found[:limit]


def read_group(item: Item) -> Group:
    """The group that `item` tells of."""
    return _decode_group(as_bytes(item["group"]))


def _is_listed(group: Group) -> bool:
    return group.public and not group.closed


def _indexes(group: Group) -> set[str]:
    if not _is_listed(group):
        return set()
    name = fold(group.name)
    return {_index(name[:length]) for length in range(keys.INDEXED_CHARS + 1)}


def _index(prefix: str) -> str:
    return keys.public(prefix[: keys.INDEXED_CHARS])
