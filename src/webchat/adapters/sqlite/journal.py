"""The table `journal`: a batch of entries and positions is one row, durable at once, folded later.

Writing entries to their table and its indexes touches a page for each, at random; a row of the
journal is at the end of one page. `folding.py` decides when it is folded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from webchat.adapters.sqlite.rows import EntryRow, PositionRow, add_entries, write_positions
from webchat.model import Seq


class Batch(msgspec.Struct, array_like=True, frozen=True):
    """What one row of the journal holds, as MessagePack."""

    entries: list[EntryRow]
    positions: list[PositionRow]


_INSERT: Final = "INSERT INTO journal VALUES (?, ?)"
_DELETE: Final = "DELETE FROM journal WHERE id <= ?"
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Batch).decode


def note(db: sqlite3.Connection, id_: int, batch: Batch) -> int:
    """Put a batch at the end, where `id_` must lie; returns its bytes."""
    encoded = _encode(batch)
    db.execute(_INSERT, (id_, encoded))
    return len(encoded)


def remove(db: sqlite3.Connection, until: int) -> None:
    """Take away all up to the batch `until`: the tables have what they say."""
    db.execute(_DELETE, (until,))


def is_empty(db: sqlite3.Connection) -> bool:
    """Whether the tables say everything: there is nothing here, and none of `keyjournal.py`."""
    query = "SELECT 1 FROM journal UNION ALL SELECT 1 FROM key_journal LIMIT 1"
    return db.execute(query).fetchone() is None


def batches(db: sqlite3.Connection) -> Iterator[Batch]:
    """All that the journal holds, in order. Raises sqlite3.DatabaseError if one is damaged."""
    return (batch for _, _, batch in stored(db))


def stored(db: sqlite3.Connection) -> Iterator[tuple[int, int, Batch]]:
    """`batches`, each with its number and its bytes."""
    for id_, encoded in db.execute("SELECT id, batch FROM journal ORDER BY id"):
        try:
            yield id_, len(encoded), _decode(encoded)
        except msgspec.DecodeError as error:
            raise sqlite3.DatabaseError(f"the journal's batch {id_} is damaged") from error


def replay(
    db: sqlite3.Connection, put_keys: Callable[[sqlite3.Connection, list[int]], None]
) -> None:
    """Write what the journal holds to the tables and empty it, within a transaction.

    What the tables have already, because it was folded before its time, is passed over. `put_keys`:
    takes care of the keys of the rest, given as `rows.add_entries` returns them.
    """
    ends: dict[int, Seq] = {}
    entries: list[EntryRow] = []
    positions: list[PositionRow] = []
    for batch in batches(db):
        entries += [row for row in batch.entries if row[1] > _end(db, row[0], ends)]
        positions += batch.positions
    put_keys(db, add_entries(db, sorted(entries)))  # by log and `Seq`, which are no two alike
    write_positions(db, positions)
    db.execute("DELETE FROM journal")


def _end(db: sqlite3.Connection, log: int, known: dict[int, Seq]) -> Seq:
    """The last `Seq` of a log in the tables."""
    if log not in known:
        query = "SELECT ifnull(max(seq), 0) FROM entry WHERE log = ?"
        (known[log],) = db.execute(query, (log,)).fetchone()
    return known[log]
