"""Leaving a group (seed flow 9): its owner has a successor, its last member closes it."""

from __future__ import annotations

import msgspec

from webchat.model import Draft, Group, Membership
from webchat.ports.log import SEQ_OF_ENTRY, Append, Follow
from webchat.protocol.envelope import Envelope, encode_said, with_field
from webchat.service.membership import DEPART
from webchat.service.standing import OWNER, Standing


def depart(standing: Standing, successor: Membership | None, envelope: Envelope) -> Append:
    """The append by which the sender leaves.

    `successor`: the open span of whoever owns the group once its owner leaves, as the entry's
    `Owner` says then; None: nobody else is in.
    """
    conv, sender = standing.conv, standing.uid
    present = standing.check_member()
    said = encode_said(DEPART, conv, sender, conv, envelope, "")
    spans = [msgspec.structs.replace(present, until=SEQ_OF_ENTRY)]
    if successor is not None and present.role == OWNER:
        said = with_field(said, "Owner", successor.uid)
        spans.append(msgspec.structs.replace(successor, role=OWNER))
    closed = msgspec.structs.replace(standing.group or Group(conv), closed=True)
    return Append(
        conv,
        (Draft(DEPART, sender, envelope.msg_id, said),),
        members_as_of=standing.head.last,
        is_membership=True,
        follow=Follow(
            memberships=tuple(spans),
            announce=((sender, "left"),),
            group=closed if successor is None else None,
        ),
    )
