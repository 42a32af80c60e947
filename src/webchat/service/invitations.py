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

MAX_LISTED: Final = 200


class InvitationService:
    """Each method raises WebchatError(UNAVAILABLE) when the store is down."""

    def __init__(self, invitations: Invitations, members: Members, entrance: Entrance) -> None:
        self._invitations = invitations
        self._members = members
        self._entrance = entrance

    async def waiting(self, uid: Uid) -> Sequence[Invitation]:
        """The newest 200 that wait for the user, newest first."""
        return await self._invitations.of_user(uid, MAX_LISTED)

    async def accept(self, uid: Uid, invitation_id: str) -> Entered:
        """The user comes in by a `join` of whoever invited it.

        NOT_FOUND: no such invitation. CONFLICT: who invited it is not in the group any more.
        GROUP_CLOSED. After these two the invitation is gone.
        """
        return await self._accept(uid, await self._find(uid, invitation_id))

    async def decline(self, uid: Uid, invitation_id: str) -> None:
        """Nothing comes of it, and nobody is told. NOT_FOUND; CONFLICT: it was being accepted.

        Whoever accepts it claims it first, so of the two one is refused, on any nodes. What was
        claimed and came to nothing, as the store went away, say, can be declined after that.
        """
        invitation = await self._find(uid, invitation_id)
        if not await self._invitations.decline(invitation):
            await self._find(uid, invitation_id)
            raise WebchatError(Code.CONFLICT, "This invitation is just being accepted.")

    async def _accept(self, uid: Uid, invitation: Invitation) -> Entered:
        async def check(_standing: Standing) -> str:
            if not await self._invitations.claim(invitation):
                raise _no_such_invitation()
            if not await self._members.present_among(invitation.conv, [invitation.by]):
                raise WebchatError(Code.CONFLICT, "Whoever invited you has left this group.")
            return invitation.id

        try:
            entered = await self._entrance.let_in(uid, invitation.conv, check, by=invitation.by)
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
            raise _no_such_invitation()
        return invitation


def _no_such_invitation() -> WebchatError:
    return WebchatError(Code.NOT_FOUND, "There is no such invitation.")
