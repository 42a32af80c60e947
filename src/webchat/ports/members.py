"""Who is, or was, in which conversation: a projection of the logs' membership entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from webchat.model import ConvID, Group, Membership, Seq, Uid


class Members(Protocol):
    """Read side only: rows are written by `Log.append` with what follows from an entry.

    Promise: a read that begins after an append was `done` sees what followed from it.
    """

    async def of_user(self, uid: Uid) -> Sequence[Membership]:
        """The newest span of each conversation the user is or was in (pairs too), any order."""

    async def spans(self, conv: ConvID, uid: Uid) -> Sequence[Membership]:
        """All spans of a user in a conversation, ascending; none: never in it."""

    async def page(self, conv: ConvID, after: Uid, limit: int) -> Sequence[Membership]:
        """Present members with uid > `after` ("": from the start), by uid, up to `limit`."""

    async def count(self, conv: ConvID) -> int:
        """How many present members."""

    async def at(self, conv: ConvID, seq: Seq, limit: int) -> tuple[Sequence[Uid], int]:
        """The members as of entry `seq`, in the order they came in then by uid, up to `limit`;
        and how many they are. Whoever departs at `seq` is none any more."""

    async def group(self, conv: ConvID) -> Group | None:
        """What is true of a group; None: there is none of that id."""

    async def public(self, prefix: str, after: ConvID, limit: int) -> Sequence[Group]:
        """Public groups, closed ones left out, whose name begins with `prefix`, in any case, with
        conv > `after`, by conv."""

    async def present_among(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Membership]:
        """The open spans of those of `uids` who are members now."""

    async def successor(self, conv: ConvID, uid: Uid) -> Membership | None:
        """Whose the group is if `uid` leaves: of the others present the first admin that came in,
        else the first member; by `since`, then uid. None: nobody else is in."""

    async def sharing(self, uid: Uid, others: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `others` who are now in some conversation, pairs included, with `uid`."""
