"""An SQLite store as the version before this one has left it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from webchat.adapters.sqlite import schema
from webchat.adapters.sqlite.files import make_private

OLDER: Final = schema.VERSION - 1


def make_older(path: Path) -> None:
    """Make it at `path`, with nobody serving it."""
    make_private(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        schema._take(db, schema.STEPS[:OLDER])
        db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {OLDER}")
        db.execute("INSERT INTO property VALUES ('mode', 'secured')")


def version_of(path: Path) -> int:
    """The version of the store at `path`."""
    with closing(sqlite3.connect(path)) as db:
        return schema.check_version(db, path)
