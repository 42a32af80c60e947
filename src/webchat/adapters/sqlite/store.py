"""A store in one SQLite file: one process serves it, command-line tools may open it beside."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from webchat.adapters.sqlite import files, schema
from webchat.adapters.sqlite.accounts import SqliteAccounts
from webchat.adapters.sqlite.check import check_not_older
from webchat.adapters.sqlite.conversations import SqliteLog, SqliteMembers
from webchat.adapters.sqlite.following import SqliteFollowing
from webchat.adapters.sqlite.held import SqliteHeld
from webchat.adapters.sqlite.invitations import SqliteInvitations
from webchat.adapters.sqlite.kept import SqliteKeptReceipts
from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.links import SqliteInviteLinks
from webchat.adapters.sqlite.logins import SqliteLogins
from webchat.adapters.sqlite.logs import Logs
from webchat.adapters.sqlite.nodes import SqliteNodes
from webchat.adapters.sqlite.positions import SqlitePositions
from webchat.adapters.sqlite.reader import Reader, SettledReader
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.adapters.sqlite.transfer import SqliteTransfer
from webchat.adapters.sqlite.writer import Writer
from webchat.errors import WebchatError
from webchat.ports.accounts import Accounts, Logins
from webchat.ports.clock import Clock
from webchat.ports.following import Following
from webchat.ports.held import Held
from webchat.ports.invitations import Invitations
from webchat.ports.kept import KeptReceipts
from webchat.ports.links import InviteLinks
from webchat.ports.log import Log
from webchat.ports.members import Members
from webchat.ports.nodes import Nodes
from webchat.ports.positions import Positions
from webchat.ports.store import UNFINISHED_IMPORT, Mode, StoreRefused
from webchat.ports.transfer import Transfer

_PROBE_BYTES: Final = 64 * 1024


class SqliteStore:
    """All ports on the file `path`; usable between `open` and `close`.

    Durable: a commit is synced to the disk (`synchronous = FULL`) before anybody is told.
    """

    log: Log
    members: Members
    following: Following
    positions: Positions
    accounts: Accounts
    logins: Logins
    kept: KeptReceipts
    held: Held
    invitations: Invitations
    links: InviteLinks
    nodes: Nodes
    transfer: Transfer

    def __init__(self, path: Path, settings: SqliteSettings, clock: Clock) -> None:
        """The store that a server uses: `open` refuses if another process serves the file."""
        self._path = path.absolute()
        self._settings = settings
        self._clock = clock
        self._serves = True
        self._lock: files.ServeLock | None = None

    @classmethod
    def beside(cls, path: Path, settings: SqliteSettings, clock: Clock) -> SqliteStore:
        """The store as command-line tools use it, whether or not a process serves the file."""
        store = cls(path, settings, clock)
        store._serves = False
        return store

    async def init(self) -> None:
        """Make or migrate the file; harmless when done again. Raises StoreRefused."""
        await asyncio.to_thread(self._init)

    async def open(self, mode: Mode) -> None:
        """Make the file if there is none, and start the threads. One of an older version is
        migrated by who serves it, and else refused. Raises StoreRefused."""
        ledger = Ledger(self._clock, self._settings, keeps_journal=self._serves)
        for_writes, for_briefs, *for_reads = await asyncio.to_thread(self._prepare, mode, ledger)
        logs = Logs(ledger)
        self._writer = writer = Writer(for_writes, self._settings, ledger)
        self._reader = reader = Reader(for_briefs, for_reads, self._settings)
        told = reader if self._serves else SettledReader(reader, writer)
        self.log = SqliteLog(logs, writer, told, ledger)
        self.members = SqliteMembers(reader)
        self.following = SqliteFollowing(told, ledger)
        self.positions = SqlitePositions(logs, writer, told, ledger)
        self.accounts = SqliteAccounts(writer, reader)
        self.logins = SqliteLogins(writer, reader, self._clock)
        self.kept = SqliteKeptReceipts(writer, reader)
        self.held = SqliteHeld(writer, reader)
        self.invitations = SqliteInvitations(writer, reader)
        self.links = SqliteInviteLinks(writer, reader)
        self.nodes = SqliteNodes(writer, reader)
        self.transfer = SqliteTransfer(self._path, self._settings, logs, ledger, writer, reader)

    async def trouble(self) -> str:
        """Why reads do not answer; or writes, if the last one failed."""
        try:
            await self._reader.read(_probe_read)
            if self._writer.is_failing:
                await self._writer.write(_probe_write, _PROBE_BYTES)
                await self._writer.write(_probe_write, 0)
        except WebchatError as error:
            return error.why
        return ""

    async def close(self) -> None:
        """Finish what is queued, stop the threads, let another process serve."""
        await self._writer.close()
        await asyncio.to_thread(self._reader.close)
        self._release()

    def _init(self) -> None:
        with files.refusing(self._path):
            files.make_private(self._path)
            with closing(files.connect(self._path, self._settings)) as db:
                self._make_schema(db)

    def _prepare(self, mode: Mode, ledger: Ledger) -> list[sqlite3.Connection]:
        """The connection for writes and those for reads, to a file that is ours to use."""
        with files.refusing(self._path):
            files.make_private(self._path)
            if self._serves:
                self._lock = files.ServeLock(self._path)
            else:
                check_not_older(self._path)
            try:
                with closing(files.connect(self._path, self._settings)) as db:
                    self._make_schema(db)
                    self._settle_mode(db, mode)
                    if self._serves:
                        ledger.open(db)
                return files.connect_all(self._path, self._settings)
            except BaseException:
                self._release()
                raise

    def _make_schema(self, db: sqlite3.Connection) -> None:
        version = schema.check_version(db, self._path)
        if version == schema.VERSION:
            return
        own_lock = None if self._lock else self._lock_to_change(version)
        try:
            schema.migrate(db)
        finally:
            if own_lock is not None:
                own_lock.release()

    def _lock_to_change(self, version: int) -> files.ServeLock:
        """A process that serves an older file must not have it changed under its feet. Raises
        StoreRefused."""
        try:
            return files.ServeLock(self._path)
        except files.Served as served:
            if not version:
                raise
            raise StoreRefused(
                f"{self._path} is older than this webchat, and a server of the older version "
                f"serves it (pid {served.pid}): restart that one first"
            ) from served

    def _settle_mode(self, db: sqlite3.Connection, mode: Mode) -> None:
        """Keep the mode of a new file; refuse another one than was kept."""
        if not schema.check_mode(db, self._path, mode):
            db.execute("INSERT INTO property VALUES ('mode', ?)", (mode,))
        if schema.is_being_filled(db):
            raise StoreRefused(
                f"{self._path} {UNFINISHED_IMPORT}: delete it, with what is beside it, and import "
                "once more"
            )

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _probe_read(db: sqlite3.Connection) -> None:
    db.execute("SELECT value FROM property WHERE name = 'mode'").fetchone()


def _probe_write(db: sqlite3.Connection, size: int) -> None:
    """Leave so many bytes: on a full disk there is no room for them."""
    db.execute("REPLACE INTO property VALUES ('probe', hex(randomblob(?)))", (size // 2,))
