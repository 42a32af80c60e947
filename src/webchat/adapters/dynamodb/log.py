"""The port of logs, on DynamoDB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.writer import LogWriter
from webchat.model import ConvID, Entry, Head, Seq, Uid
from webchat.ports.log import Append, AppendDone


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

    async def reactions(self, conv: ConvID, seqs: Sequence[Seq]) -> Mapping[Seq, Mapping[Uid, str]]:
        """Who reacted how to these entries."""
        wanted = set(seqs)
        if not wanted:
            return {}
        span = keys.reactions(conv, min(wanted), max(wanted))
        found: dict[Seq, dict[Uid, str]] = {}
        async for item in self._table.items(span):
            seq, uid = keys.reaction_of(item)
            if seq in wanted and item["body"]:
                found.setdefault(seq, {})[uid] = str(item["body"])
        return found
