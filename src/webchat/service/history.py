"""History: pages of a log, as far as its reader may see it (protocol, promise 8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import (
    ConvID,
    Entry,
    Membership,
    Seq,
    Uid,
    is_group,
    pair_of,
    user_log,
)
from webchat.ports.log import Log
from webchat.ports.members import Members
from webchat.service.pages import Page, check_seq, clean_limit
from webchat.service.standing import not_a_member


class History:
    """Reads what lies within the reader's own spans. UNAVAILABLE when the store is down."""

    def __init__(self, log: Log, members: Members) -> None:
        self._log = log
        self._members = members

    async def spans(self, uid: Uid, conv: ConvID) -> Sequence[Membership]:
        """What the user may see of the log, ascending. NOT_A_MEMBER: nothing, whether it exists
        or not. The own user log is seen whole, and by its members a group of open history."""
        if conv == user_log(uid):
            return (Membership(conv, uid, 1, None, ""),)
        spans = await self._members.spans(conv, uid) if _is_conversation(conv) else ()
        if not spans:
            raise not_a_member()
        if spans[-1].until is None and is_group(conv) and await self._is_open(conv):
            return (msgspec.structs.replace(spans[-1], since=1),)
        return spans

    async def _is_open(self, conv: ConvID) -> bool:
        group = await self._members.group(conv)
        return group is not None and group.history_open

    async def after(self, uid: Uid, conv: ConvID, after: Seq, limit: int) -> Page[Entry, Seq]:
        """The oldest entries with `Seq` > `after`, ascending; `next` is the next `after`."""
        check_seq(after)
        count = clean_limit(limit)
        found: list[Entry] = []
        for span in await self.spans(uid, conv):
            if len(found) <= count:
                start = max(after, span.since - 1)
                entries = await self._log.read(conv, start, count + 1 - len(found))
                found += (entry for entry in entries if _is_in(entry, span))
        items = found[:count]
        page = await self._with_reactions(conv, items)
        return Page(page, items[-1].seq if len(found) > count else None)

    async def before(
        self, uid: Uid, conv: ConvID, before: Seq | None, limit: int
    ) -> Page[Entry, Seq]:
        """The newest entries with `Seq` < `before` (None: all), ascending; `next` is the next
        `before`."""
        if before is not None:
            check_seq(before)
        count = clean_limit(limit)
        found: list[Entry] = []
        for span in reversed(await self.spans(uid, conv)):
            if len(found) <= count:
                end = _lower(before, None if span.until is None else span.until + 1)
                entries = await self._log.read_before(conv, end, count + 1 - len(found))
                found = [entry for entry in entries if _is_in(entry, span)] + found
        items = found[-count:]
        page = await self._with_reactions(conv, items)
        return Page(page, items[0].seq if len(found) > count else None)

    async def _with_reactions(self, conv: ConvID, entries: Sequence[Entry]) -> list[Entry]:
        """The entries, `Reactions` added to the envelopes of those that have some."""
        reactions = await self._log.reactions(conv, [entry.seq for entry in entries])
        return [
            _reacted_to(entry, reactions[entry.seq]) if entry.seq in reactions else entry
            for entry in entries
        ]

    async def entry(self, uid: Uid, conv: ConvID, seq: Seq) -> Entry:
        """One entry. NOT_FOUND if the user cannot see one there."""
        check_seq(seq)
        spans = await self.spans(uid, conv)
        entries = await self._log.read(conv, max(0, seq - 1), 1)
        if not entries or entries[0].seq != seq or not any(_is_in(entries[0], s) for s in spans):
            raise WebchatError(Code.NOT_FOUND, "There is no such entry.")
        return entries[0]


def _reacted_to(entry: Entry, reactions: Mapping[Uid, str]) -> Entry:
    added = b',"Reactions":' + msgspec.json.encode(reactions) + b"}"
    return msgspec.structs.replace(entry, envelope=entry.envelope[:-1] + added)


def _is_conversation(conv: ConvID) -> bool:
    return is_group(conv) or pair_of(conv) is not None


def _is_in(entry: Entry, span: Membership) -> bool:
    return span.since <= entry.seq and (span.until is None or entry.seq <= span.until)


def _lower(a: Seq | None, b: Seq | None) -> Seq | None:
    return min((seq for seq in (a, b) if seq is not None), default=None)
