"""What entries of a group say about who is in it, and what its kinds have in common.

Source: docs/protocol.md, sections 3 and 4; seed flows 5 to 9.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Entry, Uid, is_group, is_uid
from webchat.protocol.envelope import Envelope, Sealed

CREATE: Final = "create"
JOIN: Final = "join"
DEPART: Final = "depart"
COMING: Final = frozenset({CREATE, JOIN})
REMOVE: Final = "remove"
LEAVING: Final = frozenset({DEPART, REMOVE})
ROLE: Final = "role"
GROUP: Final = "group"
CLOSE: Final = "close"
RULING: Final = frozenset({ROLE, GROUP, CLOSE})
"""By these others may write than before."""
_list = msgspec.json.Decoder(list[str])


class _Bodied(Sealed, rename="pascal", gc=False):
    body: str = ""


_bodied = msgspec.json.Decoder(_Bodied)


def check_group_act(sender: Uid, envelope: Envelope) -> ConvID:
    """The group that a client's group envelope acts on. Raises WebchatError."""
    if not is_group(envelope.to):
        raise WebchatError(Code.BAD_REQUEST, "To is no group's id")
    if envelope.from_ != envelope.to or envelope.originated != sender:
        raise WebchatError(Code.FORBIDDEN, "From must be the group, Originated the one who acts")
    return envelope.to


def uids_in(body: str, most: int) -> list[Uid]:
    """The list of uids in an envelope's Body, each once. Raises BAD_REQUEST, TOO_LARGE."""
    try:
        uids = _list.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise WebchatError(Code.BAD_REQUEST, "Body is no list of users' ids") from None
    if len(uids) > most:
        raise WebchatError(Code.TOO_LARGE, f"a list may have {most} uids; refer adds more")
    for uid in uids:
        if not is_uid(uid):
            raise WebchatError(Code.BAD_REQUEST, f"{uid!r} is no user's id")
    return list(dict.fromkeys(uids))


def body_of(uids: Iterable[Uid]) -> str:
    """A list of uids as an envelope's Body."""
    return msgspec.json.encode(list(uids)).decode()


def coming_in(entry: Entry) -> Sequence[Uid]:
    """Who comes into a group by this entry."""
    if entry.kind not in COMING:
        return ()
    uids = listed_in(entry)
    return [*uids, entry.sender] if entry.kind == CREATE else uids


def listed_in(entry: Entry) -> list[Uid]:
    """The list in an entry's Body."""
    return _list.decode(_bodied.decode(entry.envelope).body)


def leaving(entry: Entry) -> Sequence[Uid]:
    """Who leaves a group by this entry."""
    if entry.kind == REMOVE:
        return listed_in(entry)
    return (entry.sender,) if entry.kind == DEPART else ()
