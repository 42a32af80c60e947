"""Pages of the file that are damaged, and folds that wait since they met one."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

AGAIN_S: Final = 60.0
"""So long after it met a damaged page a fold is tried again: a piece of it that is written in vain
each time."""


class FoldFailed(Exception):  # noqa: N818
    """A fold met a damaged page, and waits: the same transaction can be done without it."""


class PartRefused(Exception):  # noqa: N818
    """An act of many parts met damaged pages, and knows by now which of them these keep from being
    done: the same transaction can be done without them."""


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite met a damaged page, which other writes may do without, but none in the same
    transaction."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def damaged(message: str) -> sqlite3.DatabaseError:
    """An error as SQLite's where it meets a damaged page."""
    error = sqlite3.DatabaseError(message)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def put_off(error: sqlite3.Error) -> float:
    """When a fold that failed with `error` is tried again, on the monotonic clock. Raises `error`
    if that is no damage."""
    if not is_damage(error):
        raise error
    return time.monotonic() + AGAIN_S
