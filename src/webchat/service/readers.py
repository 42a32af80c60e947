"""Who is in a conversation, and how far each of them has read an entry."""

from __future__ import annotations

from dataclasses import dataclass

from webchat.model import (
    NO_POSITION,
    ConvID,
    Membership,
    Seq,
    Uid,
    is_uid,
    pair_of,
)
from webchat.ports.members import Members
from webchat.ports.positions import Positions
from webchat.service.history import History
from webchat.service.pages import Page, check_after, clean_limit, page_of
from webchat.service.profiles import Profiles
from webchat.service.read_positions import position_as_seen
from webchat.service.standing import not_a_member


@dataclass(frozen=True, slots=True)
class Member:
    """A present member; `since`: the `Seq` of the entry that brought them in."""

    uid: Uid
    name: str
    role: str
    since: Seq


@dataclass(frozen=True, slots=True)
class Reader:
    """How far a member has come, as the asker may know it; 0: not at all, or not to be known."""

    uid: Uid
    delivered: Seq
    displayed: Seq


class Readers:
    """For present members only: others get NOT_A_MEMBER. UNAVAILABLE when the store is down."""

    def __init__(
        self, members: Members, positions: Positions, profiles: Profiles, history: History
    ) -> None:
        self._members = members
        self._positions = positions
        self._profiles = profiles
        self._history = history

    async def members(self, uid: Uid, conv: ConvID, after: Uid, limit: int) -> Page[Member, Uid]:
        """The present members by uid. BAD_REQUEST."""
        present = await self._present(uid, conv, after, limit)
        profiles = await self._profiles.many([member.uid for member in present.items])
        items = [
            Member(
                member.uid,
                profiles[member.uid].name if member.uid in profiles else member.uid,
                member.role,
                member.since,
            )
            for member in present.items
        ]
        return Page(items, present.next)

    async def of_entry(
        self, uid: Uid, conv: ConvID, seq: Seq, after: Uid, limit: int
    ) -> Page[Reader, Uid]:
        """The positions of all who were in before the entry, but its author's; by uid.

        A page may have fewer items than `limit`, or none, and yet a `next`. BAD_REQUEST; NOT_FOUND
        if the asker sees no such entry.
        """
        present = await self._present(uid, conv, after, limit)
        entry = await self._history.entry(uid, conv, seq)
        uids = [
            member.uid
            for member in present.items
            if member.uid != entry.sender and _was_in_before(member, seq)
        ]
        positions = await self._positions.of_members(conv, uids)
        hiding = await self._profiles.hiding([uid, *uids])
        items = [
            Reader(other, *position_as_seen(uid, other, positions.get(other, NO_POSITION), hiding))
            for other in uids
        ]
        return Page(items, present.next)

    async def _present(
        self, uid: Uid, conv: ConvID, after: Uid, limit: int
    ) -> Page[Membership, Uid]:
        count = clean_limit(limit)
        check_after(after, is_uid)
        if (await self._history.spans(uid, conv))[-1].until is not None:
            raise not_a_member()
        found = await self._members.page(conv, after, count + 1)
        return page_of(found, count, lambda member: member.uid)


def _was_in_before(member: Membership, seq: Seq) -> bool:
    """Both of a pair are in it from its first message on; in a group one's own entry is first."""
    return member.since < seq or pair_of(member.conv) is not None
