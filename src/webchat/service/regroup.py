"""Changing what a group is: its name, picture and settings; closing it."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from webchat.errors import Code, WebchatError
from webchat.model import Draft, Group
from webchat.ports.log import Append, Follow
from webchat.protocol.envelope import Envelope, encode_said
from webchat.service.account_rules import clean_name
from webchat.service.membership import CLOSE, GROUP
from webchat.service.roles import check_admin, check_owner
from webchat.service.standing import Standing

MAX_PICTURE_CHARS: Final = 128


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


_group_change = msgspec.json.Decoder(GroupChange)


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


def regroup(standing: Standing, change: GroupChange, envelope: Envelope) -> Append:
    """The append by which an admin changes the group. Raises FORBIDDEN."""
    check_admin(standing.check_open())
    group = change.applied(standing.group or Group(standing.conv))
    return _append(GROUP, standing, msgspec.json.encode(change).decode(), group, envelope)


def close(standing: Standing, envelope: Envelope) -> Append:
    """The append by which the owner closes the group: its members read on, and nothing more is
    appended but who leaves. Raises FORBIDDEN."""
    check_owner(standing.check_open())
    group = msgspec.structs.replace(standing.group or Group(standing.conv), closed=True)
    return _append(CLOSE, standing, "", group, envelope)


def _append(kind: str, standing: Standing, body: str, group: Group, envelope: Envelope) -> Append:
    """A membership entry, so that what depends on it is decided before or after it."""
    conv, sender = standing.conv, standing.uid
    said = encode_said(kind, conv, sender, conv, envelope, body)
    return Append(
        conv,
        (Draft(kind, sender, envelope.msg_id, said),),
        members_as_of=standing.head.last,
        is_membership=True,
        follow=Follow(group=group),
    )
