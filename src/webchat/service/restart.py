"""Groups the server does not know (open mode, seed flow 6): held, and made from a member's list."""

from __future__ import annotations

from collections.abc import Sequence

from webchat.model import ConvID, Draft, Uid
from webchat.ports.held import HeldMessage
from webchat.ports.log import Append
from webchat.protocol.envelope import Envelope, encode_said
from webchat.service.create import founding
from webchat.service.membership import CREATE, body_of


def remake(
    sender: Uid,
    conv: ConvID,
    uids: Sequence[Uid],
    envelope: Envelope,
    held: Sequence[HeldMessage],
) -> Append:
    """The append that makes a group from the sender's list, and in it what its members hold.

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
