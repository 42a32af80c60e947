"""What a journal that cannot be folded says beyond the tables: carried over a start in memory."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from webchat.adapters.sqlite import journal
from webchat.adapters.sqlite.damage import is_damage
from webchat.adapters.sqlite.folding import Folding
from webchat.adapters.sqlite.openlog import LogTail, OpenLog
from webchat.adapters.sqlite.rows import EntryRow, PositionRow
from webchat.model import Head, Position, Uid

_HEAD: Final = """
    SELECT name, ifnull(seq, 0), ifnull(n, 0), ifnull(at, 0), ifnull(members_seq, 0)
    FROM log LEFT JOIN entry ON entry.log = log.id WHERE log.id = ? ORDER BY seq DESC LIMIT 1"""
_POSITION: Final = "SELECT delivered, displayed FROM position WHERE log = ? AND uid = ?"


def carried(db: sqlite3.Connection, folding: Folding) -> tuple[list[OpenLog], set[int]]:
    """The logs of which something is in the journal alone, with that; and the numbers of those of
    which this cannot be told. `folding` learns of each batch. Raises sqlite3.DatabaseError if one
    is damaged."""
    entries: dict[int, list[EntryRow]] = defaultdict(list)
    positions: dict[int, list[PositionRow]] = defaultdict(list)
    for id_, size, batch in journal.stored(db):
        folding.take_up(id_, len(batch.entries) + len(batch.positions), size)
        for row in batch.entries:
            entries[row[0]].append(row)
        for position in batch.positions:
            positions[position[0]].append(position)
    logs, lost = [], set()
    for number in entries.keys() | positions.keys():
        log = _opened(db, number)
        if log is None:
            lost.add(number)
            continue
        tail = log.tail = _tail(db, log, entries[number], positions[number])
        log.positions = dict(tail.moved)
        if tail.rows:
            log.head = Head(*tail.rows[-1][1:5])
        if not tail.is_empty:
            logs.append(log)
    return logs, lost


def _opened(db: sqlite3.Connection, number: int) -> OpenLog | None:
    """The log as the tables have it; None: they cannot be read."""
    try:
        row = db.execute(_HEAD, (number,)).fetchone()
    except sqlite3.Error as error:
        if is_damage(error):
            return None
        raise
    return None if row is None else OpenLog(number, row[0], Head(*row[1:]))


def _tail(
    db: sqlite3.Connection,
    log: OpenLog,
    entries: Iterable[EntryRow],
    positions: Iterable[PositionRow],
) -> LogTail:
    """What the journal has of a log, which ends where its tables do, without what these have."""
    end = log.head.last
    rows = [row for row in entries if row[1] > end]
    tail = LogTail(rows[-1][1] if rows else end)
    tail.rows, tail.hashes = rows, {row[-1] for row in rows}
    moved = {uid: Position(*position) for _, uid, *position in positions}
    tail.moved = {uid: at for uid, at in moved.items() if _is_further(db, log, uid, at)}
    return tail


def _is_further(db: sqlite3.Connection, log: OpenLog, uid: Uid, at: Position) -> bool:
    """Whether the table does not say as much, or cannot be read."""
    try:
        row = db.execute(_POSITION, (log.id, uid)).fetchone()
    except sqlite3.Error as error:
        if is_damage(error):
            return True
        raise
    return row is None or (at.delivered, at.displayed) > row
