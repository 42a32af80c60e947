"""Rows of entries and positions: written to their tables in bulk, with their keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from webchat.model import ConvID, Draft, Entry, Seq, Uid, seal

# Plain tuples: a message makes one of each, and a named one costs it several times as much.
EntryRow = tuple[int, Seq, int, int, Seq, str, Uid, str, bytes, int | None]
"""log, seq, n, at, members_seq, kind, sender, msg_id, the draft's envelope, `keys.key_hash`.

`members_seq`: `Seq` of the last membership entry up to this one."""

PositionRow = tuple[int, Uid, Seq, Seq, int]
"""log, uid, delivered, displayed, n."""

_AT_ONCE: Final = 32
"""So many rows are one statement: each one costs a turn of the interpreter's lock."""


class _Insert(NamedTuple):
    """A statement for one row, and the same for `_AT_ONCE`."""

    one: str
    many: str


def _insert(table: str, row: str, otherwise: str = "") -> _Insert:
    """Into `table`, with the placeholders `row`; `otherwise`: what to do with a row it has."""
    into = f"INSERT INTO {table} VALUES"
    return _Insert(f"{into} {row} {otherwise}", f"{into} {', '.join([row] * _AT_ONCE)} {otherwise}")


_ENTRY: Final = _insert("entry", "(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
_KEY: Final = _insert("entry_key", "(?, ?, ?)")
# A position never goes back, so of two rows of one member the one further on is the newer one.
_POSITION: Final = _insert(
    "position",
    "(?, ?, ?, ?, ?)",
    """ON CONFLICT (log, uid) DO UPDATE
    SET delivered = excluded.delivered, displayed = excluded.displayed, n = excluded.n
    WHERE excluded.delivered >= delivered AND excluded.displayed >= displayed""",
)


def sealed(conv: ConvID, row: EntryRow) -> Entry:
    """The Entry of a row, which is of the log `conv`."""
    _, seq, n, at, _, kind, sender, msg_id, envelope, _ = row
    return seal(Draft(kind, sender, msg_id, envelope), conv, seq, n, at)


def write_entries(db: sqlite3.Connection, rows: Sequence[EntryRow]) -> None:
    """Write entries that the tables do not have, and what they are found by.

    `rows` by log and `Seq`, so that those of a log, and its keys, come to few pages.
    """
    if not rows:
        return
    (last,) = db.execute("SELECT ifnull(max(id), 0) FROM entry").fetchone()
    # SQLite numbers them one after the other from the greatest id on.
    keys = [(row[0], row[9], id_) for id_, row in enumerate(rows, last + 1) if row[9] is not None]
    # A bytearray, since for bytes the module first looks for ways to adapt them.
    columns = [(*row[:8], bytearray(row[8])) for row in rows]
    _write(db, _ENTRY, columns)
    _write(db, _KEY, keys)


def write_positions(db: sqlite3.Connection, rows: Sequence[PositionRow]) -> None:
    """Write how far members have come, unless the table says further."""
    _write(db, _POSITION, rows)


def _write(db: sqlite3.Connection, insert: _Insert, rows: Sequence[tuple[Any, ...]]) -> None:
    whole = len(rows) - len(rows) % _AT_ONCE
    parts = (rows[first : first + _AT_ONCE] for first in range(0, whole, _AT_ONCE))
    db.executemany(insert.many, (tuple(chain.from_iterable(part)) for part in parts))
    db.executemany(insert.one, rows[whole:])
