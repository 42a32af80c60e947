"""A consistent copy of a store, made while another process serves it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from webchat.adapters.sqlite.check import check
from webchat.adapters.sqlite.files import existing, make_private, refusing
from webchat.ports.store import StoreRefused

_PAGES_A_STEP: Final = 1_000


def backup(source: Path, target: Path, *, pages_per_step: int = _PAGES_A_STEP) -> None:
    """Copy the store at `source`, as it is now, to the new file `target`.

    The copy is checked, private to its owner and on the disk before `target` has its name. Nothing
    is overwritten, nobody waits. Raises StoreRefused, with words for people.
    """
    if target.exists():
        raise StoreRefused(f"{target} exists; a backup does not overwrite")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with refusing(target):
            make_private(partial)
            _copy(source, partial, pages_per_step)
            _refuse_broken(source, partial)
            _publish(partial, target)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()


def _copy(source: Path, partial: Path, pages_per_step: int) -> None:
    """Copy page by page what one read transaction sees, so that writes do not start it over."""
    with existing(source) as db, closing(sqlite3.connect(partial, isolation_level=None)) as copy:
        db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        db.backup(copy, pages=pages_per_step, sleep=0)
        # One file without a journal beside it; who serves it changes that again.
        copy.execute("PRAGMA journal_mode = DELETE")


def _refuse_broken(source: Path, partial: Path) -> None:
    findings = check(partial)
    if findings:
        raise StoreRefused(f"{source} is damaged, so is its copy: {'; '.join(findings[:5])}")


def _publish(partial: Path, target: Path) -> None:
    """Give the copy its name, durably. Raises FileExistsError if the name was taken meanwhile."""
    _sync(partial)
    os.link(partial, target)
    _sync(target.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
