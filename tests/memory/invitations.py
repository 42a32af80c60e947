"""Invitations that wait, in a plain list: the reference of `ports/invitations.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from tests.memory.state import State
from webchat.model import ConvID, Invitation, Uid


class MemoryInvitations:
    """Invitations in the order they were made; `check_up` raises while the store is down."""

    def __init__(self, state: State, check_up: Callable[[], None]) -> None:
        self._state = state
        self._check_up = check_up

    async def of_user(self, uid: Uid, limit: int) -> Sequence[Invitation]:
        """The newest that wait for the user, newest first."""
        self._check_up()
        return [waiting for waiting in self._state.invitations if waiting.uid == uid][::-1][:limit]

    async def find(self, uid: Uid, invitation_id: str) -> Invitation | None:
        """The user's invitation of that id."""
        self._check_up()
        key = (uid, invitation_id)
        found = [waiting for waiting in self._state.invitations if (waiting.uid, waiting.id) == key]
        return found[0] if found else None

    async def asked_among(self, conv: ConvID, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` for whom an invitation waits."""
        self._check_up()
        asked = {waiting.uid for waiting in self._state.invitations if waiting.conv == conv}
        return asked.intersection(uids)

    async def claim(self, invitation: Invitation) -> bool:
        """The user is about to come in by it."""
        found = await self.find(invitation.uid, invitation.id)
        if found is not None:
            self._state.claimed.add((invitation.uid, invitation.conv))
        return found is not None

    async def decline(self, invitation: Invitation) -> bool:
        """Forget those of the user to the group, unless one is claimed."""
        self._check_up()
        key = (invitation.uid, invitation.conv)
        if await self.find(invitation.uid, invitation.id) is None:
            return False
        if key in self._state.claimed:
            self._state.claimed.discard(key)
            return False
        await self.drop(*key)
        return True

    async def drop(self, uid: Uid, conv: ConvID) -> None:
        """Forget those of the user to `conv`."""
        self._check_up()
        key = (uid, conv)
        self._state.claimed.discard(key)
        self._state.invitations = [
            waiting for waiting in self._state.invitations if (waiting.uid, waiting.conv) != key
        ]
