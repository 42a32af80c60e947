"""Messages that wait for their group, on DynamoDB.

Each lies with its group under its key of idempotence, so it is held once; an item under its number
finds it again, and one on the user's side tells in which groups something of the user may wait, and
when the newest of it was held: it is raised first, and goes once that has expired.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import as_bytes
from webchat.adapters.dynamodb.steady import SteadyTable, key_of
from webchat.adapters.dynamodb.table import Item, Key, older
from webchat.errors import WebchatError
from webchat.model import ConvID, Draft, Uid
from webchat.ports.held import HeldLimits, HeldMessage, check_limits

_COUNTER: Final = Key(keys.META, "held")
_decode: Final = msgspec.json.Decoder(HeldMessage).decode


class DynamoHeld:
    """See `ports/held.py`."""

    def __init__(self, table: SteadyTable) -> None:
        self._table = table

    async def hold(self, conv: ConvID, draft: Draft, at: int, limits: HeldLimits) -> None:
        """Keep a message, once. Raises WebchatError(RATE_LIMITED)."""
        oldest = at - limits.lifetime_ms
        of_group = await self.of_group(conv, oldest)
        key = (draft.sender, draft.msg_id)
        if draft.msg_id and any((held.uid, held.draft.msg_id) == key for held in of_group):
            return
        of_user = len(await self.of_user(draft.sender, oldest))
        size = sum(len(held.draft.envelope) for held in of_group)
        check_limits(conv, draft, limits, of_user=of_user, of_group_bytes=size)
        held = HeldMessage(await self._next_id(), conv, draft.sender, draft, at)
        place = _place(held)
        await self._table.put({"pk": keys.HELD, "sk": keys.padded(held.id), "at": at,
                               "place_pk": place.pk, "place_sk": place.sk})  # fmt: skip
        await self._table.put_if({**_on_users_side(held)._asdict(), "ver": at}, older(at))
        if await self._table.change(place, lambda item: _unless_live(item, held, oldest)):
            await self._check_again(held, oldest, limits)

    async def of_group(self, conv: ConvID, not_before: int) -> Sequence[HeldMessage]:
        """All that is held for a group."""
        span = keys.prefixed(keys.held(conv), "")
        held = [read_held(item) async for item in self._table.items(span)]
        return sorted(_since(held, not_before), key=lambda each: each.id)

    async def of_user(self, uid: Uid, not_before: int) -> Sequence[HeldMessage]:
        """All that is held of a user."""
        span = keys.prefixed(keys.user(uid), keys.HOLDS)
        convs: list[ConvID] = []
        async for item in self._table.items(span):
            if int(item["ver"]) < not_before:
                await self._table.delete_older(key_of(item), not_before)
            else:
                convs.append(str(item["sk"]).removeprefix(keys.HOLDS))
        of_groups = await self._table.each(lambda conv: self.of_group(conv, not_before), convs)
        found = [held for of_group in of_groups for held in of_group if held.uid == uid]
        return sorted(found, key=lambda each: each.id)

    async def _check_again(self, held: HeldMessage, oldest: int, limits: HeldLimits) -> None:
        """Others may have been held for the group at the same moment: the last of them to look
        finds them all. Raises WebchatError(RATE_LIMITED): then it is held no more."""
        of_group = await self.of_group(held.conv, oldest)
        size = sum(len(each.draft.envelope) for each in of_group if each.id != held.id)
        try:
            check_limits(held.conv, held.draft, limits, of_user=0, of_group_bytes=size)
        except WebchatError:
            await self.drop([held.id])
            raise

    async def drop(self, ids: Sequence[int]) -> None:
        """Forget these."""
        found = await self._table.get_many(Key(keys.HELD, keys.padded(each)) for each in ids)
        await self._table.each(self._drop, found.values())

    async def expire(self, before: int) -> None:
        """Forget what was held before that time."""
        async for item in self._table.items(keys.prefixed(keys.HELD, "")):
            if int(item["at"]) < before:
                await self._drop(item)

    async def _drop(self, pointer: Item) -> None:
        """Remove what a number stands for, unless the place was taken again since."""
        item = await self._table.get(Key(str(pointer["place_pk"]), str(pointer["place_sk"])))
        if item is not None and keys.padded(read_held(item).id) == pointer["sk"]:
            await self._table.delete_older(key_of(item), int(item["ver"]) + 1)
        await self._table.delete(key_of(pointer))

    async def _next_id(self) -> int:
        counted = await self._table.change(
            _COUNTER, lambda item: {"count": int(item["count"]) + 1 if item else 1}
        )
        return int(counted["count"]) if counted else 0


def read_held(item: Item) -> HeldMessage:
    """The message that `item` holds."""
    return _decode(as_bytes(item["held"]))


def _unless_live(item: Item | None, held: HeldMessage, oldest: int) -> Item | None:
    """The item of `held`, unless one that has not expired is there."""
    if item is not None and read_held(item).at >= oldest:
        return None
    return {"held": msgspec.json.encode(held)}


def _place(held: HeldMessage) -> Key:
    key = f"{held.uid}#{held.draft.msg_id}" if held.draft.msg_id else f"#{keys.padded(held.id)}"
    return Key(keys.held(held.conv), key)


def _on_users_side(held: HeldMessage) -> Key:
    return Key(keys.user(held.uid), f"{keys.HOLDS}{held.conv}")


def _since(held: Sequence[HeldMessage], not_before: int) -> list[HeldMessage]:
    return [each for each in held if each.at >= not_before]
