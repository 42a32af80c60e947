"""Filling a table from records that another store gave."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.accounts import DynamoAccounts
from webchat.adapters.dynamodb.directory import PublicGroups
from webchat.adapters.dynamodb.head import Batch, LogHead, size
from webchat.adapters.dynamodb.head import Record as Stored
from webchat.adapters.dynamodb.held import DynamoHeld
from webchat.adapters.dynamodb.invitations import put_invitation
from webchat.adapters.dynamodb.kept import DynamoKeptReceipts
from webchat.adapters.dynamodb.links import DynamoInviteLinks
from webchat.adapters.dynamodb.logins import DynamoLogins
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.rolling import older_than_kept, save_position
from webchat.adapters.dynamodb.rows import MemberRow, read_row
from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Item, older, version
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Membership, unseal
from webchat.ports.held import HeldLimits
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

_NO_LIMITS: Final = HeldLimits(2**60, 2**60, 2**60)
_KEPT_NEWEST: Final = 2**40
_FIRST: Final = 1
"""The `Seq` that a group's row is written for: every entry that changes it has a higher one."""


class Restoring:
    """Writes pages of records. Every method may raise WebchatError(UNAVAILABLE)."""

    def __init__(
        self,
        table: SteadyTable,
        reader: LogReader,
        settings: DynamoSettings,
        accounts: DynamoAccounts,
        logins: DynamoLogins,
    ) -> None:
        self._table = table
        self._reader = reader
        self._settings = settings
        self._accounts = accounts
        self._logins = logins
        self._groups = PublicGroups(table)
        self._held = DynamoHeld(table)
        self._kept = DynamoKeptReceipts(table)
        self._links = DynamoInviteLinks(table)
        self._order = itertools.count(1)
        self._last_page: tuple[Record, ...] = ()

    async def restore(self, records: Sequence[Record]) -> None:
        """Write a page, durable on return; the same page again changes nothing."""
        # Receipts, and held messages without a MsgID, have no key to be known again by.
        is_again = tuple(records) == self._last_page
        self._last_page = tuple(records)
        logs: dict[ConvID, list[EntryRecord]] = {}
        for record in records:
            if isinstance(record, EntryRecord):
                logs.setdefault(record.entry.conv, []).append(record)
            elif not is_again or not isinstance(record, KeptRecord | HeldRecord):
                await self._restore(record)
        await self._table.each(self._restore_log, logs.values())

    async def _restore(self, record: Record) -> None:
        match record:
            case MemberRecord(span):
                await self._restore_span(span)
            case PositionRecord(conv, uid, position):
                await save_position(self._table, conv, uid, position)
            case ReactionRecord(conv, seq, uid, by, body):
                key = keys.reaction(conv, seq, uid)
                await self._table.put_if({**key._asdict(), "ver": by, "body": body}, older(by))
            case GroupRecord(group):
                await self._groups.save(group, _FIRST)
            case InvitationRecord(invitation):
                await put_invitation(self._table, invitation, next(self._order))
            case _:
                await self._restore_person(record)

    async def _restore_person(self, record: Record) -> None:
        match record:
            case AccountRecord(profile, password_hash, saved_at):
                await self._accounts.restore(profile, password_hash, saved_at)
            case LoginRecord(token_hash, login):
                await self._logins.add(token_hash, login)
            case KeptRecord(uid, envelope):
                await self._kept.keep(uid, [envelope], _KEPT_NEWEST)
            case HeldRecord(conv, draft, at):
                await self._held.hold(conv, draft, at, _NO_LIMITS)
            case LinkRecord(code_hash, link):
                await self._links.restore(code_hash, link)

    async def _restore_span(self, span: Membership) -> None:
        """Add one span to a member's row, and the newest to the user's side."""
        mine = (span.since, span.until or 0, span.role)
        latest = MemberRow()

        def add(item: Item | None) -> Item | None:
            nonlocal latest
            latest = row = read_row(item)
            if mine in row.spans:
                return None
            spans = tuple(sorted((*row.spans, mine)))
            seq = max(row.seq, span.since, span.until or 0)
            latest = MemberRow(spans, seq, row.position)
            return latest.item()

        await self._table.change(keys.member(span.conv, span.uid), add)
        item = keys.conversation_item(span.uid, span.conv, latest.seq, latest.spans[-1])
        await self._table.put_if(item, older(latest.seq))

    async def _restore_log(self, records: Sequence[EntryRecord]) -> None:
        """Append entries as they were, behind those that are there already."""
        there = head = await self._reader.head(records[0].entry.conv)
        for record in records:
            if record.entry.seq == head.last + 1:
                head = await self._roll_out(_with(head, record))
        if head.last == there.last:
            return
        item = msgspec.structs.replace(head, ver=there.ver + 1).item()
        if await self._table.put_if(item, version(there.ver)):
            return
        if (await self._reader.head(head.conv)).last < head.last:
            raise WebchatError(Code.UNAVAILABLE, f"{head.conv} changes while it is restored")

    async def _roll_out(self, head: LogHead) -> LogHead:
        if size(head.tail) <= self._settings.inline_bytes:
            return head
        records = older_than_kept(head, self._settings.kept_inline_bytes)
        batch = Batch(head.conv, head.first, records)
        await self._table.put(batch.item())
        tail = head.tail[len(records) :]
        return msgspec.structs.replace(head, first=batch.last + 1, tail=tail)


def _with(head: LogHead, record: EntryRecord) -> LogHead:
    entry = record.entry
    draft = unseal(entry)
    is_membership = record.members_seq == entry.seq
    stored = Stored(
        entry.n, entry.at, entry.kind, entry.sender, entry.msg_id, draft.envelope, b"",
        is_membership,
    )  # fmt: skip
    return msgspec.structs.replace(
        head,
        last=entry.seq,
        n=entry.n,
        at=entry.at,
        members_seq=record.members_seq,
        tail=(*head.tail, stored),
    )
