"""Reading logs: the newest entries come with the head, older ones in the batches before it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import Batch, LogHead, Record, as_bytes, read_batch, read_head
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Span
from webchat.model import ConvID, Entry, Seq

_ENTRIES_A_BATCH: Final = 4
"""A guess on the low side, for how many batches to ask for at once."""


class LogReader:
    """Entries and heads as they are now. Every method may raise WebchatError(UNAVAILABLE)."""

    def __init__(self, table: SteadyTable) -> None:
        self._table = table

    async def head(self, conv: ConvID) -> LogHead:
        """The head; of a log that does not exist one with `ver` 0."""
        item = await self._table.get(keys.head(conv))
        return read_head(item) if item else LogHead(conv)

    async def heads(self, convs: Iterable[ConvID]) -> dict[ConvID, LogHead]:
        """The heads of many logs; those that do not exist are left out."""
        found = await self._table.get_many(map(keys.head, convs))
        return {keys.conv_of(key.pk): read_head(item) for key, item in found.items()}

    async def after(self, head: LogHead, after: Seq, limit: int) -> list[Entry]:
        """Up to `limit` entries with `Seq` > `after` of the log that `head` was read of."""
        entries: list[Entry] = []
        after = max(after, 0)
        if after + 1 < head.first and limit > 0:
            async for batch in self.batches_from(head, after + 1):
                entries += [entry for entry in batch.entries() if after < entry.seq < head.first]
                if len(entries) >= limit or batch.last + 1 >= head.first:
                    break
        if len(entries) < limit:
            entries += [record.entry(head.conv, seq) for seq, record in head.inline(after)]
        return entries[:limit]

    async def before(self, head: LogHead, before: Seq | None, limit: int) -> list[Entry]:
        """The newest `limit` entries with `Seq` < `before`, ascending."""
        end = head.last + 1 if before is None else min(before, head.last + 1)
        newest = [record.entry(head.conv, seq) for seq, record in head.inline(0) if seq < end]
        if len(newest) < limit and min(end, head.first) > 1:
            async for batch in self.batches_before(head.conv, min(end, head.first), limit):
                older = [entry for entry in batch.entries() if entry.seq < min(end, head.first)]
                newest = older + newest
                if len(newest) >= limit:
                    break
        return newest[-limit:] if limit > 0 else []

    async def at(self, head: LogHead, seqs: Sequence[Seq]) -> list[Entry]:
        """These entries, in this order; those that do not exist are left out."""
        pages = await self._table.each(lambda seq: self.after(head, seq - 1, 1), seqs)
        return [entry for page, seq in zip(pages, seqs, strict=True) for entry in page[:1]
                if entry.seq == seq]  # fmt: skip

    async def stored(self, head: LogHead) -> AsyncIterator[tuple[Seq, Record]]:
        """All entries up to the last of `head`, as they are stored."""
        async for batch in self.batches_from(head, 1):
            for seq, record in enumerate(batch.records, batch.first):
                if seq < head.first:
                    yield seq, record
        for seq, record in head.inline(0):
            yield seq, record

    async def batch_with(self, conv: ConvID, seq: Seq) -> Batch | None:
        """The batch that holds the entry `seq`, if one does."""
        async for batch in self.batches_before(conv, seq + 1, 1):
            return batch if batch.last >= seq else None
        return None

    async def batches_before(self, conv: ConvID, before: Seq, entries: int) -> AsyncIterator[Batch]:
        """Batches that begin before `before`, newest first; about `entries` are wanted."""
        low, high = keys.batch(conv, 0), keys.batch(conv, before - 1)
        span = Span(low.pk, low.sk, high.sk, descending=True)
        async for item in self._table.items(span, _page(entries)):
            yield await self._whole(read_batch(item))

    async def batches_from(self, head: LogHead, seq: Seq) -> AsyncIterator[Batch]:
        """Batches that end at `seq` or later, oldest first, up to the tail of `head`."""
        found = await self.batch_with(head.conv, seq)
        if found is not None:
            yield found
        low = keys.batch(head.conv, (found.last if found else seq - 1) + 1)
        span = Span(low.pk, low.sk, keys.batch(head.conv, head.first - 1).sk)
        if low.sk > span.high:
            return
        async for item in self._table.items(span, _page(head.first - seq)):
            yield await self._whole(read_batch(item))

    async def _whole(self, batch: Batch) -> Batch:
        """`batch`, or what it is by now, with the envelopes that lie apart from it."""
        while batch.apart:
            places = {seq: keys.apart(batch.conv, seq, ref) for seq, ref in batch.apart.items()}
            found = await self._table.get_many(places.values())
            if len(found) == len(places):
                return batch.saying(
                    {seq: as_bytes(found[key]["envelope"]) for seq, key in places.items()}
                )
            # One of them was changed meanwhile, and lies elsewhere.
            item = await self._table.get(keys.batch(batch.conv, batch.first))
            if item is None or int(item["ver"]) == batch.ver:
                raise LookupError(f"an entry of {batch.conv} from {batch.first} on is lost")
            batch = read_batch(item)
        return batch


def _page(entries: int) -> int:
    return min(max(entries // _ENTRIES_A_BATCH, 1), 200)
