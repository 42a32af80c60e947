"""Where somebody stands in a group: by this every act on it is decided, at a place of its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import NO_HEAD, ConvID, Draft, Group, Head, Membership, Seq, Uid, is_group
from webchat.ports.log import Append, Follow, Log
from webchat.ports.members import Members
from webchat.protocol.envelope import Envelope, encode_said, with_field
from webchat.service.seeing import is_in, visible

OWNER: Final = "owner"
ADMIN: Final = "admin"
MEMBER: Final = "member"
ADMINS: Final = frozenset({OWNER, ADMIN})


class Standing(msgspec.Struct, frozen=True):
    """A user in a group as of `head`; an append on it names `head.last` as `members_as_of`."""

    conv: ConvID
    uid: Uid
    head: Head
    spans: Sequence[Membership]
    group: Group | None

    @property
    def exists(self) -> bool:
        """Whether there is, or was, a group of that id."""
        return self.head.last > 0

    @property
    def present(self) -> Membership | None:
        """The user's open span, if it is a member."""
        return self.spans[-1] if self.spans and self.spans[-1].until is None else None

    @property
    def last_left(self) -> Seq:
        """The entry by which the user left last, 0 if it has not left."""
        return max((span.until or 0 for span in self.spans), default=0)

    def check_member(self) -> Membership:
        """The open span. Raises GROUP_CLOSED for whoever left last, else NOT_A_MEMBER."""
        present = self.present
        if present is not None:
            return present
        left_last = bool(self.spans) and self.spans[-1].until == self.head.members_seq
        if left_last and self.group is not None and self.group.closed:
            raise WebchatError(Code.GROUP_CLOSED, "its last member has left this group")
        raise not_a_member()

    def check_open(self) -> Membership:
        """The open span in a group that is not closed. Raises GROUP_CLOSED, NOT_A_MEMBER."""
        present = self.check_member()
        if self.group is not None and self.group.closed:
            raise WebchatError(Code.GROUP_CLOSED, "this group is closed")
        return present

    @property
    def all_may_write(self) -> bool:
        """Whether every member may."""
        return self.group is None or not (self.group.closed or self.group.announcements)

    @property
    def may_write(self) -> bool:
        """Whether the user may: a member of a group that is open to all, or to it as an admin."""
        if self.present is None or (self.group is not None and self.group.closed):
            return False
        return self.all_may_write or self.present.role in ADMINS

    def check_may_write(self) -> None:
        """Raises GROUP_CLOSED, NOT_A_MEMBER, FORBIDDEN."""
        self.check_open()
        if not self.may_write:
            raise WebchatError(Code.FORBIDDEN, "only this group's admins write here")

    def sees(self, seq: Seq) -> bool:
        """Whether the entry `seq` is for the user."""
        return is_in(seq, visible(self.spans, self.group))

    def append(
        self,
        kind: str,
        envelope: Envelope,
        body: str,
        follow: Follow,
        *,
        by: Uid = "",
        owner: Uid = "",
    ) -> Append:
        """A membership entry that was decided on here. `by`: whose doing it is, if not the user's.
        `owner`: whom its `Owner` names."""
        sender = by or self.uid
        said = encode_said(kind, self.conv, sender, self.conv, envelope, body)
        if owner:
            said = with_field(said, "Owner", owner)
        return Append(
            self.conv,
            (Draft(kind, sender, envelope.msg_id, said),),
            members_as_of=self.head.last,
            is_membership=True,
            follow=follow,
        )


class Standings:
    """Reads standings: the head first, so that what is read after it can only be newer."""

    def __init__(self, log: Log, members: Members) -> None:
        self._log = log
        self._members = members

    async def of(self, uid: Uid, conv: ConvID) -> Standing:
        """Where `uid` stands in `conv` now. Raises WebchatError(UNAVAILABLE)."""
        heads = await self._log.heads([conv]) if is_group(conv) else {}
        head = heads.get(conv, NO_HEAD)
        if head is NO_HEAD:
            return Standing(conv, uid, head, (), None)
        spans = await self._members.spans(conv, uid)
        return Standing(conv, uid, head, spans, await self._members.group(conv))


def not_a_member() -> WebchatError:
    """The same whether the group exists or not."""
    return WebchatError(Code.NOT_A_MEMBER, "no such conversation, or not yours")


def check_owner(span: Membership) -> Membership:
    """That span. Raises FORBIDDEN."""
    if span.role != OWNER:
        raise WebchatError(Code.FORBIDDEN, "only this group's owner may do that")
    return span


def check_admin(span: Membership) -> Membership:
    """That span, of an admin or the owner. Raises FORBIDDEN."""
    if span.role not in ADMINS:
        raise WebchatError(Code.FORBIDDEN, "only this group's admins may do that")
    return span
