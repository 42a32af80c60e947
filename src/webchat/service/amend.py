"""`edit`, `delete` and `react`: entries that change an earlier message of their log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import MESSAGE, ConvID, Draft, Entry, Seq, Uid, pair_of
from webchat.ports.log import Append, Change, Follow
from webchat.protocol.envelope import Envelope, encode_said
from webchat.service.send import check_text

Kind = Literal["edit", "delete", "react"]
KINDS: Final[tuple[Kind, ...]] = ("edit", "delete", "react")
MAX_REACTION_BYTES: Final = 64


def check_amendment(kind: Kind, envelope: Envelope, text_bytes: int) -> None:
    """Refuse what can be wrong with it whatever it refers to. BAD_REQUEST, TOO_LARGE."""
    if not envelope.msg_id:
        raise WebchatError(Code.BAD_REQUEST, f"{kind} needs a MsgID")
    if not envelope.refers:
        raise WebchatError(Code.BAD_REQUEST, f"{kind} needs the Seq it Refers to")
    if kind == "react" and len(envelope.body.encode()) > MAX_REACTION_BYTES:
        raise WebchatError(Code.BAD_REQUEST, "a reaction is one emoji")
    check_text(envelope.body, text_bytes)


def check_may_amend(kind: Kind, sender: Uid, meant: Entry | None, *, is_admin: bool) -> Entry:
    """The message that is meant; `meant`: as far as the sender may see it.

    The author alone edits; the author or an admin deletes; who sees a message may react. Raises
    BAD_REQUEST where nothing, no message, or a deleted one is meant; FORBIDDEN.
    """
    if meant is None or meant.kind != MESSAGE:
        raise WebchatError(Code.BAD_REQUEST, "Refers means no message you can see")
    if kind != "react" and meant.sender != sender and not (kind == "delete" and is_admin):
        raise WebchatError(Code.FORBIDDEN, f"this message is not yours to {kind}")
    if what_became_of(meant).deleted:
        raise WebchatError(Code.BAD_REQUEST, "Refers means a message that was deleted")
    return meant


def amend(
    kind: Kind,
    sender: Uid,
    conv: ConvID,
    meant: Entry,
    envelope: Envelope,
    *,
    members_as_of: Seq | None,
    edits: Sequence[Seq] = (),
) -> Append:
    """The append of an amendment of `meant`, which the sender may amend so.

    `edits`: of a message to delete, whose texts go with it. On the condition that nothing became of
    `meant` since: on another node, say, where its text would stay.
    """
    body = "" if kind == "delete" else envelope.body
    in_pair = pair_of(conv) is not None
    said = encode_said(
        kind,
        sender if in_pair else conv,
        "" if in_pair else sender,
        envelope.to,
        envelope,
        body,
    )
    return Append(
        conv,
        (Draft(kind, sender, envelope.msg_id, said),),
        members_as_of=members_as_of,
        follow=Follow(
            changes=(
                Change(kind, envelope.refers, sender, body, as_of=what_became_of(meant).edited),
                *(Change("delete", seq, sender) for seq in edits),
            )
        ),
    )


class Amended(msgspec.Struct, rename="pascal"):
    """The entries that edited and deleted a message last, 0: none did."""

    edited: Seq = 0
    deleted: Seq = 0


def what_became_of(message: Entry) -> Amended:
    """Whether a message was edited or deleted."""
    return msgspec.json.decode(message.envelope, type=Amended)


class _Referring(msgspec.Struct, rename="pascal"):
    refers: Seq = 0


def is_edit_of(message: Entry, entry: Entry) -> bool:
    """Whether `entry` is an edit of `message`."""
    if entry.kind != "edit":
        return False
    return msgspec.json.decode(entry.envelope, type=_Referring).refers == message.seq
