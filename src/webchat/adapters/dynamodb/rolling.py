"""What makes room in a head: old entries go into batches, positions of senders into their rows."""

from __future__ import annotations

from itertools import islice

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import Batch, LogHead, Record, read_batch, size
from webchat.adapters.dynamodb.logs import KnownLog
from webchat.adapters.dynamodb.pages import KeyPages
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.rows import RowCache, forward, read_row
from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import ABSENT, Item, version
from webchat.model import ConvID, Position, Uid


class Rolling:
    """Each act may raise WebchatError(UNAVAILABLE), and can be done again at any time."""

    def __init__(
        self,
        table: SteadyTable,
        reader: LogReader,
        pages: KeyPages,
        rows: RowCache,
        settings: DynamoSettings,
    ) -> None:
        self._table = table
        self._reader = reader
        self._pages = pages
        self._rows = rows
        self._settings = settings

    async def tidy(self, known: KnownLog) -> None:
        """Prepare what the next write takes out of the head, if it has grown over its bounds."""
        head = known.head
        if head is None:
            return
        if size(head.tail) > self._settings.inline_bytes:
            await self.roll_out(known, self._settings.kept_inline_bytes)
        if len(head.moved) > self._settings.inline_senders:
            await self._flush(known, head)

    async def roll_out(self, known: KnownLog, kept_bytes: int) -> None:
        """Put the older entries of the tail into a batch; `kept_bytes` of the newest stay."""
        head = known.head
        if head is None or not (records := older_than_kept(head, kept_bytes)):
            return
        batch: Batch | None = Batch(head.conv, head.first, records)
        if batch and not await self._table.put_if(batch.item(), ABSENT):
            batch = await self._agree(head)
        if batch is None:
            known.head = None
            return
        known.rolled = batch.records
        if known.window is not None:
            await self._pages.write_pages(known.window, head.first, batch.last + 1)

    async def _agree(self, head: LogHead) -> Batch | None:
        """A batch that begins there is there: somebody else's, or left by one that died. Have it
        hold what the head says; None: the head is another by now.

        The head is read after the batch: as long as the entries are in it nobody changes them in
        the batch, and once they are not the batch has another `ver`.
        """
        found = await self._table.get(keys.batch(head.conv, head.first))
        now = await self._reader.head(head.conv)
        if found is None or now.ver != head.ver:
            return None
        there = read_batch(found)
        wanted = head.tail[: len(there.records)]
        if there.records == wanted:
            return there
        batch = Batch(head.conv, head.first, wanted, there.ver + 1)
        if len(wanted) < len(there.records):
            return None
        return batch if await self._table.put_if(batch.item(), version(there.ver)) else None

    async def _flush(self, known: KnownLog, head: LogHead) -> None:
        """Move positions of those who sent longest ago into their rows; but of messages that are
        not answered yet it is still to be told where their senders were."""
        excess = len(head.moved) - self._settings.inline_senders // 2
        told = known.answers[0].after if known.answers else head.last
        oldest = {uid: at for uid, at in islice(head.moved.items(), excess) if at[0] <= told}

        async def flush(uid: Uid) -> None:
            seq, n = oldest[uid]
            row = await save_position(self._table, head.conv, uid, Position(seq, seq, n))
            self._rows.put(keys.member(head.conv, uid), row)
            known.flushed[uid] = seq

        await self._table.each(flush, oldest)


async def save_position(table: SteadyTable, conv: ConvID, uid: Uid, to: Position) -> Item | None:
    """Move a member's row forward to a position; what was written, None: it was there already."""

    def moved(item: Item | None) -> Item | None:
        row = read_row(item)
        after = forward(row.position, to)
        return None if after == row.position else row.at(after).item()

    return await table.change(keys.member(conv, uid), moved)


def older_than_kept(head: LogHead, kept_bytes: int) -> tuple[Record, ...]:
    """The entries of the tail but for the newest, of about `kept_bytes`."""
    kept = 0
    for place in range(len(head.tail) - 1, -1, -1):
        kept += size(head.tail[place : place + 1])
        if kept > kept_bytes:
            return head.tail[: place + 1]
    return ()
