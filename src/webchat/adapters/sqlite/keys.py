"""Where the entry of a key of idempotence lies.

The table `entry_key` finds it by a hash, and `keyjournal.py` what is not in that table yet. The
keys of a batch are looked up together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct
from typing import Any, Final

from webchat.model import Draft, Entry, Uid, seal

ENTRY_COLUMNS: Final = "seq, n, at, kind, sender, msg_id, envelope"

_BY_KEY: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entry_key JOIN entry ON entry.id = entry_key.entry
    WHERE entry_key.log = ? AND hash = ? AND sender = ? AND msg_id = ?"""  # noqa: S608
_BY_ID: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entry
    WHERE id = ? AND log = ? AND sender = ? AND msg_id = ?"""  # noqa: S608
_HAS: Final = "SELECT log, hash FROM entry_key WHERE log = ? AND hash = ?"
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


def at_key(
    db: sqlite3.Connection, log: int, hashed: int, sender: Uid, msg_id: str
) -> Columns | None:
    """The entry with that key, whose hash is given, if the table of keys has it."""
    row: Columns | None = db.execute(_BY_KEY, (log, hashed, sender, msg_id)).fetchone()
    return row


def at_place(
    db: sqlite3.Connection, id_: int, log: int, sender: Uid, msg_id: str
) -> Columns | None:
    """The entry `id_`, if that is its key."""
    row: Columns | None = db.execute(_BY_ID, (id_, log, sender, msg_id)).fetchone()
    return row


def met(db: sqlite3.Connection, places: list[int]) -> set[Place]:
    """Those at which the table has a key; `places`: log and hash of each, one after the other."""
    found: set[Place] = set()
    at, end = 0, len(places)
    while end - at > 2 * _FEW:
        size = 64 if end - at > 2 * 32 else 8
        asked = places[at : at + 2 * size]
        asked += asked[-2:] * (size - len(asked) // 2)
        found.update(db.execute(_MET[size], asked))
        at += 2 * size
    while at < end:
        found.update(db.execute(_HAS, places[at : at + 2]))
        at += 2
    return found
