"""Leaving a group (seed flow 9). It closes when its last member leaves."""

from __future__ import annotations

import msgspec

from webchat.model import Draft, Group
from webchat.ports.log import SEQ_OF_ENTRY, Append, Follow
from webchat.protocol.envelope import Envelope, encode_said
from webchat.service.membership import DEPART
from webchat.service.standing import Standing


def depart(standing: Standing, is_last: bool, envelope: Envelope) -> Append:
    """The append by which the sender leaves; `is_last`: nobody else is in the group."""
    conv, sender = standing.conv, standing.uid
    present = standing.check_member()
    said = encode_said(DEPART, conv, sender, conv, envelope, "")
    group = standing.group or Group(conv)
    return Append(
        conv,
        (Draft(DEPART, sender, envelope.msg_id, said),),
        members_as_of=standing.head.last,
        is_membership=True,
        follow=Follow(
            memberships=(msgspec.structs.replace(present, until=SEQ_OF_ENTRY),),
            announce=((sender, "left"),),
            group=msgspec.structs.replace(group, closed=True) if is_last else None,
        ),
    )
