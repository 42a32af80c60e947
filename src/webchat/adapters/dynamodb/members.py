"""Who is, or was, in which conversation, on DynamoDB.

A mark in a log's head says that rows are still to be written: whoever reads rows writes them first.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.directory import PublicGroups
from webchat.adapters.dynamodb.followers import Followers
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.rows import MemberRow, read_row, uid_of
from webchat.adapters.dynamodb.steady import MOST_ITEMS, SteadyTable
from webchat.adapters.dynamodb.table import Item
from webchat.model import ConvID, Group, Membership, Seq, Uid

_ROLES: tuple[str, ...] = ("admin",)
_COUNTS_KEPT = 10_000


class DynamoMembers:
    """See `ports/members.py`."""

    def __init__(
        self, table: SteadyTable, reader: LogReader, followers: Followers, groups: PublicGroups
    ) -> None:
        self._table = table
        self._reader = reader
        self._followers = followers
        self._groups = groups
        self._counts: dict[ConvID, tuple[Seq, int]] = {}

    async def of_user(self, uid: Uid) -> Sequence[Membership]:
        """The newest span of each conversation the user is or was in."""
        span = keys.prefixed(keys.user(uid), keys.CONVERSATION)
        return [_membership(uid, item) async for item in self._table.items(span)]

    async def spans(self, conv: ConvID, uid: Uid) -> Sequence[Membership]:
        """All spans of a user in a conversation, ascending."""
        await self._finish(conv)
        item = await self._table.get(keys.member(conv, uid))
        return read_row(item).memberships(conv, uid)

    async def page(self, conv: ConvID, after: Uid, limit: int) -> Sequence[Membership]:
        """Present members with uid > `after`, by uid."""
        found: list[Membership] = []
        if limit <= 0:
            return found
        async for uid, row in self._rows(conv, after, limit):
            if row.is_present:
                found.append(row.memberships(conv, uid)[-1])
            if len(found) >= limit:
                break
        return found

    async def count(self, conv: ConvID) -> int:
        """How many present members; counted anew only after a membership entry."""
        head = await self._reader.head(conv)
        kept = self._counts.get(conv)
        if kept is not None and kept[0] == head.members_seq and not head.marks:
            return kept[1]
        count = 0
        async for _, row in self._rows(conv):
            count += row.is_present
        if head.members_seq:
            self._counts[conv] = (head.members_seq, count)
            if len(self._counts) > _COUNTS_KEPT:
                del self._counts[next(iter(self._counts))]
        return count

    async def at(self, conv: ConvID, seq: Seq, limit: int) -> tuple[Sequence[Uid], int]:
        """The members as of entry `seq`, in the order they came in, and how many they are."""
        members: list[tuple[Seq, Uid]] = []
        async for uid, row in self._rows(conv):
            members += (
                (since, uid)
                for since, until, _ in row.spans
                if since <= seq and (not until or until > seq)
            )
        return [uid for _, uid in sorted(members)[:limit]], len(members)

    async def group(self, conv: ConvID) -> Group | None:
        """What is true of a group."""
        await self._finish(conv)
        return await self._groups.group(conv)

    async def public(self, prefix: str, after: ConvID, limit: int) -> Sequence[Group]:
        """Public groups whose name begins with `prefix`, by conv."""
        return await self._groups.search(prefix, after, limit)

    async def present_among(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Membership]:
        """The open spans of those of `uids` who are members now."""
        if not uids:
            return {}
        await self._finish(conv)
        rows = await self._table.get_many(keys.member(conv, uid) for uid in uids)
        present = {uid_of(item): read_row(item) for item in rows.values()}
        return {
            uid: row.memberships(conv, uid)[-1] for uid, row in present.items() if row.is_present
        }

    async def successor(self, conv: ConvID, uid: Uid) -> Membership | None:
        """Whose the group is if `uid` leaves."""
        first: tuple[bool, Seq, Uid] | None = None
        found: Membership | None = None
        async for other, row in self._rows(conv):
            if other == uid or not row.is_present:
                continue
            span = row.memberships(conv, other)[-1]
            order = (span.role not in _ROLES, span.since, other)
            if first is None or order < first:
                first, found = order, span
        return found

    async def sharing(self, uid: Uid, others: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `others` who are now in some conversation with `uid`."""
        if not others:
            return set()
        own = await self._present_in(uid)
        wanted = list(dict.fromkeys(others))
        theirs = await self._table.each(self._present_in, wanted)
        return {other for other, convs in zip(wanted, theirs, strict=True) if own & convs}

    async def _present_in(self, uid: Uid) -> set[ConvID]:
        return {span.conv for span in await self.of_user(uid) if span.until is None}

    async def _rows(
        self, conv: ConvID, after: Uid = "", page: int = MOST_ITEMS
    ) -> AsyncIterator[tuple[Uid, MemberRow]]:
        await self._finish(conv)
        span = keys.prefixed(keys.log(conv), keys.MEMBER, after)
        async for item in self._table.items(span, max(min(page, MOST_ITEMS), 1)):
            yield uid_of(item), read_row(item)

    async def _finish(self, conv: ConvID) -> None:
        """Have rows say what the log says up to now."""
        head = await self._reader.head(conv)
        await self._followers.finish_rows(conv, head.marks)


def _membership(uid: Uid, item: Item) -> Membership:
    conv = str(item["sk"]).removeprefix(keys.CONVERSATION)
    until = int(item["until"]) or None
    return Membership(conv, uid, int(item["since"]), until, str(item["role"]))
