"""Adding people to a group (seed flow 8): everybody gets a `join`."""

from __future__ import annotations

from collections.abc import Sequence

from webchat.model import ConvID, Draft, Membership, Uid
from webchat.ports.log import SEQ_OF_ENTRY, Append, Follow
from webchat.protocol.envelope import Envelope, encode_said
from webchat.service.membership import JOIN, body_of
from webchat.service.standing import MEMBER, Standing


def refer(standing: Standing, added: Sequence[Uid], envelope: Envelope) -> Append:
    """The append that brings those who consented, somebody at least and none of them present, into
    a group of the sender's."""
    conv, sender = standing.conv, standing.uid
    said = encode_said(JOIN, conv, sender, conv, envelope, body_of(added))
    return Append(
        conv,
        (Draft(JOIN, sender, envelope.msg_id, said),),
        members_as_of=standing.head.last,
        is_membership=True,
        follow=coming(conv, added),
    )


def coming(conv: ConvID, added: Sequence[Uid]) -> Follow:
    """What follows when people come into a group that is there."""
    return Follow(
        memberships=tuple(Membership(conv, uid, SEQ_OF_ENTRY, None, MEMBER) for uid in added),
        announce=tuple((uid, "added") for uid in added),
    )
