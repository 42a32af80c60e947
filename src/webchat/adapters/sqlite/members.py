"""What membership entries do to their rows, within the writer's transaction."""

from __future__ import annotations

import sqlite3
from typing import Final

from webchat.model import Membership

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
