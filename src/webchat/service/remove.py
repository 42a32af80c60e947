"""Putting members out of a group: for them it ends as if they had left."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import Draft, Membership
from webchat.ports.log import SEQ_OF_ENTRY, Append, Follow
from webchat.protocol.envelope import Envelope, encode_said
from webchat.service.membership import REMOVE, body_of
from webchat.service.roles import check_admin
from webchat.service.standing import ADMINS, OWNER, Standing


def remove(standing: Standing, spans: Sequence[Membership], envelope: Envelope) -> Append:
    """The append by which an admin puts out those whose open `spans` these are.

    Admins put out members, the owner anybody else. Raises FORBIDDEN, BAD_REQUEST for oneself.
    """
    conv, sender = standing.conv, standing.uid
    own = standing.check_open()
    check_admin(own)
    _check_below(own, spans)
    said = encode_said(REMOVE, conv, sender, conv, envelope, body_of(span.uid for span in spans))
    return Append(
        conv,
        (Draft(REMOVE, sender, envelope.msg_id, said),),
        members_as_of=standing.head.last,
        is_membership=True,
        follow=Follow(
            memberships=tuple(msgspec.structs.replace(s, until=SEQ_OF_ENTRY) for s in spans),
            announce=tuple((span.uid, "left") for span in spans),
        ),
    )


def _check_below(own: Membership, spans: Sequence[Membership]) -> None:
    if any(span.uid == own.uid for span in spans):
        raise WebchatError(Code.BAD_REQUEST, "to leave is to depart")
    if own.role != OWNER and any(span.role in ADMINS for span in spans):
        raise WebchatError(Code.FORBIDDEN, "only the owner puts admins out, and nobody the owner")
