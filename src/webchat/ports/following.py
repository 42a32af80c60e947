"""What a user follows: the one read of a device that comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from webchat.model import NO_HEAD, ConvID, Head, Membership, Uid, user_log
from webchat.ports.log import Log
from webchat.ports.members import Members


class Followed(msgspec.Struct, frozen=True):
    """`memberships`: the newest span of each conversation the user is or was in, any order.

    `heads`: of those that it is in and of its own log, as far as they exist, read after the
    memberships or with them. `own`: where its own log was before them, or with them: what brought
    the user into a log that is not among them comes after that.
    """

    memberships: Sequence[Membership]
    heads: Mapping[ConvID, Head]
    own: Head


class Following(Protocol):
    """Promise: a read that begins after an append was `done` sees it, and what followed from it."""

    async def of(self, uid: Uid) -> Followed:
        """What the user follows. Raises WebchatError(UNAVAILABLE)."""


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
