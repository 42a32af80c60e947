"""Routes by which people come into groups: invitations, public groups, links."""

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


async def public_groups(call: Call[None, wire.GroupQuery]) -> wire.PublicGroups:
    """Find groups that anybody may join."""
    query = call.query
    page = await call.services.directory.search(query.q, query.after, query.limit)
    return wire.PublicGroups(list(map(wire.PublicGroup.of, page.items)), page.next)


async def join_public(call: Call[None, None]) -> wire.Entered:
    """Come into a public group."""
    return wire.Entered.of(await call.services.directory.join(call.uid, call.params["conv"]))


async def invite_links(call: Call[None, None]) -> wire.InviteLinks:
    """A group's links, without their codes."""
    links = await call.services.links.of_group(call.uid, call.params["conv"])
    return wire.InviteLinks(list(map(wire.InviteLink.of, links)))


async def make_link(call: Call[wire.NewLink, None]) -> wire.MadeLink:
    """A new link; its code is shown this once."""
    body, conv = call.body, call.params["conv"]
    made = await call.services.links.make(call.uid, conv, body.expires_in_s, body.uses)
    return wire.MadeLink(made.link.id, made.code, made.link.expires_at, made.link.uses)


async def revoke_link(call: Call[None, None]) -> None:
    """End a link."""
    await call.services.links.revoke(call.uid, call.params["conv"], call.params["id"])


async def join_by_link(call: Call[None, None]) -> wire.Entered:
    """Come into the group that a link leads to."""
    return wire.Entered.of(await call.services.links.enter(call.uid, call.params["code"]))


_OF_ADMINS: Final = (Code.NOT_A_MEMBER, Code.GROUP_CLOSED)

ROUTES: Final = (
    Route(
        "GET", "/api/v1/invitations", invitations, "Invitations", answer=wire.Invitations,
    ),
    Route(
        "POST", "/api/v1/invitations/{id}", answer_invitation, "Accept or decline an invitation",
        body=wire.InvitationAnswer, answer=wire.Entered,
        errors=(Code.NOT_FOUND, Code.CONFLICT, Code.GROUP_CLOSED),
    ),
    Route(
        "GET", "/api/v1/groups", public_groups, "Find public groups",
        query=wire.GroupQuery, answer=wire.PublicGroups,
    ),
    Route(
        "POST", "/api/v1/groups/{conv}/join", join_public, "Join a public group",
        answer=wire.Entered, errors=(Code.NOT_FOUND, Code.GROUP_CLOSED),
    ),
    Route(
        "GET", "/api/v1/conversations/{conv}/invites", invite_links, "A group's invite links",
        answer=wire.InviteLinks, errors=_OF_ADMINS,
    ),
    Route(
        "POST", "/api/v1/conversations/{conv}/invites", make_link, "Make an invite link",
        body=wire.NewLink, answer=wire.MadeLink, status=201, errors=(*_OF_ADMINS, Code.CONFLICT),
    ),
    Route(
        "DELETE", "/api/v1/conversations/{conv}/invites/{id}", revoke_link, "Revoke a link",
        status=204, errors=(*_OF_ADMINS, Code.NOT_FOUND),
    ),
    Route(
        "POST", "/api/v1/invites/{code}", join_by_link, "Join a group by a link",
        answer=wire.Entered, errors=(Code.NOT_FOUND, Code.GROUP_CLOSED),
    ),
)  # fmt: skip
