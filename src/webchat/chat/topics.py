"""Topics and payloads of the bus: which channel what goes to, and how nodes tell kinds apart.

A payload begins with a version and a kind; a node passes over those it does not know.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from webchat.model import ConvID, Entry, pair_of, user_log
from webchat.protocol.envelope import decode_sealed

ENTRY: Final = b"1e"
"""An entry's envelope, as on the wire."""
NOTICE: Final = b"1n"
"""A receipt's Notice, JSON."""
COUNTS: Final = b"1c"
"""Counts of a large group, JSON."""
POSITION: Final = b"1p"
"""A user's own position, JSON: `[conv, delivered, displayed, n]`."""
AGAIN: Final = b"1q"
"""A user's own position, as the store has it by now, for nodes that have not heard of it; JSON as
above."""
KEPT: Final = b"1k"
"""Something was kept for a user, who may be back by now; nothing more."""
HEAD: Final = b"1h"
"""Where a log ends whose publishes failed, JSON: `[conv, seq]`."""
COMPARE: Final = b"1a"
"""A node is back on the bus: everybody compares heads; nothing more."""
BACK: Final = b"1b"
"""A node is back on the bus, and heard of no receipts meanwhile; JSON: since how long ago, in
seconds, and whether it says so again, or nothing (a version before)."""
RECENT: Final = b"1r"
"""Who was added or came in last, JSON: `[[uid, at], ...]`, newest first; none: who was?"""
NODES: Final = "nodes"
"""The topic that every node holds."""
_REMEMBERED_LOGS: Final = 10_000


@lru_cache(maxsize=_REMEMBERED_LOGS)
def topics_of(conv: ConvID) -> tuple[str, ...]:
    """Where entries of a log are published: a pair's to both users, all else to itself."""
    pair = pair_of(conv)
    if pair is None:
        return (conv,)
    a, b = pair
    return (user_log(a),) if a == b else (user_log(a), user_log(b))


def entry_of(envelope: bytes) -> Entry:
    """The entry that another node published. Raises msgspec.DecodeError."""
    sealed = decode_sealed(envelope)
    return Entry(
        sealed.conv_id,
        sealed.seq,
        sealed.n,
        sealed.stored_at,
        sealed.evt_type,
        sealed.originated or sealed.from_,
        sealed.msg_id,
        envelope,
    )
