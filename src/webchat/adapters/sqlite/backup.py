"""A consistent copy of a store, made while another process serves it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from webchat.adapters.sqlite.check import check, damages
from webchat.adapters.sqlite.files import existing, partial, refusing, sync
from webchat.adapters.sqlite.schema import VERSION, check_version, missing
from webchat.ports.store import Finding, StoreRefused

_PAGES_A_STEP: Final = 1_000
_OF_WRITING: Final = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR_WRITE,
    sqlite3.SQLITE_IOERR_FSYNC,
    sqlite3.SQLITE_IOERR_TRUNCATE,
}
_FINDINGS: Final = 3
"""So many of them are told in a line."""


def backup(source: Path, target: Path, *, pages_per_step: int = _PAGES_A_STEP) -> None:
    """Copy the store at `source`, as it is now, to the new file `target`.

    The copy is checked, private to its owner and on the disk before `target` has its name. Nothing
    is overwritten, nobody waits; a store of an older version stays one. Raises StoreRefused, with
    words for people.
    """
    _check_target(target)
    with refusing(target), partial(target) as copied:
        with existing(source) as db:
            version = check_version(db, source)
            copy(db, copied, target, pages_per_step)
        if version < VERSION:
            with refusing(source):
                refuse_broken(copied, source)
        elif findings := check(copied):
            raise StoreRefused(f"{source} is damaged, so is its copy: {first_of(findings)}")
        _publish(copied, target)


def copy(
    db: sqlite3.Connection, into: Path, target: Path, pages_per_step: int = _PAGES_A_STEP
) -> None:
    """Copy what `db` has into a file, page by page what one read transaction sees, so that writes
    do not start it over. Raises StoreRefused if there is no room for `target`, sqlite3.Error."""
    try:
        with closing(sqlite3.connect(into, isolation_level=None)) as copied:
            db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            db.backup(copied, pages=pages_per_step, sleep=0)
            # One file without a journal beside it; who serves it changes that again.
            copied.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode in _OF_WRITING:
            raise StoreRefused(f"{target} cannot be written: {error}") from error
        raise


def first_of(findings: Sequence[Finding]) -> str:
    """The first of them in a line, and how many more there are."""
    more = len(findings) - _FINDINGS
    return "; ".join([*findings[:_FINDINGS], *([f"and {more} more"] if more > 0 else [])])


def refuse_broken(copied: Path, source: Path) -> None:
    """Raises StoreRefused if the copy of `source`, of any version, has pages that are damaged, or
    lacks tables; sqlite3.Error."""
    with closing(sqlite3.connect(copied)) as db:
        version, found, absent = check_version(db, source), list(damages(db)), missing(db)
    if found:
        raise StoreRefused(f"{source} is damaged: {first_of(found)}")
    if not version:
        raise StoreRefused(f"{source} is empty: there is no store in it")
    if absent:
        raise StoreRefused(f"{source} is no whole store: it lacks {first_of(absent)}")


def _check_target(target: Path) -> None:
    if target.exists():
        raise StoreRefused(f"{target} exists; a backup does not overwrite")
    if not target.parent.is_dir():
        raise StoreRefused(f"there is no directory {target.parent}; a backup does not make one")


def _publish(copied: Path, target: Path) -> None:
    """Give the copy its name, durably. Raises FileExistsError if the name was taken meanwhile."""
    sync(copied)
    os.link(copied, target)
    sync(target.parent)
