"""Where the entry of a key of idempotence lies.

The table `entry_key` finds it by a hash, and `keyjournal.py` what is not in that table yet.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct
from typing import Any, Final

from webchat.model import Entry, Uid, ending

ENTRY_COLUMNS: Final = "seq, n, at, kind, sender, msg_id, envelope"

_BY_KEY: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entry_key JOIN entry ON entry.id = entry_key.entry
    WHERE entry_key.log = ? AND hash = ? AND sender = ? AND msg_id = ?"""  # noqa: S608
_BY_ID: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entry
    WHERE id = ? AND log = ? AND sender = ? AND msg_id = ?"""  # noqa: S608
_HAS: Final = "SELECT 1 FROM entry_key WHERE log = ? AND hash = ?"

Columns = Sequence[Any]

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
    said = envelope[:-1] + ending(conv, seq, n, at)
    return Entry(conv, seq, n, at, kind, sender, msg_id, said)


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


def has_key(db: sqlite3.Connection, log: int, hashed: int) -> bool:
    """Whether the table has a key with that hash."""
    return db.execute(_HAS, (log, hashed)).fetchone() is not None
