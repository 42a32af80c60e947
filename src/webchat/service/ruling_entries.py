"""Appends by which a group's owner and admins change its rules: role, group, close.

Source: docs/protocol.md, section 12. They are membership entries, too, so that whatever depends on
them is decided either before or after them.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from webchat.errors import Code, WebchatError
from webchat.model import Group, Membership, Uid
from webchat.ports.log import Append, Follow
from webchat.protocol.envelope import Envelope
from webchat.service.account_rules import clean_name
from webchat.service.membership import CLOSE, GROUP, ROLE
from webchat.service.standing import ADMIN, OWNER, Standing, check_admin, check_owner

MAX_PICTURE_CHARS: Final = 128


class RoleChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Body of a `role`, as JSON: who is what from now on."""

    uid: Uid
    role: Literal["owner", "admin", "member"]


class GroupChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The Body of a `group`, as JSON: what is true of the group from now on; the rest stays."""

    name: str | UnsetType = UNSET
    picture: str | UnsetType = UNSET
    history_open: bool | UnsetType = UNSET
    announcements: bool | UnsetType = UNSET
    public: bool | UnsetType = UNSET

    def applied(self, group: Group) -> Group:
        """`group` as it is after the change."""
        said = {name: getattr(self, name) for name in self.__struct_fields__}
        set_ = {name: value for name, value in said.items() if value is not UNSET}
        return msgspec.structs.replace(group, **set_)


_role_change = msgspec.json.Decoder(RoleChange)
_group_change = msgspec.json.Decoder(GroupChange)


def role_change(body: str) -> RoleChange:
    """What a `role` asks for. Raises BAD_REQUEST."""
    try:
        return _role_change.decode(body)
    except msgspec.DecodeError as error:
        raise WebchatError(Code.BAD_REQUEST, f"Body is no change of a role: {error}") from None


def group_change(body: str) -> GroupChange:
    """What a `group` asks for, its texts clean. Raises BAD_REQUEST."""
    try:
        change = _group_change.decode(body)
    except msgspec.DecodeError as error:
        raise WebchatError(Code.BAD_REQUEST, f"Body is no change of a group: {error}") from None
    if change == GroupChange():
        raise WebchatError(Code.BAD_REQUEST, "Body changes nothing")
    if change.picture and len(change.picture) > MAX_PICTURE_CHARS:
        raise WebchatError(Code.BAD_REQUEST, f"a picture has {MAX_PICTURE_CHARS} characters")
    if change.name:
        return msgspec.structs.replace(change, name=clean_name(change.name))
    return change


def role(
    standing: Standing, span: Membership | None, change: RoleChange, envelope: Envelope
) -> Append:
    """The append by which the owner makes somebody what `change` says; `span`: where that one is in
    the group, None: it is not.

    A new owner is made by handing over: the old one is an admin then. Raises FORBIDDEN,
    UNKNOWN_USER; BAD_REQUEST for the own role, which only a successor can take over.
    """
    own = check_owner(standing.check_open())
    if change.uid == standing.uid:
        raise WebchatError(Code.BAD_REQUEST, "make somebody else the owner first")
    if span is None:
        raise WebchatError(Code.UNKNOWN_USER, f"{change.uid} is not in this group")
    spans = [msgspec.structs.replace(span, role=change.role)]
    if change.role == OWNER:
        spans.append(msgspec.structs.replace(own, role=ADMIN))
    body = msgspec.json.encode(change).decode()
    return standing.append(ROLE, envelope, body, Follow(memberships=tuple(spans)))


def regroup(standing: Standing, change: GroupChange, envelope: Envelope) -> Append:
    """The append by which an admin changes the group. Raises FORBIDDEN."""
    check_admin(standing.check_open())
    group = change.applied(standing.group or Group(standing.conv))
    body = msgspec.json.encode(change).decode()
    return standing.append(GROUP, envelope, body, Follow(group=group))


def close(standing: Standing, envelope: Envelope) -> Append:
    """The append by which the owner closes the group: its members read on, and nothing more is
    appended but who leaves. Raises FORBIDDEN."""
    check_owner(standing.check_open())
    group = msgspec.structs.replace(standing.group or Group(standing.conv), closed=True)
    return standing.append(CLOSE, envelope, "", Follow(group=group))
