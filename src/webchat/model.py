"""The facts of the product: ids, log entries, positions, accounts, and how they are written."""

from __future__ import annotations

import re
from typing import Final

import msgspec

Uid = str
ConvID = str
Seq = int

MAX_ID_CHARS: Final = 64
"""Of a user's id, and of a group's behind `group_`."""
_ID_CHARACTERS: Final = rf"[A-Za-z0-9._@+-]{{1,{MAX_ID_CHARS}}}"
_ID: Final = re.compile(rf"{_ID_CHARACTERS}\Z")
_UID: Final = re.compile(rf"(?!group_){_ID_CHARACTERS}\Z")
_GROUP: Final = re.compile(rf"group_{_ID_CHARACTERS}\Z")
GROUP_PREFIX: Final = "group_"
"""How the ConvIDs of groups begin, and no other."""
_USER: Final = "user:"

MESSAGE: Final = "message"
"""The kind of entries that count: `N` says how many there are, and readers confirm them."""
MAX_MSG_ID_CHARS: Final = 64
MAX_NAME_CHARS: Final = 64


def is_id(text: str) -> bool:
    """Whether `text` can be the id of anything here: what cannot be need not be looked for."""
    return _ID.match(text) is not None


def is_uid(text: str) -> bool:
    """Whether `text` has the form of a user's id (docs/protocol.md, section 3)."""
    return _UID.match(text) is not None


def is_group(text: str) -> bool:
    """Whether `text` has the form of a group's id, which is also its ConvID."""
    return text.startswith(GROUP_PREFIX) and _GROUP.match(text) is not None


def pair_conv(a: Uid, b: Uid) -> ConvID:
    """The conversation of two people, `dm:<a>:<b>` sorted; of one with oneself `dm:<a>:<a>`."""
    return f"dm:{a}:{b}" if a <= b else f"dm:{b}:{a}"


def pair_of(conv: ConvID) -> tuple[Uid, Uid] | None:
    """The two people of a pair's ConvID, or None for what is no well-formed pair."""
    parts = conv.split(":")
    if len(parts) != 3 or parts[0] != "dm":
        return None
    a, b = parts[1], parts[2]
    return (a, b) if a <= b and is_uid(a) and is_uid(b) else None


def user_log(uid: Uid) -> ConvID:
    """The ConvID of a user's own log."""
    return _USER + uid


def is_user_log(conv: ConvID) -> bool:
    """Whether `conv` is a user's own log."""
    return conv.startswith(_USER)


def user_of(conv: ConvID) -> Uid | None:
    """Whose log `conv` is, or None if it is no user's log."""
    uid = conv.removeprefix(_USER)
    return uid if uid != conv and is_uid(uid) else None


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An entry before the log gave it its place.

    `envelope`: a JSON object as UTF-8 bytes, non-empty, with all that goes on the wire but
    `ConvID`, `Seq`, `N` and `StoredAt`. `(conv, sender, msg_id)` is the key of idempotence;
    an empty `msg_id` is no key. `kind` is its EvtType.
    """

    kind: str
    sender: Uid
    msg_id: str
    envelope: bytes


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An entry of a log: `seq` from 1 without gaps, `n` the messages up to and including it.

    `envelope` is the whole JSON object as it goes on the wire. `at`: ms since 1970, the server's.
    """

    conv: ConvID
    seq: Seq
    n: int
    at: int
    kind: str
    sender: Uid
    msg_id: str
    envelope: bytes


def seal(draft: Draft, conv: ConvID, seq: Seq, n: int, at: int) -> Entry:
    """The entry that `draft` becomes at `seq` of `conv`; entries of a user's log carry no `N`."""
    return Entry(
        conv, seq, n, at, draft.kind, draft.sender, draft.msg_id,
        draft.envelope[:-1] + ending(conv, seq, n, at),
    )  # fmt: skip


def sealing_form(conv: ConvID) -> bytes | None:
    """For many envelopes of one log what `seal` does to each, at a third of the cost.

    `form % (draft.envelope[:-1], seq, n, at)` is the envelope of the entry. None: a user's log.
    """
    if is_user_log(conv):
        return None
    named = conv.replace("%", "%%").encode()
    return b'%%b,"ConvID":"%b","Seq":%%d,"N":%%d,"StoredAt":%%d}' % named


def unseal(entry: Entry) -> Draft:
    """The draft that `seal` made `entry` of. Raises ValueError if it is of no draft."""
    place = ending(entry.conv, entry.seq, entry.n, entry.at)
    if not entry.envelope.endswith(place):
        raise ValueError(f"the envelope at {entry.seq} of {entry.conv} does not say where it is")
    said = entry.envelope[: -len(place)] + b"}"
    return Draft(entry.kind, entry.sender, entry.msg_id, said)


def ending(conv: ConvID, seq: Seq, n: int, at: int) -> bytes:
    """How the envelope of an entry ends."""
    if conv.startswith(_USER):
        return f',"ConvID":"{conv}","Seq":{seq},"StoredAt":{at}}}'.encode()
    return f',"ConvID":"{conv}","Seq":{seq},"N":{n},"StoredAt":{at}}}'.encode()


class Head(msgspec.Struct, frozen=True, gc=False, order=True):
    """Where a log ends: last `Seq`, its `N`, when (ms), `Seq` of the last membership entry.

    A log that does not exist has the head (0, 0, 0, 0).
    """

    last: Seq
    n: int
    at: int
    members_seq: Seq


NO_HEAD: Final = Head(0, 0, 0, 0)


def head_at(entry: Entry, members_seq: Seq = 0) -> Head:
    """Where a log ends with `entry` as its last; `members_seq`: 0 where nobody asks for it."""
    return Head(entry.seq, entry.n, entry.at, members_seq)


class Position(msgspec.Struct, frozen=True, gc=False):
    """How far a member has come in a conversation: both are a `Seq`; displayed <= delivered.

    `n`: the count of messages at `displayed`, so unread = N(last) - n.
    """

    delivered: Seq
    displayed: Seq
    n: int


NO_POSITION: Final = Position(0, 0, 0)


def furthest(one: Position, other: Position) -> Position:
    """Where a member is of whom both are known: neither goes back."""
    displayed, n = max((one.displayed, one.n), (other.displayed, other.n))
    return Position(max(one.delivered, other.delivered), displayed, n)


class Membership(msgspec.Struct, frozen=True, gc=False):
    """One span of a user in a conversation: from the entry `since` that brought it in to the one at
    `until` by which it left or was removed.

    Both ends are included; `until` None: still a member. `role`: "" in a pair.
    """

    conv: ConvID
    uid: Uid
    since: Seq
    until: Seq | None
    role: str


class Group(msgspec.Struct, frozen=True):
    """What is true of a group as a whole, as of its newest membership entry.

    `closed`: its last member left, or its owner closed it, members or not; its id is never free
    again. `history_open`: who comes in may read from the start. `announcements`: only its admins
    write. `public`: anybody can find and join it. `picture`: an id of a file, "" for none.
    """

    conv: ConvID
    name: str = ""
    picture: str = ""
    history_open: bool = False
    announcements: bool = False
    public: bool = False
    closed: bool = False


class Invitation(msgspec.Struct, frozen=True):
    """`by` wants to add `uid` to a group, and `uid` wants to be asked. `at`: ms, 0 until stored."""

    id: str
    conv: ConvID
    uid: Uid
    by: Uid
    at: int = 0


class InviteLink(msgspec.Struct, frozen=True):
    """Whoever knows its code, which nobody keeps, may join `conv`. `by`: who made it.

    `expires_at`: ms. `uses`: how many may still come in by it, None: no limit.
    """

    id: str
    conv: ConvID
    by: Uid
    expires_at: int
    uses: int | None


class Profile(msgspec.Struct, frozen=True):
    """What others may know of a user, and the settings others' acts depend on."""

    uid: Uid
    name: str
    about: str
    display_receipts: bool
    who_may_add_me: str
    disabled: bool


class Login(msgspec.Struct, frozen=True):
    """A login of a user, found by the hash of its token. `id` may be shown; times in ms."""

    id: str
    uid: Uid
    created_at: int
    last_used_at: int
    expires_at: int
