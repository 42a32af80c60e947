"""A backup put where a store is, while nobody serves it; what was there is kept beside it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from webchat.adapters.sqlite.backup import copy, first_of
from webchat.adapters.sqlite.check import damages
from webchat.adapters.sqlite.files import (
    ServeLock,
    check_exists,
    make_private_directory,
    partial,
    refusing,
    sync,
)
from webchat.adapters.sqlite.schema import check_version, missing
from webchat.ports.store import StoreRefused


def restore(source: Path, target: Path, kept: str) -> Path | None:
    """Put a copy of the backup `source` where the store `target` is, on the disk when it returns.

    What was there gets the name of `target` with `kept` behind it, which is returned, with all that
    SQLite keeps beside it; None: nothing was there. Whenever it is interrupted, what was there is
    whole under one of its names. Raises StoreRefused: `target` is served, or has no room; `source`
    is damaged, or no store that this version knows.
    """
    with _opened(source) as db, refusing(target), _held(target):
        # SQLite follows links, too: the files beside are beside what they lead to.
        place = target.resolve()
        with partial(place) as copied:
            with refusing(source):
                copy(db, copied, target)
                _check(copied, source)
            return _replace(place, copied, kept)


@contextmanager
def _opened(source: Path) -> Iterator[sqlite3.Connection]:
    """A connection to the backup that leaves the file as it is."""
    check_exists(source)
    place = source.resolve()
    # Without a journal nobody writes to it; then it may be where nothing can be written.
    access = "mode=ro" if any(path.exists() for path in _beside(place)) else "immutable=1"
    with refusing(source):
        db = sqlite3.connect(f"{place.as_uri()}?{access}", uri=True, isolation_level=None)
    with closing(db):
        with refusing(source):
            if not check_version(db, source):
                raise StoreRefused(f"{source} is empty: there is no store in it")
        yield db


@contextmanager
def _held(target: Path) -> Iterator[None]:
    """Nobody else serves the store meanwhile."""
    make_private_directory(target.parent)
    lock = ServeLock(target)
    try:
        yield
    finally:
        lock.release()


def _check(copied: Path, source: Path) -> None:
    """Raises StoreRefused if the copy of `source` has pages that are damaged, or lacks tables."""
    with closing(sqlite3.connect(copied)) as db:
        found, absent = list(damages(db)), missing(db)
    if found:
        raise StoreRefused(f"{source} is damaged: {first_of(found)}")
    if absent:
        raise StoreRefused(f"{source} is no whole store: it lacks {first_of(absent)}")


def _replace(place: Path, copied: Path, kept: str) -> Path | None:
    """Give the copy its name, and what has it now another one. Raises OSError."""
    old = [path for path in (place, *_beside(place)) if path.exists()]
    aside = place.with_name(place.name + kept)
    if place.exists():
        # Whoever runs this: the one who served the store has to be able to.
        os.chown(copied, place.stat().st_uid, place.stat().st_gid)
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


def _beside(place: Path) -> list[Path]:
    """Where SQLite keeps what belongs to a file, beside it."""
    return [place.with_name(place.name + suffix) for suffix in ("-wal", "-shm", "-journal")]
