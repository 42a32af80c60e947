"""Appends by which people come into a group and leave it: create, join, depart, remove.

Source: docs/protocol.md, sections 4 and 12; seed flows 5, 6, 8 and 9.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Draft, Group, Membership, Seq, Uid
from webchat.ports.held import HeldMessage
from webchat.ports.log import SEQ_OF_ENTRY, Append, Follow
from webchat.protocol.envelope import Envelope, Extended, encode_said
from webchat.service.account_rules import clean_name
from webchat.service.consent import Consented
from webchat.service.membership import CREATE, DEPART, JOIN, REMOVE, body_of
from webchat.service.standing import ADMINS, MEMBER, OWNER, Standing, check_admin

# Making a group


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


def remake(
    sender: Uid,
    conv: ConvID,
    uids: Sequence[Uid],
    envelope: Envelope,
    held: Sequence[HeldMessage],
) -> Append:
    """The append that makes a group that the server does not know (open mode) from the sender's
    list, and appends to it what its members hold.

    One append, so that no list of somebody else's comes in between: CONFLICT if one was first.
    """
    others = [uid for uid in uids if uid != sender]
    members = {sender, *others}
    said = encode_said(CREATE, conv, sender, conv, envelope, body_of(others))
    waiting = tuple(message.draft for message in held if message.uid in members)
    # A client may send its list under the MsgID of what is held, which the message keeps.
    is_taken = any((each.sender, each.msg_id) == (sender, envelope.msg_id) for each in waiting)
    msg_id = "" if is_taken else envelope.msg_id
    return Append(
        conv,
        (Draft(CREATE, sender, msg_id, said), *waiting),
        is_membership=True,
        must_be_new=True,
        follow=founding(conv, sender, others, 1, ""),
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


# Coming in


def refer(standing: Standing, added: Sequence[Uid], envelope: Envelope) -> Append:
    """The append that brings those who consented, somebody at least and none of them present, into
    a group of the sender's."""
    return standing.append(JOIN, envelope, body_of(added), coming(standing.conv, added))


def enter(standing: Standing, by: Uid, msg_id: str, at_s: int) -> Append:
    """The append that brings whoever stands there, and is not in, into the group. `by`: whose doing
    its entry says it is."""
    envelope = Envelope(JOIN, msg_id=msg_id, timestamp=at_s)
    uids = [standing.uid]
    return standing.append(JOIN, envelope, body_of(uids), coming(standing.conv, uids), by=by)


def coming(conv: ConvID, added: Sequence[Uid]) -> Follow:
    """What follows when people come into a group that is there."""
    return Follow(
        memberships=tuple(Membership(conv, uid, SEQ_OF_ENTRY, None, MEMBER) for uid in added),
        announce=tuple((uid, "added") for uid in added),
    )


# Leaving


def depart(
    standing: Standing, others: int, successor: Membership | None, envelope: Envelope
) -> Append:
    """The append by which the sender leaves; the last member to leave closes the group.

    `others`: how many else are in. `successor`: if its owner leaves them the group, the open span
    of whoever owns it then, as the entry's `Owner` says.
    """
    present, owner = standing.check_member(), ""
    spans = [msgspec.structs.replace(present, until=SEQ_OF_ENTRY)]
    if successor is not None:
        owner = successor.uid
        spans.append(msgspec.structs.replace(successor, role=OWNER))
    closed = msgspec.structs.replace(standing.group or Group(standing.conv), closed=True)
    follow = Follow(
        memberships=tuple(spans),
        announce=((standing.uid, "left"),),
        group=None if others else closed,
    )
    return standing.append(DEPART, envelope, "", follow, owner=owner)


def remove(standing: Standing, spans: Sequence[Membership], envelope: Envelope) -> Append:
    """The append by which an admin puts out those whose open `spans` these are: for them the group
    ends as if they had left.

    Admins put out members, the owner anybody else. Raises FORBIDDEN, BAD_REQUEST for oneself.
    """
    own = check_admin(standing.check_open())
    if any(span.uid == own.uid for span in spans):
        raise WebchatError(Code.BAD_REQUEST, "to leave is to depart")
    if own.role != OWNER and any(span.role in ADMINS for span in spans):
        raise WebchatError(Code.FORBIDDEN, "only the owner puts admins out, and nobody the owner")
    follow = Follow(
        memberships=tuple(msgspec.structs.replace(s, until=SEQ_OF_ENTRY) for s in spans),
        announce=tuple((span.uid, "left") for span in spans),
    )
    return standing.append(REMOVE, envelope, body_of(span.uid for span in spans), follow)
