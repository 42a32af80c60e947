"""The keys of the single table, and what lies under them. The whole layout is in this module."""

from __future__ import annotations

from typing import Final

from webchat.adapters.dynamodb.table import Item, Key, Span
from webchat.model import ConvID, Seq, Uid

HEAD: Final = "H"
GROUP: Final = "G"
BATCH: Final = "B#"
MEMBER: Final = "M#"
REACTION: Final = "X#"
KEYS: Final = "K#"
ASKED: Final = "A#"
FOLLOW: Final = "F#"
LINK: Final = "L#"
CONVERSATION: Final = "C#"
INVITATION: Final = "I#"
LOGIN: Final = "T#"
HOLDS: Final = "W#"

LAST: Final = "\ue000"
"""Sorts behind everything that ids are made of; ends the range of a prefix."""
FIRST: Final = " "
"""Sorts before it; a key cannot be empty."""

META: Final = "meta"
NODES: Final = "nodes"
REVOCATIONS: Final = "revocations"
EXPIRING: Final = "expiring"
RECENT: Final = "recent"
HELD: Final = "held"


def log(conv: ConvID) -> str:
    """The partition of a log, its members and its group."""
    return f"log#{conv}"


def conv_of(pk: str) -> ConvID:
    """Whose partition that is."""
    return pk.removeprefix("log#")


def user(uid: Uid) -> str:
    """The partition of what a user has: conversations, invitations, logins."""
    return f"user#{uid}"


def head(conv: ConvID) -> Key:
    """The end of a log."""
    return Key(log(conv), HEAD)


def batch(conv: ConvID, first: Seq) -> Key:
    """The entries that were rolled out together, beginning with `first`."""
    return Key(log(conv), f"{BATCH}{padded(first)}")


def member(conv: ConvID, uid: Uid) -> Key:
    """A member's spans and position."""
    return Key(log(conv), f"{MEMBER}{uid}")


def group(conv: ConvID) -> Key:
    """What is true of a group."""
    return Key(log(conv), GROUP)


def conversation(uid: Uid, conv: ConvID) -> Key:
    """The newest span of a user in a conversation, on the user's side."""
    return Key(user(uid), f"{CONVERSATION}{conv}")


def reaction(conv: ConvID, seq: Seq, uid: Uid) -> Key:
    """How a member reacted to an entry."""
    return Key(log(conv), f"{REACTION}{padded(seq)}#{uid}")


def reactions(conv: ConvID, first: Seq, last: Seq) -> Span:
    """All reactions to the entries `first` … `last`."""
    return Span(log(conv), f"{REACTION}{padded(first)}", f"{REACTION}{padded(last)}{LAST}")


def reaction_of(item: Item) -> tuple[Seq, Uid]:
    """To which entry a reaction is, and whose."""
    seq, uid = str(item["sk"]).removeprefix(REACTION).split("#", 1)
    return int(seq), uid


def prefixed(pk: str, prefix: str, after: str = "", *, descending: bool = False) -> Span:
    """All of a partition whose `sk` begins with `prefix`, with something behind `after`."""
    low = f"{prefix}{after}\0" if after else prefix
    return Span(pk, low or FIRST, prefix + LAST, descending)


def asked(conv: ConvID, uid: Uid) -> Key:
    """Invitations of a user to a group."""
    return Key(log(conv), f"{ASKED}{uid}")


def padded(number: int) -> str:
    """A number that sorts as a text; beyond 18 digits it counts as the highest."""
    return f"{min(max(number, 0), 10**18 - 1):018}"
