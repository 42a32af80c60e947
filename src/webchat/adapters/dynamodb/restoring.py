"""Filling a table from records that another store gave."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from functools import reduce
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
from webchat.adapters.dynamodb.rolling import older_than_kept
from webchat.adapters.dynamodb.rows import MemberRow, forward, read_row, uid_of
from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Item, Key, older, version
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, unseal
from webchat.ports.accounts import fold
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

_OfMember = MemberRecord | PositionRecord
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
        members: dict[Key, list[_OfMember]] = {}
        others: dict[Hashable, list[Record]] = {}
        for record in records:
            if isinstance(record, EntryRecord):
                logs.setdefault(record.entry.conv, []).append(record)
            elif isinstance(record, MemberRecord | PositionRecord):
                members.setdefault(_row_of(record), []).append(record)
            elif not is_again or not isinstance(record, KeptRecord | HeldRecord):
                others.setdefault(_line_of(record), []).append(record)
        await self._restore_members(members)
        await self._table.each(self._restore_in_turn, others.values())
        await self._restore_logs(logs)

    async def _restore_members(self, told: Mapping[Key, Sequence[_OfMember]]) -> None:
        """Add spans and positions to members' rows, and the newest spans to the users' sides: on no
        condition, since nobody else writes to a store that is being filled."""
        found = await self._table.get_many(told)
        items: list[Item] = []
        for key, records in told.items():
            ver = int(found[key]["ver"]) if key in found else 0
            row = reduce(_with_record, records, read_row(found.get(key)))
            items.append({**row.item(), **key._asdict(), "ver": ver + 1})
            if row.spans:
                conv, uid = keys.conv_of(key.pk), uid_of(items[-1])
                items.append(keys.conversation_item(uid, conv, row.seq, row.spans[-1]))
        await self._table.put_many(items)

    async def _restore_in_turn(self, records: Sequence[Record]) -> None:
        for record in records:
            await self._restore(record)

    async def _restore(self, record: Record) -> None:
        match record:
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

    async def _restore_logs(self, told: Mapping[ConvID, Sequence[EntryRecord]]) -> None:
        heads = await self._reader.heads(told)

        async def restore(conv: ConvID) -> None:
            await self._restore_log(heads.get(conv, LogHead(conv)), told[conv])

        await self._table.each(restore, told)

    async def _restore_log(self, there: LogHead, records: Sequence[EntryRecord]) -> None:
        """Append entries as they were, behind those that are there already."""
        head = there
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


def _row_of(record: _OfMember) -> Key:
    if isinstance(record, MemberRecord):
        return keys.member(record.span.conv, record.span.uid)
    return keys.member(record.conv, record.uid)


def _with_record(row: MemberRow, record: _OfMember) -> MemberRow:
    """`row` with a span or a position more."""
    if isinstance(record, PositionRecord):
        return row.at(forward(row.position, record.position))
    span = record.span
    until = span.until or 0
    spans = tuple(sorted({*row.spans, (span.since, until, span.role)}))
    return MemberRow(spans, max(row.seq, span.since, until), row.position)


def _line_of(record: Record) -> Hashable:
    """Records with the same one are written in turn: items of theirs may be the same, or their
    order counts."""
    match record:
        case AccountRecord(profile):
            return fold(profile.uid)
        case LoginRecord(token_hash):
            return token_hash
        case KeptRecord(uid):
            return uid
        case ReactionRecord(conv, seq, uid):
            return conv, seq, uid
        case GroupRecord(group):
            return group.conv
    return type(record)


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
