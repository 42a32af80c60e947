"""What edits, deletes, reactions and groups do to their rows, within the writer's transaction.

Written in the transaction of their entry, so changes of a log come in the order of its `Seq`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

from webchat.model import Entry, Group
from webchat.ports.accounts import fold
from webchat.ports.log import Change, changed, last_change

GROUP_COLUMNS: Final = """
    log.name, chat_group.name, picture, history_open, announcements, public, closed"""


def apply_change(db: sqlite3.Connection, log: int, change: Change, cause: Entry) -> None:
    """Change an earlier entry as `cause` says; does nothing if there is no such entry."""
    if not 0 < change.refers < cause.seq:
        return
    if change.kind == "react":
        _react(db, log, change, cause)
    else:
        _rewrite(db, log, change, cause)


def is_changed_since(db: sqlite3.Connection, log: int, change: Change) -> bool:
    """Whether the entry was edited or deleted after the `as_of` of a change."""
    query = "SELECT envelope FROM entry WHERE log = ? AND seq = ?"
    found = db.execute(query, (log, change.refers)).fetchone()
    return found is not None and last_change(found[0]) > (change.as_of or 0)


def save_group(db: sqlite3.Connection, log: int, group: Group) -> None:
    """Write what is now true of a group."""
    insert = "INSERT OR REPLACE INTO chat_group VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    db.execute(insert, group_row(log, group))


def group_row(log: int | str, group: Group) -> Sequence[object]:
    """The columns of a group's row; `log`: its id or, where that is looked up, its name."""
    return (
        log, group.name, group.picture, group.history_open, group.announcements, group.public,
        group.closed, fold(group.name),
    )  # fmt: skip


def group_of(row: Sequence[Any]) -> Group:
    """The Group of a row of GROUP_COLUMNS."""
    conv, name, picture, *said = row
    return Group(conv, name, picture, *map(bool, said))


def _react(db: sqlite3.Connection, log: int, change: Change, cause: Entry) -> None:
    key = (log, change.refers, change.sender)
    if change.body:
        said = (*key, change.body, cause.seq)
        db.execute("INSERT OR REPLACE INTO reaction VALUES (?, ?, ?, ?, ?)", said)
    else:
        db.execute("DELETE FROM reaction WHERE log = ? AND seq = ? AND uid = ?", key)


def _rewrite(db: sqlite3.Connection, log: int, change: Change, cause: Entry) -> None:
    query = "SELECT id, envelope FROM entry WHERE log = ? AND seq = ?"
    entry, envelope = db.execute(query, (log, change.refers)).fetchone()
    after = changed(envelope, change, cause.seq)
    db.execute("UPDATE entry SET envelope = ? WHERE id = ?", (after, entry))
