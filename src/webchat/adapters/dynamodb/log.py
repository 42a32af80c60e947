"""The port of logs, on DynamoDB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Item
from webchat.adapters.dynamodb.writer import LogWriter
from webchat.model import ConvID, Entry, Head, Seq, Uid
from webchat.ports.log import Append, AppendDone

_PAGE_ITEMS: Final = 1_000


class DynamoLog:
    """See `ports/log.py`."""

    def __init__(self, table: SteadyTable, reader: LogReader, writer: LogWriter) -> None:
        self._table = table
        self._reader = reader
        self._writer = writer

    def append(self, request: Append, done: AppendDone) -> None:
        """Queue a request."""
        self._writer.append(request, done)

    async def read(self, conv: ConvID, after: Seq, limit: int) -> list[Entry]:
        """Up to `limit` entries with `Seq` > `after`, ascending."""
        return await self._reader.after(await self._reader.head(conv), after, limit)

    async def read_each(
        self, places: Mapping[ConvID, Seq], limit: int
    ) -> Mapping[ConvID, list[Entry]]:
        """What comes after a place in each of many logs; most of it comes with their heads."""
        heads = await self._reader.heads(places)
        found = await self._table.each(
            lambda conv: self._reader.after(heads[conv], places[conv], limit), heads
        )
        return {conv: entries for conv, entries in zip(heads, found, strict=True) if entries}

    async def read_before(self, conv: ConvID, before: Seq | None, limit: int) -> list[Entry]:
        """The newest `limit` entries with `Seq` < `before`, ascending."""
        return await self._reader.before(await self._reader.head(conv), before, limit)

    async def find(self, conv: ConvID, sender: Uid, msg_id: str) -> Entry | None:
        """The entry with that key of idempotence."""
        return await self._writer.find_done(conv, sender, msg_id)

    async def heads(self, convs: Sequence[ConvID]) -> Mapping[ConvID, Head]:
        """The heads of many logs at once."""
        heads = await self._reader.heads(convs)
        return {conv: heads[conv].numbers() for conv in convs if conv in heads}

    async def reactions(
        self, conv: ConvID, seqs: Sequence[Seq], limit: int, since: Uid = ""
    ) -> Mapping[Seq, Mapping[Uid, str]]:
        """Who reacted how to these entries, of each up to `limit` from `since` on. Behind a page
        that ends with an entry which has so many, the rest of that entry is passed over."""
        found: dict[Seq, dict[Uid, str]] = {seq: {} for seq in seqs}
        first, last, begin = min(seqs, default=1), max(seqs, default=0), since
        while first <= last:
            span = keys.reactions(conv, first, last, begin)
            page = await self._table.query(span, _PAGE_ITEMS)
            _take(page.items, found, limit, since)
            if page.after is None:
                break
            first, uid = keys.reaction_of(page.after._asdict())
            if first not in found or len(found[first]) == limit:
                first, begin = first + 1, ""
            else:
                begin = f"{uid}\0"
        return {seq: reactions for seq, reactions in found.items() if reactions}


def _take(
    items: Iterable[Item], found: Mapping[Seq, dict[Uid, str]], limit: int, since: Uid
) -> None:
    for item in items:
        seq, uid = keys.reaction_of(item)
        reactions = found.get(seq)
        if reactions is not None and len(reactions) < limit and uid >= since and item["body"]:
            reactions[uid] = str(item["body"])
