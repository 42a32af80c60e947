"""What membership entries and positions do to their rows, within the writer's transaction."""

from __future__ import annotations

import sqlite3
from typing import Final

from webchat.adapters.sqlite.recent import Recent
from webchat.model import NO_POSITION, Membership, Position, Uid

_SAVE: Final = "INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?)"
_OPEN: Final = """
    INSERT INTO member SELECT ?1, ?2, ?3, NULL, ?4 WHERE NOT EXISTS
    (SELECT 1 FROM member WHERE log = ?1 AND uid = ?2 AND until IS NULL)"""
_CHANGE_ROLE: Final = """
    UPDATE member SET role = ?4 WHERE log = ?1 AND uid = ?2 AND since = ?3 AND until IS NULL"""


def open_span(db: sqlite3.Connection, log: int, span: Membership) -> bool:
    """Write an open span; False: one is open already, and takes the role if it is the same."""
    row = (log, span.uid, span.since, span.role)
    if db.execute(_OPEN, row).rowcount:
        return True
    db.execute(_CHANGE_ROLE, row)
    return False


def close_span(db: sqlite3.Connection, log: int, span: Membership) -> bool:
    """Write a closed span; whether it took the place of an open one."""
    query = "DELETE FROM member WHERE log = ? AND uid = ? AND until IS NULL"
    closed = db.execute(query, (log, span.uid)).rowcount
    db.execute(_SAVE, (log, span.uid, span.since, span.until, span.role))
    return bool(closed)


def count_members(db: sqlite3.Connection, log: int, change: int) -> None:
    """As many more are present, or fewer."""
    if change:
        db.execute("UPDATE log SET members = members + ? WHERE id = ?", (change, log))


class PositionRows:
    """Rows of `position`, the recent ones remembered. Used by the writer's thread alone."""

    def __init__(self, max_remembered: int) -> None:
        self._recent: Recent[tuple[int, Uid], Position] = Recent(max_remembered)
        self._unwritten: dict[tuple[int, Uid], Position] = {}

    def forget(self) -> None:
        """The file may say otherwise than what is remembered."""
        self._recent.clear()
        self._unwritten.clear()

    def get(self, db: sqlite3.Connection, log: int, uid: Uid) -> Position:
        """How far `uid` has come; NO_POSITION without a row."""
        place = (log, uid)
        position = self._recent.get(place) or self._unwritten.get(place)
        if position is None:
            query = "SELECT delivered, displayed, n FROM position WHERE log = ? AND uid = ?"
            row = db.execute(query, (log, uid)).fetchone()
            position = NO_POSITION if row is None else Position(*row)
        return position

    def put(self, log: int, uid: Uid, position: Position) -> None:
        """`uid` is here now; `write` says so to the file."""
        self._unwritten[log, uid] = position
        self._recent.put((log, uid), position)

    def write(self, db: sqlite3.Connection) -> None:
        """Write what was put, each row once: many messages of a batch move the same sender."""
        db.executemany(
            "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)",
            [(*place, at.delivered, at.displayed, at.n) for place, at in self._unwritten.items()],
        )
        self._unwritten.clear()
