"""The keys of the single table, and what lies under them. Every prefix is in this module."""

from __future__ import annotations

from typing import Final

from webchat.adapters.dynamodb.table import Item, Key, Span
from webchat.model import ConvID, Seq, Uid
from webchat.ports.accounts import fold

LOG: Final = "log#"
USER: Final = "user#"
ACCOUNT: Final = "account#"
TOKEN: Final = "token#"  # noqa: S105
KEPT: Final = "kept#"

HEAD: Final = "H"
GROUP: Final = "G"
BATCH: Final = "B#"
APART: Final = "E#"
MEMBER: Final = "M#"
REACTION: Final = "X#"
KEYS: Final = "K#"
ASKED: Final = "A#"
FOLLOW: Final = "F#"
LINK: Final = "L#"
LINKS: Final = "L"
CONVERSATION: Final = "C#"
INVITATION: Final = "I#"
LOGIN: Final = "T#"
HOLDS: Final = "W#"

LAST: Final = "\ue000"
"""Sorts behind everything that ids are made of; ends the range of a prefix."""
FIRST: Final = " "
"""Sorts before it; a key cannot be empty."""

INDEXED_CHARS: Final = 3
"""What people and public groups are found by has items under so many of its first characters."""

META: Final = "meta"
NODES: Final = "nodes"
REVOCATIONS: Final = "revocations"
EXPIRING: Final = "expiring"
RECENT: Final = "recent"
HELD: Final = "held"

IMPORTING: Final = Key(META, "importing")
"""Is there while the table is being filled."""


def log(conv: ConvID) -> str:
    """The partition of a log, its members and its group."""
    return f"{LOG}{conv}"


def conv_of(pk: str) -> ConvID:
    """Whose partition that is."""
    return pk.removeprefix(LOG)


def user(uid: Uid) -> str:
    """The partition of what a user has: conversations, invitations, logins."""
    return f"{USER}{uid}"


def head(conv: ConvID) -> Key:
    """The end of a log."""
    return Key(log(conv), HEAD)


def batch(conv: ConvID, first: Seq) -> Key:
    """The entries that were rolled out together, beginning with `first`."""
    return Key(log(conv), f"{BATCH}{padded(first)}")


def apart(conv: ConvID, seq: Seq, ref: str) -> Key:
    """The envelope of an entry that its batch has no room for, and `ref` instead."""
    return Key(log(conv), f"{APART}{padded(seq)}#{ref}")


def member(conv: ConvID, uid: Uid) -> Key:
    """A member's spans and position."""
    return Key(log(conv), f"{MEMBER}{uid}")


def group(conv: ConvID) -> Key:
    """What is true of a group."""
    return Key(log(conv), GROUP)


def conversation(uid: Uid, conv: ConvID) -> Key:
    """The newest span of a user in a conversation, on the user's side."""
    return Key(user(uid), f"{CONVERSATION}{conv}")


def conversation_item(uid: Uid, conv: ConvID, seq: Seq, span: tuple[Seq, Seq, str]) -> Item:
    """What the user's side says of the newest span, as of `seq`."""
    since, until, role = span
    key = conversation(uid, conv)
    return {**key._asdict(), "ver": seq, "since": since, "until": until, "role": role}


def reaction(conv: ConvID, seq: Seq, uid: Uid) -> Key:
    """How a member reacted to an entry."""
    return Key(log(conv), f"{REACTION}{padded(seq)}#{uid}")


def reactions(conv: ConvID, first: Seq, last: Seq, since: Uid = "") -> Span:
    """All reactions to the entries `first` … `last`; to `first` those of `since` and after it."""
    return Span(log(conv), f"{REACTION}{padded(first)}#{since}", f"{REACTION}{padded(last)}{LAST}")


def reaction_of(item: Item) -> tuple[Seq, Uid]:
    """To which entry a reaction is, and whose."""
    seq, uid = str(item["sk"]).removeprefix(REACTION).split("#", 1)
    return int(seq), uid


def up_to(pk: str, sk: str) -> Span:
    """A partition from its beginning up to and including `sk`."""
    return Span(pk, FIRST, sk)


def prefixed(pk: str, prefix: str, after: str = "", *, descending: bool = False) -> Span:
    """All of a partition whose `sk` begins with `prefix`, with something behind `after`."""
    low = f"{prefix}{after}\0" if after else prefix
    return Span(pk, low or FIRST, prefix + LAST, descending)


def asked(conv: ConvID, uid: Uid) -> Key:
    """Invitations of a user to a group."""
    return Key(log(conv), f"{ASKED}{uid}")


def account(uid: Uid) -> Key:
    """The accounts of all uids that differ from `uid` in case only."""
    return Key(f"{ACCOUNT}{fold(uid)}", "A")


def found_by(prefix: str) -> str:
    """The partition that names, by uid, whom a search for so short a prefix finds."""
    return f"found#{prefix}"


def public(prefix: str) -> str:
    """The partition that names, by ConvID, public groups whose name begins with `prefix`."""
    return f"public#{prefix}"


def held(conv: ConvID) -> str:
    """The partition of messages that are held for a group."""
    return f"{HELD}#{conv}"


def expiring(kind: str) -> str:
    """The partition that says when things of that kind may expire."""
    return f"{EXPIRING}#{kind}"


def token(token_hash: bytes) -> Key:
    """A login, by the hash of its token."""
    return Key(f"{TOKEN}{token_hash.hex()}", "T")


def login(login_id: str) -> Key:
    """Which token has a login of that id."""
    return Key(f"login#{login_id}", "T")


def code(code_hash: bytes) -> Key:
    """Which invite link has that code."""
    return Key(f"code#{code_hash.hex()}", "L")


def link_place(link_id: str) -> Key:
    """In which group a link is."""
    return Key(f"link#{link_id}", "L")


def link(conv: ConvID, link_id: str) -> Key:
    """An invite link, beside its group."""
    return Key(log(conv), f"{LINK}{link_id}")


def links(conv: ConvID) -> Key:
    """Which invite links a group has."""
    return Key(log(conv), LINKS)


def kept(uid: Uid) -> str:
    """The partition of receipts that wait for a user."""
    return f"{KEPT}{uid}"


def padded(number: int) -> str:
    """A number that sorts as a text; beyond 18 digits it counts as the highest."""
    return f"{min(max(number, 0), 10**18 - 1):018}"
