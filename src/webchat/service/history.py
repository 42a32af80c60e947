"""History: pages of a log, as far as its reader may see it (protocol, promise 8)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

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
from webchat.service.seeing import ALL, Span, as_seen, is_in, visible
from webchat.service.standing import not_a_member

_PAGE_BYTES: Final = 1024 * 1024
"""Of entries with their reactions in one page, whose next one begins earlier then."""
_REACTIONS: Final = 1_000
"""That are shown of an entry; who asks sees its own beside them."""
_FEW_REACTIONS: Final = 100
"""Most entries have no more: those of a whole page are read at once."""


class History:
    """Reads what lies within the reader's own spans. UNAVAILABLE when the store is down."""

    def __init__(self, log: Log, members: Members) -> None:
        self._log = log
        self._members = members

    async def spans(self, uid: Uid, conv: ConvID) -> Sequence[Membership]:
        """When the user was in a conversation, ascending. NOT_A_MEMBER: never, whether it exists
        or not."""
        spans = await self._members.spans(conv, uid) if _is_conversation(conv) else ()
        if not spans:
            raise not_a_member()
        return spans

    async def _readable(self, uid: Uid, conv: ConvID) -> tuple[Span, ...]:
        """What the user may see of a log. The own user log is seen whole. NOT_A_MEMBER."""
        if conv == user_log(uid):
            return ALL
        spans = await self.spans(uid, conv)
        return visible(spans, await self._members.group(conv) if is_group(conv) else None)

    async def after(self, uid: Uid, conv: ConvID, after: Seq, limit: int) -> Page[Entry, Seq]:
        """The oldest entries with `Seq` > `after`, ascending; `next` is the next `after`."""
        check_seq(after)
        count = clean_limit(limit)
        found: list[Entry] = []
        spans = await self._readable(uid, conv)
        for since, until in spans:
            start, room = max(after, since - 1), count + 1 - len(found)
            if room > 0 and start < until:
                found += await self._log.read(conv, start, int(min(room, until - start)))
        items = await self._shown(uid, conv, found[:count], spans)
        return Page(items, items[-1].seq if len(found) > len(items) else None)

    async def before(
        self, uid: Uid, conv: ConvID, before: Seq | None, limit: int
    ) -> Page[Entry, Seq]:
        """The newest entries with `Seq` < `before` (None: all), ascending; `next` is the next
        `before`."""
        if before is not None:
            check_seq(before)
        count = clean_limit(limit)
        found: list[Entry] = []
        spans = await self._readable(uid, conv)
        for since, until in reversed(spans):
            end = until + 1 if before is None else min(before, until + 1)
            room = count + 1 - len(found)
            if room > 0 and since < end:
                found = [*await self._newest(conv, since, end, room), *found]
        items = (await self._shown(uid, conv, found[-count:][::-1], spans))[::-1]
        return Page(items, items[0].seq if len(found) > len(items) else None)

    async def _newest(self, conv: ConvID, since: Seq, end: float, limit: int) -> list[Entry]:
        """Up to `limit` entries from `since` on that come before `end`."""
        most = int(min(limit, end - since))
        entries = await self._log.read_before(conv, None if end == math.inf else int(end), most)
        return [entry for entry in entries if entry.seq >= since]

    async def _shown(
        self, uid: Uid, conv: ConvID, entries: Sequence[Entry], spans: Sequence[Span]
    ) -> list[Entry]:
        """The first of these entries, `Reactions` added to the envelopes of those that have some:
        as many as make a page that is not too long to be kept until it is read; one at least."""
        few = await self._log.reactions(conv, [entry.seq for entry in entries], _FEW_REACTIONS)
        shown: list[Entry] = []
        size = 0
        for entry in entries:
            seen, reactions = as_seen(entry, spans), few.get(entry.seq, {})
            if len(reactions) == _FEW_REACTIONS:
                reactions = await self._reactions(uid, conv, entry.seq)
            if reactions:
                seen = _reacted_to(seen, reactions)
            size += len(seen.envelope)
            if size > _PAGE_BYTES and shown:
                break
            shown.append(seen)
        return shown

    async def _reactions(self, uid: Uid, conv: ConvID, seq: Seq) -> Mapping[Uid, str]:
        """The first reactions to an entry, by uid, and the own one."""
        found = (await self._log.reactions(conv, [seq], _REACTIONS)).get(seq, {})
        if len(found) < _REACTIONS or uid in found:
            return found
        own = (await self._log.reactions(conv, [seq], 1, since=uid)).get(seq, {})
        return {**found, uid: own[uid]} if uid in own else found

    async def entry(self, uid: Uid, conv: ConvID, seq: Seq) -> Entry:
        """One entry. NOT_FOUND if the user cannot see one there."""
        check_seq(seq)
        spans = await self._readable(uid, conv)
        entries = await self._log.read(conv, max(0, seq - 1), 1)
        if not entries or entries[0].seq != seq or not is_in(seq, spans):
            raise WebchatError(Code.NOT_FOUND, "There is no such entry.")
        return as_seen(entries[0], spans)


def _reacted_to(entry: Entry, reactions: Mapping[Uid, str]) -> Entry:
    added = b',"Reactions":' + msgspec.json.encode(reactions) + b"}"
    return msgspec.structs.replace(entry, envelope=entry.envelope[:-1] + added)


def _is_conversation(conv: ConvID) -> bool:
    return is_group(conv) or pair_of(conv) is not None
