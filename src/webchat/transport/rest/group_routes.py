"""Routes of groups that one is not in yet: invitations."""

from __future__ import annotations

from typing import Final

from webchat.errors import Code
from webchat.transport.rest import wire
from webchat.transport.rest.route import Call, Route


async def invitations(call: Call[None, None]) -> wire.Invitations:
    """Those that wait for an answer, newest first."""
    waiting = await call.services.invitations.waiting(call.uid)
    return wire.Invitations([wire.Invitation(i.id, i.conv, i.by, i.at) for i in waiting])


async def answer_invitation(call: Call[wire.InvitationAnswer, None]) -> wire.Entered:
    """Come in, or do not."""
    service, invitation_id = call.services.invitations, call.params["id"]
    if call.body.accept:
        return wire.Entered.of(await service.accept(call.uid, invitation_id))
    await service.decline(call.uid, invitation_id)
    return wire.Entered(None, None)


ROUTES: Final = (
    Route(
        "GET", "/api/v1/invitations", invitations, "Invitations", answer=wire.Invitations,
    ),
    Route(
        "POST", "/api/v1/invitations/{id}", answer_invitation, "Accept or decline an invitation",
        body=wire.InvitationAnswer, answer=wire.Entered,
        errors=(Code.NOT_FOUND, Code.CONFLICT, Code.GROUP_CLOSED),
    ),
)  # fmt: skip
