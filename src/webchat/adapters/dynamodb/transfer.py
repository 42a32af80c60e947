"""Everything the table holds as records, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.accounts import read_accounts
from webchat.adapters.dynamodb.directory import read_group
from webchat.adapters.dynamodb.head import MARK_SHARDS, LogHead, as_bytes, further, read_head
from webchat.adapters.dynamodb.held import read_held
from webchat.adapters.dynamodb.invitations import waiting_in
from webchat.adapters.dynamodb.links import read_link
from webchat.adapters.dynamodb.logins import live_login
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.restoring import Restoring
from webchat.adapters.dynamodb.rows import read_row, uid_of
from webchat.adapters.dynamodb.steady import SteadyTable, key_of
from webchat.adapters.dynamodb.table import Item, Key, Page
from webchat.model import ConvID
from webchat.ports.transfer import (
    AccountRecord,
    EntryRecord,
    GroupRecord,
    HeldRecord,
    InvitationRecord,
    KeptRecord,
    LinkRecord,
    LoginRecord,
    MemberRecord,
    PositionRecord,
    ReactionRecord,
    Record,
)  # fmt: skip

_PAGE: Final = 200
_MOST_MARKS: Final = 5_000
"""Of a shard: far more than all nodes leave when they are killed."""
_NO_CONTENTS: Final = (keys.META, keys.NODES, keys.REVOCATIONS, keys.EXPIRING)


class DynamoTransfer:
    """See `ports/transfer.py`. Reading scans the table; what is not in order is asked for again."""

    def __init__(
        self,
        table: SteadyTable,
        reader: LogReader,
        restoring: Restoring,
        finish: Callable[[ConvID], Awaitable[None]],
    ) -> None:
        """`finish` does what the marks of a log say."""
        self._table = table
        self._reader = reader
        self._restoring = restoring
        self._finish = finish

    async def records(self) -> AsyncIterator[Record]:
        """All that is kept. No entry comes without what follows from it: another store has no mark
        that says so."""
        for shard in range(MARK_SHARDS):
            marked = await self._table.marked(str(shard), _MOST_MARKS)
            await self._table.each(self._finish, [keys.conv_of(key.pk) for key, _ in marked])
        async for page in self._pages(self._finished_page):
            rows = [key for key in map(key_of, page) if key.sk.startswith(keys.MEMBER)]
            heads = await self._reader.heads({keys.conv_of(key.pk) for key in rows})
            for item in page:
                async for record in self._records_of(item, heads):
                    yield record

    async def restore(self, records: Sequence[Record]) -> None:
        """Write a page of records."""
        await self._restoring.restore(records)

    async def begin(self) -> None:
        """Mark it as being filled."""
        await self._table.put({**keys.IMPORTING._asdict()})

    async def finish(self) -> None:
        """Take the mark away."""
        await self._table.delete(keys.IMPORTING)

    async def is_empty(self) -> bool:
        """Whether nothing was ever kept here."""
        async for page in self._pages(self._page):
            if any(not str(item["pk"]).startswith(_NO_CONTENTS) for item in page):
                return False
        return True

    async def _pages(
        self, read: Callable[[Key | None], Awaitable[Page]]
    ) -> AsyncIterator[list[Item]]:
        after: Key | None = None
        while True:
            page = await read(after)
            yield page.items
            if (after := page.after) is None:
                return

    async def _page(self, after: Key | None) -> Page:
        return await self._table.scan(_PAGE, after)

    async def _finished_page(self, after: Key | None) -> Page:
        """A page, read again if something was still to follow from what it says."""
        page = await self._page(after)
        marked = [keys.conv_of(str(item["pk"])) for item in page.items if "marks" in item]
        if not marked:
            return page
        await self._table.each(self._finish, marked)
        return await self._page(after)

    async def _records_of(
        self, item: Item, heads: Mapping[ConvID, LogHead]
    ) -> AsyncIterator[Record]:
        pk, sk = key_of(item)
        if pk.startswith(keys.LOG) and sk == keys.HEAD:
            async for record in self._log(read_head(item)):
                yield record
        elif pk == keys.HELD:
            place = Key(str(item["place_pk"]), str(item["place_sk"]))
            found = await self._table.get(place)
            held = read_held(found) if found else None
            if held is not None and keys.padded(held.id) == sk:
                yield HeldRecord(held.conv, held.draft, held.at)
        else:
            for record in _beside_log(item, heads) if pk.startswith(keys.LOG) else _people(item):
                yield record

    async def _log(self, head: LogHead) -> AsyncIterator[Record]:
        """The entries of a log, then positions that are in its head alone."""
        members_seq = 0
        async for seq, stored in self._reader.stored(head):
            members_seq = seq if stored.is_membership else members_seq
            yield EntryRecord(stored.entry(head.conv, seq), members_seq)
        rows = await self._table.get_many(keys.member(head.conv, uid) for uid in head.moved)
        for uid, moved in head.moved.items():
            row = rows.get(keys.member(head.conv, uid))
            position = further(None, moved)
            if row is None and position is not None:
                yield PositionRecord(head.conv, uid, position)


def _beside_log(item: Item, heads: Mapping[ConvID, LogHead]) -> Iterator[Record]:
    """What an item in a log's partition, but its head and entries, tells."""
    pk, sk = key_of(item)
    conv = keys.conv_of(pk)
    if sk == keys.GROUP:
        yield GroupRecord(read_group(item))
    elif sk.startswith(keys.MEMBER):
        yield from _member(conv, item, heads.get(conv))
    elif sk.startswith(keys.REACTION) and item["body"]:
        seq, uid = keys.reaction_of(item)
        yield ReactionRecord(conv, seq, uid, int(item["ver"]), str(item["body"]))
    elif sk.startswith(keys.ASKED):
        yield from map(InvitationRecord, waiting_in(item))
    elif sk.startswith(keys.LINK):
        yield LinkRecord(as_bytes(item["code_hash"]), read_link(item))


def _member(conv: ConvID, item: Item, head: LogHead | None) -> Iterator[Record]:
    row, uid = read_row(item), uid_of(item)
    yield from map(MemberRecord, row.memberships(conv, uid))
    position = further(row.position, head.moved.get(uid) if head else None)
    if position is not None:
        yield PositionRecord(conv, uid, position)


def _people(item: Item) -> Iterator[Record]:
    """What an item of accounts, logins and kept receipts tells."""
    pk, _ = key_of(item)
    if pk.startswith(keys.ACCOUNT):
        for each in read_accounts(item).values():
            yield AccountRecord(each.profile, each.password_hash, each.saved_at)
    elif pk.startswith(keys.TOKEN):
        if (login := live_login(item)) is not None:
            yield LoginRecord(bytes.fromhex(pk.removeprefix(keys.TOKEN)), login)
    elif pk.startswith(keys.KEPT):
        yield KeptRecord(pk.removeprefix(keys.KEPT), as_bytes(item["envelope"]))
