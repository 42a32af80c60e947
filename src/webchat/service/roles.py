"""What members may do in a group: owner, admin, member; and who makes whom what."""

from __future__ import annotations

from typing import Literal

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import Draft, Membership, Uid
from webchat.ports.log import Append, Follow
from webchat.protocol.envelope import Envelope, encode_said
from webchat.service.membership import ROLE
from webchat.service.standing import ADMIN, ADMINS, OWNER, Standing


class RoleChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Body of a `role`, as JSON: who is what from now on."""

    uid: Uid
    role: Literal["owner", "admin", "member"]


_role_change = msgspec.json.Decoder(RoleChange)


def role_change(body: str) -> RoleChange:
    """What a `role` asks for. Raises BAD_REQUEST."""
    try:
        return _role_change.decode(body)
    except msgspec.DecodeError as error:
        raise WebchatError(Code.BAD_REQUEST, f"Body is no change of a role: {error}") from None


def check_owner(span: Membership) -> None:
    """Raises FORBIDDEN."""
    if span.role != OWNER:
        raise WebchatError(Code.FORBIDDEN, "only this group's owner may do that")


def check_admin(span: Membership) -> None:
    """An owner is one, too. Raises FORBIDDEN."""
    if span.role not in ADMINS:
        raise WebchatError(Code.FORBIDDEN, "only this group's admins may do that")


def role(
    standing: Standing, span: Membership | None, change: RoleChange, envelope: Envelope
) -> Append:
    """The append by which the owner makes somebody what `change` says; `span`: where that one is in
    the group, None: it is not.

    A new owner is made by handing over: the old one is an admin then. Raises FORBIDDEN,
    UNKNOWN_USER; BAD_REQUEST for the own role, which only a successor can take over.
    """
    conv, sender = standing.conv, standing.uid
    own = standing.check_open()
    check_owner(own)
    if change.uid == sender:
        raise WebchatError(Code.BAD_REQUEST, "make somebody else the owner first")
    if span is None:
        raise WebchatError(Code.UNKNOWN_USER, f"{change.uid} is not in this group")
    said = encode_said(ROLE, conv, sender, conv, envelope, _body(change))
    return Append(
        conv,
        (Draft(ROLE, sender, envelope.msg_id, said),),
        members_as_of=standing.head.last,
        is_membership=True,
        follow=Follow(memberships=_spans(own, span, change.role)),
    )


def _spans(own: Membership, span: Membership, role: str) -> tuple[Membership, ...]:
    changed = msgspec.structs.replace(span, role=role)
    return (changed, msgspec.structs.replace(own, role=ADMIN)) if role == OWNER else (changed,)


def _body(change: RoleChange) -> str:
    return msgspec.json.encode(change).decode()
