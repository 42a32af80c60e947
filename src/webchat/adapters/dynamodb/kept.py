"""Receipts kept for a user: a queue of numbered items, removed one by one as they are taken."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import as_bytes
from webchat.adapters.dynamodb.steady import SteadyTable, key_of
from webchat.adapters.dynamodb.table import (
    ABSENT,
    ConditionFailed,
    Item,
    Key,
    unrepeated,
    version,
)  # fmt: skip
from webchat.errors import WebchatError
from webchat.model import Uid


class DynamoKeptReceipts:
    """See `ports/kept.py`.

    Numbers begin anew once nothing is left; a receipt is known by its `ver`, so a removal that is
    tried again removes no other of that number.
    """

    def __init__(self, table: SteadyTable) -> None:
        self._table = table

    async def keep(self, uid: Uid, envelopes: Sequence[bytes], newest: int) -> None:
        """Append them; beyond `newest` the oldest go."""
        last = await self._last(uid)
        for envelope in envelopes[-newest:]:
            last += 1
            while not await self._put(Key(keys.kept(uid), keys.padded(last)), envelope):
                last += 1
        await self._trim(uid, last - newest)

    async def take(self, uid: Uid, limit: int) -> Sequence[bytes]:
        """Remove and return the oldest; what may be removed by somebody else is not returned."""
        while True:
            page = await self._table.query(keys.prefixed(keys.kept(uid), ""), limit)
            taken = await self._table.each(self._take, page.items)
            envelopes = [each for each in taken if isinstance(each, bytes)]
            if envelopes or not page.items:
                return envelopes
            for each in taken:
                if isinstance(each, WebchatError):
                    raise each

    async def _take(self, item: Item) -> bytes | WebchatError | None:
        """None: somebody else has removed it."""
        try:
            await self._table.delete(key_of(item), version(int(item["ver"])))
        except ConditionFailed:
            return None
        except WebchatError as error:
            return error
        return as_bytes(item["envelope"])

    async def _put(self, key: Key, envelope: bytes) -> bool:
        """False: there is another."""
        item: Item = {**key._asdict(), "ver": unrepeated(), "envelope": envelope}
        if await self._table.put_if(item, ABSENT):
            return True
        there = await self._table.get(key)
        return there is not None and there["ver"] == item["ver"]

    async def _last(self, uid: Uid) -> int:
        span = keys.prefixed(keys.kept(uid), "", descending=True)
        page = await self._table.query(span, 1)
        return int(str(page.items[0]["sk"])) if page.items else 0

    async def _trim(self, uid: Uid, until: int) -> None:
        if until <= 0:
            return
        span = keys.up_to(keys.kept(uid), keys.padded(until))
        async for item in self._table.items(span):
            with suppress(ConditionFailed):
                await self._table.delete(key_of(item), version(int(item["ver"])))
