"""All that a store keeps, as records: for `webchat export` and `import`, from any store to any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import msgspec

from webchat.model import (
    ConvID,
    Draft,
    Entry,
    Group,
    Invitation,
    InviteLink,
    Login,
    Membership,
    Position,
    Profile,
    Seq,
    Uid,
)  # fmt: skip


class EntryRecord(msgspec.Struct, frozen=True, tag="entry"):
    """An entry of a log, as it is after edits; `members_seq`: of the last membership entry up to
    and including it. Its key of idempotence is `(conv, sender, msg_id)`, if `msg_id` is not ""."""

    entry: Entry
    members_seq: Seq


class ReactionRecord(msgspec.Struct, frozen=True, tag="reaction"):
    """How `uid` has reacted to the entry `seq`, said by the entry `by`; `body` "": taken back."""

    conv: ConvID
    seq: Seq
    uid: Uid
    by: Seq
    body: str


class MemberRecord(msgspec.Struct, frozen=True, tag="member"):
    """One span of a member."""

    span: Membership


class GroupRecord(msgspec.Struct, frozen=True, tag="group"):
    """What is true of a group."""

    group: Group


class PositionRecord(msgspec.Struct, frozen=True, tag="position"):
    """How far a member has come."""

    conv: ConvID
    uid: Uid
    position: Position


class AccountRecord(msgspec.Struct, frozen=True, tag="account"):
    """An account. `saved_at`: ms, what `Accounts.recent` goes by."""

    profile: Profile
    password_hash: str
    saved_at: int


class LoginRecord(msgspec.Struct, frozen=True, tag="login"):
    """A login that has not been revoked."""

    token_hash: bytes
    login: Login


class KeptRecord(msgspec.Struct, frozen=True, tag="kept"):
    """One receipt kept for a user; they come oldest first."""

    uid: Uid
    envelope: bytes


class HeldRecord(msgspec.Struct, frozen=True, tag="held"):
    """A message held for a group; they come in the order of holding."""

    conv: ConvID
    draft: Draft
    at: int


class InvitationRecord(msgspec.Struct, frozen=True, tag="invitation"):
    """An invitation that waits."""

    invitation: Invitation


class LinkRecord(msgspec.Struct, frozen=True, tag="link"):
    """An invite link."""

    code_hash: bytes
    link: InviteLink


Record = (
    EntryRecord | ReactionRecord | MemberRecord | GroupRecord | PositionRecord | AccountRecord
    | LoginRecord | KeptRecord | HeldRecord | InvitationRecord | LinkRecord
)  # fmt: skip
"""One thing a store keeps. Two stores with the same contents give equal records, in any order of
kinds; those of one log ascend by `Seq` and stand next to each other."""


class Transfer(Protocol):
    """Reading all of a store and filling an empty one. Neither holds more than a page in memory.

    Every method may raise WebchatError(UNAVAILABLE).
    """

    def records(self) -> AsyncIterator[Record]:
        """All that is kept. What changes while it is read may be in it or not."""

    async def restore(self, records: Sequence[Record]) -> None:
        """Write a page of what `records` gave, durable on return; pages come in its order. The
        same page again changes nothing."""

    async def begin(self) -> None:
        """Mark the store as being filled: until `finish`, even beyond the process's end, `open`
        refuses it, since it lacks what was not written yet."""

    async def finish(self) -> None:
        """All is there: take the mark away."""

    async def is_empty(self) -> bool:
        """Whether nothing was ever kept here, so that an import may begin."""
