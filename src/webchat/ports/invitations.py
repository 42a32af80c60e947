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
        """Those of `uids` for whom an invitation to `conv` waits."""

    async def drop(self, uid: Uid, conv: ConvID) -> None:
        """All invitations of the user to `conv` are answered; durable on return."""
