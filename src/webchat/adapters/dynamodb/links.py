"""Invite links beside their group; two items point to each, by its code and by its id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.expiry import Expiry
from webchat.adapters.dynamodb.head import as_bytes
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Item, Key
from webchat.model import ConvID, InviteLink

_EXPIRES: Final = "link"
_decode: Final = msgspec.json.Decoder(InviteLink).decode


class DynamoInviteLinks:
    """See `ports/links.py`."""

    def __init__(self, table: SteadyTable) -> None:
        self._table = table
        self._expiry = Expiry(table)

    async def add(self, code_hash: bytes, link: InviteLink) -> None:
        """Keep a link."""
        pointer: Item = {"conv": link.conv, "id": link.id}
        await self._expiry.note(_EXPIRES, link.id, link.expires_at)
        await self._table.put({**pointer, **keys.link_place(link.id)._asdict()})
        await self._table.put({**pointer, **keys.code(code_hash)._asdict()})
        content: Item = {"ver": 1, "code_hash": code_hash, "link": msgspec.json.encode(link)}
        await self._table.put({**content, **keys.link(link.conv, link.id)._asdict()})

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code."""
        place = await self._place(keys.code(code_hash))
        item = await self._table.get(place) if place else None
        return read_link(item) if item else None

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired."""
        span = keys.prefixed(keys.log(conv), keys.LINK)
        links = [read_link(item) async for item in self._table.items(span)]
        live = [link for link in links if link.expires_at > now]
        return sorted(live, key=lambda link: (link.expires_at, link.id))

    async def use(self, link_id: str) -> bool:
        """Use a link once."""
        return await self._count(link_id, -1)

    async def give_back(self, link_id: str) -> None:
        """Undo one use."""
        await self._count(link_id, 1)

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group."""
        item = await self._table.get(keys.link(conv, link_id))
        if item is None:
            return False
        await self._drop(item)
        return True

    async def forget_expired(self, now: int) -> None:
        """Drop what has expired."""
        async for link_id in self._expiry.due(_EXPIRES, now):
            place = await self._place(keys.link_place(link_id))
            item = await self._table.get(place) if place else None
            if item is not None and read_link(item).expires_at <= now:
                await self._drop(item)

    async def _count(self, link_id: str, more: int) -> bool:
        """Change how many uses are left; False: the link is gone, or has none left."""
        place = await self._place(keys.link_place(link_id))
        is_unlimited = False

        def count(item: Item | None) -> Item | None:
            nonlocal is_unlimited
            link = read_link(item) if item else None
            is_unlimited = link is not None and link.uses is None
            if item is None or link is None or link.uses is None or link.uses + more < 0:
                return None
            left = msgspec.structs.replace(link, uses=link.uses + more)
            return {**item, "link": msgspec.json.encode(left)}

        counted = await self._table.change(place, count) if place else None
        return counted is not None or is_unlimited

    async def _place(self, pointer: Key) -> Key | None:
        item = await self._table.get(pointer)
        return keys.link(str(item["conv"]), str(item["id"])) if item else None

    async def _drop(self, item: Item) -> None:
        link = read_link(item)
        await self._table.delete(keys.link(link.conv, link.id))
        await self._table.delete(keys.code(as_bytes(item["code_hash"])))
        await self._table.delete(keys.link_place(link.id))


def read_link(item: Item) -> InviteLink:
    """The link that `item` is."""
    return _decode(as_bytes(item["link"]))
