"""Invitations that wait for an answer. `Log.append` makes them, with the entry they follow."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from webchat.model import ConvID, Invitation, Uid


class Invitations(Protocol):
    """By whom they ask. Every method may raise WebchatError(UNAVAILABLE)."""

    async def of_user(self, uid: Uid, limit: int) -> Sequence[Invitation]:
        """The newest `limit` that wait for the user, newest first."""

    async def find(self, uid: Uid, invitation_id: str) -> Invitation | None:
        """The user's invitation of that id; None: there is none, or it was answered."""

    async def asked_among(self, conv: ConvID, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` for whom an invitation to `conv` waits; of one that an entry made, from
        when on any reader may have seen that entry."""

    async def claim(self, invitation: Invitation) -> bool:
        """The user is about to come in by it: `decline` finds that so. False: it was answered.
        Durable on return, as are the others. May be done again."""

    async def decline(self, invitation: Invitation) -> bool:
        """All invitations of the user to its group are answered. False: this one was before, or one
        was claimed, which it is not any more: whoever claimed it may have come to nothing."""

    async def drop(self, uid: Uid, conv: ConvID) -> None:
        """All invitations of the user to `conv` are answered, claimed or not."""
