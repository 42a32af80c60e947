"""Rows of entries and positions: written to their tables in bulk, with their keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Final, NamedTuple

from webchat.adapters.sqlite.keys import entry_of
from webchat.model import ConvID, Entry, Seq, Uid

# Plain tuples: a message makes one of each, and a named one costs it several times as much.
EntryRow = tuple[int, Seq, int, int, Seq, str, Uid, str, bytes, int | None]
"""log, seq, n, at, members_seq, kind, sender, msg_id, the draft's envelope, `keys.key_hash`.

`members_seq`: `Seq` of the last membership entry up to this one."""

PositionRow = tuple[int, Uid, Seq, Seq, int]
"""log, uid, delivered, displayed, n."""

_AT_ONCE: Final = 32
"""So many rows are one statement: each one costs a turn of the interpreter's lock."""


class _Insert(NamedTuple):
    """A statement for one row, and the same for `_AT_ONCE`; `columns`: values of a row."""

    one: str
    many: str
    columns: int


def _insert(table: str, row: str, otherwise: str = "") -> _Insert:
    """Into `table`, with the placeholders `row`; `otherwise`: what to do with a row it has."""
    into = f"INSERT INTO {table} VALUES"
    many = ", ".join([row] * _AT_ONCE)
    return _Insert(f"{into} {row} {otherwise}", f"{into} {many} {otherwise}", row.count("?"))


_ENTRY: Final = _insert("entry", "(NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
# A fold of keys that was interrupted begins again.
_KEY: Final = _insert("entry_key", "(?, ?, ?)", "ON CONFLICT DO NOTHING")
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
    return entry_of(conv, (seq, n, at, kind, sender, msg_id, envelope))


def write_entries(db: sqlite3.Connection, rows: Sequence[EntryRow]) -> None:
    """Write entries that the tables do not have, and their keys."""
    write_keys(db, add_entries(db, rows))


def add_entries(db: sqlite3.Connection, rows: Sequence[EntryRow]) -> list[int]:
    """Write entries that the tables do not have; returns log, `key_hash` and id of each with a key.

    `rows` by log and `Seq`, so that those of a log come to few pages.
    """
    keys: list[int] = []
    if not rows:
        return keys
    (last,) = db.execute("SELECT ifnull(max(id), 0) FROM entry").fetchone()
    entries: list[object] = []
    # SQLite numbers them one after the other from the greatest id on.
    for id_, row in enumerate(rows, last + 1):
        log, seq, n, at, members_seq, kind, sender, msg_id, envelope, hashed = row
        # A bytearray, since for bytes the module first looks for ways to adapt them.
        said = bytearray(envelope)
        entries += (log, seq, n, at, members_seq, kind, sender, msg_id, said)
        if hashed is not None:
            keys += (log, hashed, id_)
    _write(db, _ENTRY, entries)
    return keys


def write_keys(db: sqlite3.Connection, keys: Sequence[int]) -> None:
    """Write keys to their table, given as `add_entries` returns them; passes over those it has."""
    _write(db, _KEY, keys)


def write_positions(db: sqlite3.Connection, rows: Iterable[PositionRow]) -> None:
    """Write how far members have come, unless the table says further."""
    _write(db, _POSITION, list(chain.from_iterable(rows)))


def _write(db: sqlite3.Connection, insert: _Insert, values: Sequence[object]) -> None:
    """Write rows whose values lie in `values` one after the other."""
    size = insert.columns * _AT_ONCE
    whole = len(values) - len(values) % size
    db.executemany(insert.many, (values[at : at + size] for at in range(0, whole, size)))
    rest = range(whole, len(values), insert.columns)
    db.executemany(insert.one, (values[at : at + insert.columns] for at in rest))
