"""A backup put where a store is, while nobody serves it; what was there is kept beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from webchat.adapters.sqlite.backup import copy, refuse_broken
from webchat.adapters.sqlite.files import (
    ServeLock,
    beside,
    check_exists,
    connect_untouched,
    make_private_directory,
    partial,
    refusing,
    sync,
)
from webchat.adapters.sqlite.schema import check_version
from webchat.ports.store import StoreRefused


def restore(source: Path, target: Path, kept: str) -> Path | None:
    """Put a copy of the backup `source` where the store `target` is, on the disk when it returns.

    What was there gets the name of `target` with `kept` behind it, which is returned, with all that
    SQLite keeps beside it; None: nothing was there. Whenever it is interrupted, what was there is
    whole under one of its names. Raises StoreRefused: `target` is served, or has no room; `source`
    is damaged, or no store that this version knows.
    """
    with _opened(source) as db, refusing(target), _held(target) as lock:
        # SQLite follows links, too: the files beside are beside what they lead to.
        place = target.resolve()
        with partial(place) as copied:
            with refusing(source):
                copy(db, copied, target)
                refuse_broken(copied, source)
                _let_be_served(copied)
            _give_to_who_serves(place, copied, lock)
            return _replace(place, copied, kept)


@contextmanager
def _opened(source: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the backup that leaves the file as it is."""
    check_exists(source)
    with refusing(source):
        db = connect_untouched(source)
    with closing(db):
        with refusing(source):
            if not check_version(db, source):
                raise StoreRefused(f"{source} is empty: there is no store in it")
        yield db


@contextmanager
def _held(target: Path) -> Iterator[Path]:
    """Nobody else serves the store meanwhile. Gives the file that says so."""
    make_private_directory(target.parent)
    lock = ServeLock(target)
    try:
        yield lock.path
    finally:
        lock.release()


def _let_be_served(copied: Path) -> None:
    """Who begins to serve it need not wait for who reads it, to be sure of it first."""
    with closing(sqlite3.connect(copied)) as db:
        db.execute("PRAGMA journal_mode = WAL")


def _give_to_who_serves(place: Path, copied: Path, lock: Path) -> None:
    """Whoever runs this: the one who served the store, or whose directory it is, has to be able to.
    Raises OSError."""
    is_root = os.geteuid() == 0
    owner = (place if place.exists() else place.parent).stat()
    if place.exists() or is_root:
        os.chown(copied, owner.st_uid, owner.st_gid)
    if is_root:
        os.chown(lock, owner.st_uid, owner.st_gid)


def _replace(place: Path, copied: Path, kept: str) -> Path | None:
    """Give the copy its name, and what has it now another one. Raises OSError."""
    old = [path for path in (place, *beside(place)) if path.exists()]
    aside = place.with_name(place.name + kept)
    sync(copied)
    for path in old:
        os.link(path, f"{aside}{path.name.removeprefix(place.name)}")
    sync(place.parent)
    # From here on all of it has its other name; none of it may be beside the copy.
    for path in old:
        path.unlink()
    sync(place.parent)
    copied.rename(place)
    sync(place.parent)
    return aside if old else None
