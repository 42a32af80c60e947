"""The files of an SQLite store: made private, opened durably, served by one process at a time."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.ports.store import StoreRefused

_PAGE_BYTES: Final = 4096
"""SQLite's own choice."""
_WAL_LENGTHS: Final = 2
"""So many times `wal_pages` the write-ahead log may stay on the disk."""
_OPENING_BYTES: Final = 64 * 1024
"""More than a file takes to be opened: its `-shm` has 32 KiB at once."""
_PRIMARY: Final = 0xFF
"""The part of an extended code that is the error (https://www.sqlite.org/rescode.html)."""
_PRIVATE_FILE: Final = 0o600
_PRIVATE_DIRECTORY: Final = 0o700


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn what the system or SQLite says about `path` into StoreRefused, in words for people."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        said = f"{error}{_room_lacking(path, error)}"
        raise StoreRefused(f"{path} cannot be used as a store: {said}") from error
    except UnicodeDecodeError as error:
        # What SQLite says of a damaged file has its bytes in it, and need not be text.
        said = error.object.decode(errors="backslashreplace")
        raise StoreRefused(f"{path} cannot be used as a store: {said}") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise StoreRefused(f"{error.filename or path} cannot be used: {reason}") from error


def _room_lacking(path: Path, error: sqlite3.DatabaseError) -> str:
    """What SQLite leaves out of an error of the disk: that it is full. "": it is not."""
    code = getattr(error, "sqlite_errorcode", 0)  # of Python's own errors there is none
    if code & _PRIMARY != sqlite3.SQLITE_IOERR:
        return ""
    with suppress(OSError):
        room = os.statvfs(path.parent)
        if room.f_bavail * room.f_frsize < _OPENING_BYTES:
            return ": no space is left on the disk"
    return ""


def make_private(path: Path) -> None:
    """Make the file, and its directory if there is none, for their owner alone. Raises OSError."""
    make_private_directory(path.parent)
    make_private_file(path)


def make_private_directory(path: Path) -> None:
    """Make the directory, if there is none, for its owner alone. Raises OSError."""
    path.mkdir(mode=_PRIVATE_DIRECTORY, parents=True, exist_ok=True)


def make_private_file(path: Path) -> None:
    """Make the file for its owner alone. Raises OSError."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, _PRIVATE_FILE))


@contextmanager
def partial(place: Path) -> Iterator[Path]:
    """A file for its owner alone, to be filled and then given the name `place`, which it is beside;
    gone in the end if it was not. Raises OSError."""
    made = place.with_name(f".{place.name}.{os.getpid()}.partial")
    try:
        make_private_file(made)
        yield made
    finally:
        with suppress(FileNotFoundError):
            made.unlink()


def sync(path: Path) -> None:
    """Have on the disk what a file holds, or the names in a directory. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(path: Path, settings: SqliteSettings) -> sqlite3.Connection:
    """A connection that commits when told, durably, and may be used by any one thread at a time."""
    db = sqlite3.connect(
        path,
        timeout=settings.busy_timeout_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        # What is deleted is overwritten where its page is written anyway. Some builds of SQLite
        # write those pages as well that a fold frees, though they are soon used again.
        db.execute("PRAGMA secure_delete = FAST")
        # What a statement has to remember until it is done, as a fold does: there may be no place
        # for files but the store's own directory, and SQLite does not look there.
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(f"PRAGMA wal_autocheckpoint = {settings.wal_pages}")
        # A long read, as for a backup, keeps SQLite from starting it over; then it is cut back.
        db.execute(f"PRAGMA journal_size_limit = {_WAL_LENGTHS * settings.wal_pages * _PAGE_BYTES}")
    except BaseException:
        db.close()
        raise
    return db


def connect_reader(path: Path, settings: SqliteSettings) -> sqlite3.Connection:
    """A connection that cannot write."""
    db = connect(path, settings)
    db.execute("PRAGMA query_only = ON")
    # Each commit of the writer empties it: it has to last for a query, not longer.
    db.execute("PRAGMA cache_size = -256")
    return db


def connect_all(path: Path, settings: SqliteSettings) -> list[sqlite3.Connection]:
    """A connection for the writer, one for brief reads, which does not wait for locks, then one for
    each reader."""
    brief = replace(settings, busy_timeout_ms=0)
    with ExitStack() as undo:
        connections = [undo.enter_context(closing(connect(path, settings)))]
        for each in (brief, *[settings] * settings.readers):
            connections += [undo.enter_context(closing(connect_reader(path, each)))]
        undo.pop_all()
    return connections


def check_exists(path: Path) -> None:
    """Raises StoreRefused if there is no file at `path`, or nothing in it."""
    if not path.is_file():
        raise StoreRefused(f"there is no store at {path}")
    if path.stat().st_size == 0:
        raise StoreRefused(f"{path} is empty: there is no store in it")


@contextmanager
def existing(path: Path) -> Iterator[sqlite3.Connection]:
    """A reading connection to a store that must be there, in one read transaction.

    What other processes write meanwhile is not seen. It may be where nothing can be written, and is
    left as it is if nobody serves it. Raises StoreRefused.
    """
    check_exists(path)
    with refusing(path), closing(connect_untouched(path)) as db:
        db.execute("BEGIN")
        yield db


def can_be_written(path: Path) -> bool:
    """Whether this process may write a store's file, and make others beside it."""
    place = path.resolve()
    return all(os.access(each, os.W_OK, effective_ids=True) for each in (place, place.parent))


def connect_untouched(path: Path) -> sqlite3.Connection:
    """A connection for reads: what nobody serves stays as it is. Raises sqlite3.Error."""
    place = path.resolve()
    if any(each.exists() for each in beside(place)):
        access = "mode=ro"  # else what lies beside would be applied when it is closed
    elif can_be_written(place):
        access = "mode=rw"  # who begins to serve it meanwhile has to be noticed
    else:
        access = "immutable=1"
    db = sqlite3.connect(f"{place.as_uri()}?{access}", uri=True, isolation_level=None)
    db.execute("PRAGMA query_only = ON")
    return db


def beside(place: Path) -> list[Path]:
    """Where SQLite keeps what belongs to a file, beside it."""
    return [place.with_name(place.name + suffix) for suffix in ("-wal", "-shm", "-journal")]


class Served(StoreRefused):
    """Another process serves the store. `pid`: its number, or "unknown"."""

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(
            f"{path} is served by another process (pid {pid}): an SQLite store serves one. "
            "Stop that one, name another file, or use a store that several can share "
            "(--store postgresql://... or dynamodb://...)"
        )
        self.pid = pid


class ServeLock:
    """The right to serve a store: held until released, or by the kernel until its holder dies."""

    def __init__(self, path: Path) -> None:
        """Take it. Raises Served if another process has it, OSError."""
        # Beside the file itself, whatever links lead to it: SQLite follows them, too.
        place = path.resolve()
        self.path = place.with_name(f"{place.name}.lock")
        self._file = os.fdopen(os.open(self.path, os.O_CREAT | os.O_RDWR, _PRIVATE_FILE), "r+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = self._file.read().strip() or "unknown"
            self._file.close()
            raise Served(path, pid) from None
        self._file.truncate(0)
        self._file.write(f"{os.getpid()}\n")
        self._file.flush()

    def release(self) -> None:
        """Let another process serve. The file stays: removing it would race with its next taker."""
        self._file.close()
