"""Where the entry of a key of idempotence lies.

The table `entry_key` finds it by a hash. Entries come into it in bulk, with the fold of the
journal (`journal.py`); the keys of a batch are looked up in it together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain
from struct import Struct
from typing import Any, Final

from webchat.model import Draft, Entry, Uid, seal

ENTRY_COLUMNS: Final = "seq, n, at, kind, sender, msg_id, envelope"

_BY_KEY: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entry_key JOIN entry ON entry.id = entry_key.entry
    WHERE entry_key.log = ? AND hash = ? AND sender = ? AND msg_id = ?"""  # noqa: S608
_HAS: Final = "SELECT 1 FROM entry_key WHERE log = ? AND hash = ?"
_FEW: Final = 4
"""So many keys are cheaper to look up one by one."""


def _met(places: int) -> str:
    """The query for those of so many (log, hash) that the table has."""
    return f"""
        WITH asked (log, hash) AS (VALUES {", ".join(["(?, ?)"] * places)})
        SELECT log, hash FROM asked CROSS JOIN entry_key USING (log, hash)"""  # noqa: S608


_MET: Final = {places: _met(places) for places in (8, 64)}

Columns = Sequence[Any]

Place = tuple[int, int]
"""log, `key_hash`: where a key lies in its table."""

# A copy is made faster than a new one.
_begin_hash: Final = blake2b(digest_size=8).copy
_signed: Final = Struct(">q").unpack


def key_hash(sender: Uid, msg_id: str) -> int | None:
    """What a key is found by within its log: 64 bits, signed; None: an empty MsgID is no key."""
    if not msg_id:
        return None
    hashing = _begin_hash()
    hashing.update(f"{sender}\0{msg_id}".encode())
    hashed: int
    (hashed,) = _signed(hashing.digest())
    return hashed


def entry_of(conv: str, row: Columns) -> Entry:
    """The Entry of a row of ENTRY_COLUMNS."""
    seq, n, at, kind, sender, msg_id, envelope = row
    return seal(Draft(kind, sender, msg_id, envelope), conv, seq, n, at)


def find_row(db: sqlite3.Connection, log: int, sender: Uid, msg_id: str) -> Columns | None:
    """The entry with that key, if the tables have it."""
    hashed = key_hash(sender, msg_id)
    if hashed is None:
        return None
    row: Columns | None = db.execute(_BY_KEY, (log, hashed, sender, msg_id)).fetchone()
    return row


def met(db: sqlite3.Connection, asked: list[Place]) -> set[Place]:
    """Those of the places `asked` at which the table has a key."""
    found: set[Place] = set()
    while len(asked) > _FEW:
        size = 64 if len(asked) > 32 else 8
        some, asked = asked[:size], asked[size:]
        some += some[-1:] * (size - len(some))
        found.update(db.execute(_MET[size], tuple(chain.from_iterable(some))))
    found.update(place for place in asked if db.execute(_HAS, place).fetchone())
    return found
