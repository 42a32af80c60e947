"""Where the entry of a key of idempotence lies.

An index on keys would cost each append a page at random, more than all the rest of it. So the
newest keys are remembered, found again from the newest entries after a start, and folded into the
table `entry_key` many at a time, in its order, inside a batch's transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

from webchat.model import Draft, Entry, Uid, seal

ENTRY_COLUMNS: Final = "seq, n, at, kind, sender, msg_id, envelope"

_BY_ID: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entry
    WHERE id = ? AND sender = ? AND msg_id = ?"""  # noqa: S608
_BY_KEY: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entry_key JOIN entry ON entry.id = entry_key.entry
    WHERE entry_key.log = ?1 AND hash = ?2 AND sender = ?3 AND msg_id = ?4"""  # noqa: S608
# One statement, so that a key that is being folded is in one of the two. The `+` keeps SQLite from
# reading all of the log instead of the newest entries of all logs.
_ANYWHERE: Final = f"""{_BY_KEY} UNION ALL
    SELECT {ENTRY_COLUMNS} FROM entry
    WHERE id > (SELECT value FROM counter WHERE name = 'keys_folded')
    AND +log = ?1 AND sender = ?3 AND msg_id = ?4
    LIMIT 1"""  # noqa: S608

Row = Sequence[Any]


def key_hash(sender: Uid, msg_id: str) -> int | None:
    """What a key is found by within its log: 64 bits, signed; None: an empty MsgID is no key."""
    if not msg_id:
        return None
    digest = blake2b(f"{sender}\0{msg_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def entry_of(conv: str, row: Row) -> Entry:
    """The Entry of a row of ENTRY_COLUMNS."""
    seq, n, at, kind, sender, msg_id, envelope = row
    return seal(Draft(kind, sender, msg_id, envelope), conv, seq, n, at)


def find_row(db: sqlite3.Connection, log: int, sender: Uid, msg_id: str) -> Row | None:
    """The entry with that key, from the file alone; costs a look at all keys not yet folded."""
    hashed = key_hash(sender, msg_id)
    if hashed is None:
        return None
    row: Row | None = db.execute(_ANYWHERE, (log, hashed, sender, msg_id)).fetchone()
    return row


class Keys:
    """The writer's way to find keys. `max_unfolded`: entries whose keys are remembered only."""

    def __init__(self, max_unfolded: int) -> None:
        self._max_unfolded = max_unfolded
        self._entries: dict[tuple[int, int], int] | None = None
        self._unfolded: list[tuple[int, int, int]] = []
        self._count = 0
        self._newest = 0

    def forget(self) -> None:
        """The file may say otherwise than what is remembered."""
        self._entries = None

    def find(
        self, db: sqlite3.Connection, log: int, hashed: int, sender: Uid, msg_id: str
    ) -> Row | None:
        """The entry with that key."""
        entries = self._load(db) if self._entries is None else self._entries
        entry = entries.get((log, hashed))
        if entry is None:
            found: Row | None = db.execute(_BY_KEY, (log, hashed, sender, msg_id)).fetchone()
            return found
        row: Row | None = db.execute(_BY_ID, (entry, sender, msg_id)).fetchone()
        # Else two keys have the same hash.
        return row or find_row(db, log, sender, msg_id)

    def add(self, db: sqlite3.Connection, log: int, hashed: int | None, entry: int) -> None:
        """Remember the key of an entry that was just written; `hashed` None: it has none."""
        if self._entries is None:
            self._load(db)  # which finds the new entry, too
        else:
            self._remember(self._entries, log, hashed, entry)
        if self._count >= self._max_unfolded:
            self._fold(db)

    def _remember(
        self, entries: dict[tuple[int, int], int], log: int, hashed: int | None, entry: int
    ) -> None:
        if hashed is not None:
            entries[log, hashed] = entry
            self._unfolded.append((log, hashed, entry))
        self._newest = entry
        self._count += 1

    def _fold(self, db: sqlite3.Connection) -> None:
        db.executemany("INSERT INTO entry_key VALUES (?, ?, ?)", sorted(self._unfolded))
        db.execute("UPDATE counter SET value = ? WHERE name = 'keys_folded'", (self._newest,))
        self._entries, self._unfolded, self._count = {}, [], 0

    def _load(self, db: sqlite3.Connection) -> dict[tuple[int, int], int]:
        """Remember what the file says is not folded."""
        entries: dict[tuple[int, int], int] = {}
        self._entries, self._unfolded, self._count = entries, [], 0
        rows = db.execute(
            """SELECT log, sender, msg_id, id FROM entry
            WHERE id > (SELECT value FROM counter WHERE name = 'keys_folded') ORDER BY id"""
        )
        for log, sender, msg_id, entry in rows:
            self._remember(entries, log, key_hash(sender, msg_id), entry)
        return entries
