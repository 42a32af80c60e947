"""Invite links beside their group; two items point to each, by its code and by its id."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.expiry import Expiry
from webchat.adapters.dynamodb.head import as_bytes
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import ABSENT, Item, Key
from webchat.model import ConvID, InviteLink
from webchat.ports.links import VISITS

_EXPIRES: Final = "link"
_decode: Final = msgspec.json.Decoder(InviteLink).decode
_decode_ids: Final = msgspec.json.Decoder(dict[str, int]).decode
_decode_visits: Final = msgspec.json.Decoder(list[str]).decode


class DynamoInviteLinks:
    """See `ports/links.py`."""

    def __init__(self, table: SteadyTable) -> None:
        self._table = table
        self._expiry = Expiry(table)

    async def add(self, code_hash: bytes, link: InviteLink, most: int, now: int) -> bool:
        """Keep a link, unless its group has too many: all is there before the one item is written
        that says which links a group has, and so of those who add one at once one is first."""
        listed = await self._table.get(keys.links(link.conv))
        # Those that were restored are on no list until the first is added to them.
        restored = [] if listed else await self._all_of(link.conv)
        await self.restore(code_hash, link)

        def add(item: Item | None) -> Item | None:
            ids = _listed(item) if item else {each.id: each.expires_at for each in restored}
            live = {id_: at for id_, at in ids.items() if at > now and id_ != link.id}
            if len(live) >= most:
                return None
            return {"ids": msgspec.json.encode({**live, link.id: link.expires_at})}

        if await self._table.change(keys.links(link.conv), add, guess=listed) is not None:
            return True
        await self._drop(link, code_hash)
        return False

    async def restore(self, code_hash: bytes, link: InviteLink) -> None:
        """Keep a link however many there are."""
        pointer: Item = {"conv": link.conv, "id": link.id}
        await self._expiry.note(_EXPIRES, link.id, link.expires_at)
        await self._table.put({**pointer, **keys.link_place(link.id)._asdict()})
        await self._table.put({**pointer, **keys.code(code_hash)._asdict()})
        content: Item = {"ver": 1, "code_hash": code_hash, "link": msgspec.json.encode(link)}
        # Where an attempt that timed out comes late, the link may have been used since.
        await self._table.put_if({**content, **keys.link(link.conv, link.id)._asdict()}, ABSENT)

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code."""
        place = await self._place(keys.code(code_hash))
        item = await self._table.get(place) if place else None
        return read_link(item) if item else None

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired. What somebody began to add and never came to
        the end with is none: nobody was told its code."""
        listed = await self._table.get(keys.links(conv))
        ids = _listed(listed) if listed else None
        links = await self._all_of(conv)
        live = [link for link in links if link.expires_at > now and (ids is None or link.id in ids)]
        return sorted(live, key=lambda link: (link.expires_at, link.id))

    async def _all_of(self, conv: ConvID) -> Sequence[InviteLink]:
        span = keys.prefixed(keys.log(conv), keys.LINK)
        return [read_link(item) async for item in self._table.items(span)]

    async def use(self, link_id: str, visit: str) -> bool:
        """Use a link once for a visit."""
        is_used = False

        def use(item: Item) -> Item | None:
            nonlocal is_used
            link, visits = read_link(item), _visits(item)
            is_used = link.uses is None or link.uses > 0 or visit in visits
            if not link.uses or visit in visits:
                return None
            return _counted(item, link, link.uses - 1, [*visits, visit])

        return await self._change(link_id, use) and is_used

    async def give_back(self, link_id: str, visit: str) -> None:
        """Undo the use for a visit."""

        def give_back(item: Item) -> Item | None:
            link, visits = read_link(item), _visits(item)
            if link.uses is None or visit not in visits:
                return None
            return _counted(item, link, link.uses + 1, [v for v in visits if v != visit])

        await self._change(link_id, give_back)

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group."""
        item = await self._table.get(keys.link(conv, link_id))
        if item is None:
            return False
        await self._drop(read_link(item), as_bytes(item["code_hash"]))
        return True

    async def forget_expired(self, now: int) -> None:
        """Drop what has expired."""
        async for link_id in self._expiry.due(_EXPIRES, now):
            place = await self._place(keys.link_place(link_id))
            item = await self._table.get(place) if place else None
            if item is not None and read_link(item).expires_at <= now:
                await self._drop(read_link(item), as_bytes(item["code_hash"]))

    async def _change(self, link_id: str, change: Callable[[Item], Item | None]) -> bool:
        """Change a link's item; False: there is none."""
        place = await self._place(keys.link_place(link_id))
        is_there = False

        def change_it(item: Item | None) -> Item | None:
            nonlocal is_there
            is_there = item is not None
            return change(item) if item is not None else None

        if place is not None:
            await self._table.change(place, change_it)
        return is_there

    async def _place(self, pointer: Key) -> Key | None:
        item = await self._table.get(pointer)
        return keys.link(str(item["conv"]), str(item["id"])) if item else None

    async def _drop(self, link: InviteLink, code_hash: bytes) -> None:
        def drop(item: Item | None) -> Item | None:
            ids = _listed(item) if item else {}
            if ids.pop(link.id, None) is None:
                return None
            return {"ids": msgspec.json.encode(ids)}

        # What it is found by goes first, so that one which nobody sees any more lets nobody in; the
        # link itself, by which whoever asks again has the rest done, once it is on no list.
        await self._table.delete(keys.code(code_hash))
        await self._table.change(keys.links(link.conv), drop)
        await self._table.delete(keys.link(link.conv, link.id))
        await self._table.delete(keys.link_place(link.id))


def read_link(item: Item) -> InviteLink:
    """The link that `item` is."""
    return _decode(as_bytes(item["link"]))


def _listed(item: Item) -> dict[str, int]:
    """The ids of a group's links, and when each expires."""
    return _decode_ids(as_bytes(item["ids"]))


def _visits(item: Item) -> list[str]:
    """The newest visits that used a link."""
    return _decode_visits(as_bytes(item["visits"])) if "visits" in item else []


def _counted(item: Item, link: InviteLink, uses: int, visits: Sequence[str]) -> Item:
    """A link's item with so many uses left, after these visits."""
    left = msgspec.json.encode(msgspec.structs.replace(link, uses=uses))
    return {**item, "link": left, "visits": msgspec.json.encode(visits[-VISITS:])}
