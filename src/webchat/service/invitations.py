"""Invitations to groups, for those who wait for an answer of theirs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webchat.errors import Code, WebchatError
from webchat.model import Invitation, Uid, is_id
from webchat.ports.invitations import Invitations
from webchat.ports.members import Members
from webchat.service.entering import Entered, Entrance
from webchat.service.standing import Standing
from webchat.service.turns import Turns

MAX_LISTED: Final = 200


class InvitationService:
    """Each method raises WebchatError(UNAVAILABLE) when the store is down."""

    def __init__(self, invitations: Invitations, members: Members, entrance: Entrance) -> None:
        self._invitations = invitations
        self._members = members
        self._entrance = entrance
        self._turns = Turns()

    async def waiting(self, uid: Uid) -> Sequence[Invitation]:
        """The newest 200 that wait for the user, newest first."""
        return await self._invitations.of_user(uid, MAX_LISTED)

    async def accept(self, uid: Uid, invitation_id: str) -> Entered:
        """The user comes in by a `join` of whoever invited it.

        NOT_FOUND: no such invitation. CONFLICT: who invited it is not in the group any more.
        GROUP_CLOSED. After these two the invitation is gone.
        """
        invitation = await self._find(uid, invitation_id)
        async with self._turns.of(uid):
            return await self._accept(uid, invitation)

    async def decline(self, uid: Uid, invitation_id: str) -> None:
        """Nothing comes of it, and nobody is told. NOT_FOUND."""
        async with self._turns.of(uid):
            invitation = await self._find(uid, invitation_id)
            await self._invitations.drop(uid, invitation.conv)

    async def _accept(self, uid: Uid, invitation: Invitation) -> Entered:
        async def check(_standing: Standing) -> None:
            await self._find(uid, invitation.id)  # declined meanwhile?
            if not await self._members.present_among(invitation.conv, [invitation.by]):
                raise WebchatError(Code.CONFLICT, "Whoever invited you has left this group.")

        try:
            entered = await self._entrance.let_in(
                uid, invitation.conv, check, by=invitation.by, key=invitation.id
            )
        except WebchatError as error:
            if error.code in (Code.CONFLICT, Code.GROUP_CLOSED):
                await self._invitations.drop(uid, invitation.conv)
            raise
        await self._invitations.drop(uid, invitation.conv)
        return entered

    async def _find(self, uid: Uid, invitation_id: str) -> Invitation:
        asked = is_id(invitation_id)
        invitation = await self._invitations.find(uid, invitation_id) if asked else None
        if invitation is None:
            raise WebchatError(Code.NOT_FOUND, "There is no such invitation.")
        return invitation
