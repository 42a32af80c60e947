"""Pages of the file that are damaged."""

from __future__ import annotations

import sqlite3


def is_damage(error: Exception) -> bool:
    """Whether SQLite met a damaged page, which other writes may do without, but none in the same
    transaction."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT
