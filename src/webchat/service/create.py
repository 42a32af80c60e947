"""Making a group (seed flow 5)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Draft, Group, Membership, Seq, Uid
from webchat.ports.log import SEQ_OF_ENTRY, Append, Follow
from webchat.protocol.envelope import Envelope, Extended, encode_said
from webchat.service.account_rules import clean_name
from webchat.service.consent import Consented
from webchat.service.membership import CREATE, body_of
from webchat.service.standing import MEMBER, OWNER


class _Named(msgspec.Struct):
    Name: str = ""


def group_name(envelope: Envelope) -> str:
    """The name that a `create` gives its group. Raises BAD_REQUEST."""
    if not isinstance(envelope, Extended) or not envelope.extras:
        return ""
    try:
        name = msgspec.json.decode(envelope.extras, type=_Named).Name
    except msgspec.ValidationError:
        raise WebchatError(Code.BAD_REQUEST, "Name is a text") from None
    return clean_name(name) if name else ""


def create(
    sender: Uid, conv: ConvID, consented: Consented, envelope: Envelope, name: str
) -> Append:
    """The append that makes a group of its sender and the others who consented.

    CONFLICT if the id was ever used.
    """
    others = consented.added
    said = encode_said(CREATE, conv, sender, conv, envelope, body_of(others))
    follow = founding(conv, sender, others, SEQ_OF_ENTRY, name)
    return Append(
        conv,
        (Draft(CREATE, sender, envelope.msg_id, said),),
        is_membership=True,
        must_be_new=True,
        follow=msgspec.structs.replace(follow, invitations=consented.invitations),
    )


def founding(conv: ConvID, owner: Uid, others: Sequence[Uid], since: Seq, name: str) -> Follow:
    """What follows from the making of a group."""
    return Follow(
        memberships=(
            Membership(conv, owner, since, None, OWNER),
            *(Membership(conv, uid, since, None, MEMBER) for uid in others),
        ),
        announce=tuple((uid, "added") for uid in (owner, *others)),
        group=Group(conv, name),
    )
