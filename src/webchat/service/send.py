"""Sending a message: what is checked, what is asked of the log (seed flows 2 to 4)."""

from __future__ import annotations

from webchat.errors import Code, WebchatError
from webchat.model import MESSAGE, ConvID, Draft, Membership, Seq, Uid, is_uid
from webchat.ports.log import SEQ_OF_ENTRY, Append, Follow
from webchat.protocol.envelope import Envelope, encode_said


def check_message(sender: Uid, envelope: Envelope, text_bytes: int, *, is_new: bool) -> None:
    """Refuse what can never be sent to a pair: FORBIDDEN, BAD_REQUEST, TOO_LARGE.

    `is_new`: the pair has no conversation yet, so that `To` may be anything.
    """
    if envelope.from_ != sender:
        raise WebchatError(Code.FORBIDDEN, "From must be the one who sends")
    if is_new and not is_uid(envelope.to):
        raise WebchatError(Code.BAD_REQUEST, "To is no user's id")
    check_body(envelope, text_bytes)


def check_body(envelope: Envelope, text_bytes: int) -> None:
    """Refuse a message without its key, or with too long a text."""
    if not envelope.msg_id:
        raise WebchatError(Code.BAD_REQUEST, "a message needs a MsgID")
    if len(envelope.body) * 4 > text_bytes:  # as many bytes as a character may have
        check_text(envelope.body, text_bytes)


def check_text(text: str, text_bytes: int) -> None:
    """Refuse a text that is over its limit. Raises WebchatError(TOO_LARGE)."""
    if len(text.encode()) > text_bytes:
        raise WebchatError(Code.TOO_LARGE, f"a text may have {text_bytes} bytes")


def pair_message(
    sender: Uid, envelope: Envelope, conv: ConvID, *, is_new: bool, moves: bool
) -> Append:
    """The append of a checked message to the conversation of `sender` and `envelope.to`.

    `is_new`: it may be the first of the pair, which makes both its members. `moves`: it moves its
    sender's positions.
    """
    said = encode_said(MESSAGE, sender, "", envelope.to, envelope, envelope.body)
    draft = Draft(MESSAGE, sender, envelope.msg_id, said)
    first = _both_come_in(conv, sender, envelope.to) if is_new else None
    return Append(conv, (draft,), on_first=first, moves_sender=moves)


def group_message(sender: Uid, envelope: Envelope, *, members_as_of: Seq, moves: bool) -> Append:
    """The append of a checked message to a group that the sender is in as of `members_as_of`."""
    conv = envelope.to
    said = encode_said(MESSAGE, conv, sender, conv, envelope, envelope.body)
    draft = Draft(MESSAGE, sender, envelope.msg_id, said)
    return Append(conv, (draft,), members_as_of=members_as_of, moves_sender=moves)


def _both_come_in(conv: ConvID, a: Uid, b: Uid) -> Follow:
    people = (a,) if a == b else (a, b)
    return Follow(
        memberships=tuple(Membership(conv, uid, SEQ_OF_ENTRY, None, "") for uid in people),
        announce=tuple((uid, "added") for uid in people),
    )
