"""What a user follows: the one read of a device that comes back, and of its list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from heapq import nlargest
from typing import NamedTuple, Protocol

import msgspec

from webchat.model import NO_HEAD, ConvID, Entry, Head, Membership, Uid, user_log
from webchat.ports.log import Log
from webchat.ports.members import Members


class Followed(msgspec.Struct, frozen=True):
    """`memberships`: the newest span of each conversation the user is or was in, any order.

    `heads`: of those that it is in and of its own log, as far as they exist; none is older than
    the beginning of the read, or than what the membership says. `own`: where its own log was
    before them, or with them: what brought the user into a log that is not among them comes after
    that. `unreadable`: logs that are in neither, as nothing says where they end; its own may be.
    """

    memberships: Sequence[Membership]
    heads: Mapping[ConvID, Head]
    own: Head
    unreadable: AbstractSet[ConvID] = frozenset()


class Activity(NamedTuple):
    """The place of a conversation in a user's list: the later something happened, the greater.

    `at`: ms since 1970, of the newest entry that the user may see. A tuple: they are compared by
    the thousand for each page.
    """

    at: int
    conv: ConvID


class Seen(msgspec.Struct, frozen=True):
    """A conversation of a user: its newest `span`, and the newest entry of the log within it."""

    span: Membership
    last: Entry

    @property
    def activity(self) -> Activity:
        """Its place in the list."""
        return Activity(self.last.at, self.last.conv)


class Following(Protocol):
    """Promise: a read that begins after an append was `done` sees it, and what followed from it."""

    async def of(self, uid: Uid) -> Followed:
        """What the user follows. Raises WebchatError(UNAVAILABLE)."""

    async def newest(self, uid: Uid, before: Activity | None, limit: int) -> Sequence[Seen]:
        """Up to `limit` conversations that the user is or was in, those with the greatest activity
        first, of those below `before` (None: of all). Those that cannot be read may be left out.
        Raises WebchatError(UNAVAILABLE)."""


class FollowingInTurn:
    """For a store that cannot read it at once: one part after the other."""

    def __init__(self, log: Log, members: Members) -> None:
        self._log = log
        self._members = members

    async def of(self, uid: Uid) -> Followed:
        """What the user follows."""
        own = user_log(uid)
        before = await self._log.heads([own])
        memberships = await self._members.of_user(uid)
        present = [span.conv for span in memberships if span.until is None]
        heads = await self._log.heads([*present, own])
        return Followed(memberships, heads, before.get(own, NO_HEAD))

    async def newest(self, uid: Uid, before: Activity | None, limit: int) -> Sequence[Seen]:
        """Up to `limit` conversations of the user, those with the greatest activity first."""
        spans = {span.conv: span for span in await self._members.of_user(uid)}
        heads = await self._log.heads(list(spans))
        ends = {conv: spans[conv].until or head.last for conv, head in heads.items()}
        left = {conv: end - 1 for conv, end in ends.items() if end != heads[conv].last}
        at = {conv: head.at for conv, head in heads.items()}
        at |= {conv: entry.at for conv, (entry,) in (await self._log.read_each(left, 1)).items()}
        places = [Activity(at[conv], conv) for conv in heads]
        wanted = nlargest(limit, [place for place in places if before is None or place < before])
        found = await self._log.read_each({conv: ends[conv] - 1 for _, conv in wanted}, 1)
        return [Seen(spans[conv], found[conv][0]) for _, conv in wanted]
