"""All that an SQLite store keeps, as records: read as of one moment, written page by page."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

from webchat.adapters.sqlite import files
from webchat.adapters.sqlite.accounts import PROFILE_COLUMNS, profile_of
from webchat.adapters.sqlite.changes import GROUP_COLUMNS, group_of
from webchat.adapters.sqlite.keys import ENTRY_COLUMNS, entry_of
from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.logs import Logs
from webchat.adapters.sqlite.reader import Reader, not_answering
from webchat.adapters.sqlite.restoring import restore
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.adapters.sqlite.writer import Writer
from webchat.model import Draft, Invitation, InviteLink, Login, Membership, Position
from webchat.ports.transfer import (
    AccountRecord,
    EntryRecord,
    GroupRecord,
    HeldRecord,
    InvitationRecord,
    KeptRecord,
    LinkRecord,
    LoginRecord,
    MemberRecord,
    PositionRecord,
    ReactionRecord,
    Record,
)  # fmt: skip

Row = Sequence[Any]

_PAGE: Final = 500


class _Kind(NamedTuple):
    """A query that gives all rows in order, and what a row is as a record."""

    query: str
    record: Callable[[Row], Record]


def _entry(row: Row) -> Record:
    conv, members_seq, *columns = row
    return EntryRecord(entry_of(conv, columns), members_seq)


def _account(row: Row) -> Record:
    *profile, password_hash, saved_at = row
    return AccountRecord(profile_of(*profile), password_hash, saved_at)


def _held(row: Row) -> Record:
    conv, kind, uid, msg_id, envelope, at = row
    return HeldRecord(conv, Draft(kind, uid, msg_id, envelope), at)


_KINDS: Final = (
    _Kind(
        f"""SELECT log.name, members_seq, {ENTRY_COLUMNS}
        FROM entry JOIN log ON log.id = entry.log ORDER BY entry.log, seq""",  # noqa: S608
        _entry,
    ),
    _Kind(
        """SELECT log.name, seq, uid, cause, body FROM reaction JOIN log ON log.id = log
        ORDER BY reaction.log, seq, uid""",
        lambda row: ReactionRecord(*row),
    ),
    _Kind(
        """SELECT log.name, uid, since, until, role FROM member JOIN log ON log.id = member.log
        ORDER BY member.log, uid, since""",
        lambda row: MemberRecord(Membership(*row)),
    ),
    _Kind(
        f"""SELECT {GROUP_COLUMNS} FROM chat_group JOIN log ON log.id = chat_group.log
        ORDER BY log.id""",  # noqa: S608
        lambda row: GroupRecord(group_of(row)),
    ),
    _Kind(
        """SELECT log.name, uid, delivered, displayed, n
        FROM position JOIN log ON log.id = position.log ORDER BY position.log, uid""",
        lambda row: PositionRecord(row[0], row[1], Position(*row[2:])),
    ),
    _Kind(
        f"""SELECT {PROFILE_COLUMNS}, password_hash, saved_at FROM account
        ORDER BY saved_at, touched""",  # noqa: S608
        _account,
    ),
    _Kind(
        """SELECT token_hash, id, uid, created_at, last_used_at, expires_at FROM login
        ORDER BY token_hash""",
        lambda row: LoginRecord(row[0], Login(*row[1:])),
    ),
    _Kind(
        "SELECT uid, envelope FROM kept_receipt ORDER BY id",
        lambda row: KeptRecord(*row),
    ),
    _Kind(
        "SELECT conv, kind, uid, msg_id, envelope, at FROM held_message ORDER BY id",
        _held,
    ),
    _Kind(
        "SELECT id, conv, uid, by, at FROM invitation ORDER BY number",
        lambda row: InvitationRecord(Invitation(*row)),
    ),
    _Kind(
        "SELECT code_hash, id, conv, by, expires_at, uses FROM invite_link ORDER BY code_hash",
        lambda row: LinkRecord(row[0], InviteLink(*row[1:])),
    ),
)
_EVER_KEPT: Final = """
    SELECT EXISTS (SELECT 1 FROM log) OR EXISTS (SELECT 1 FROM given_uid)
    OR EXISTS (SELECT 1 FROM held_message) OR EXISTS (SELECT 1 FROM kept_receipt)
    OR EXISTS (SELECT 1 FROM login) OR EXISTS (SELECT 1 FROM invite_link)"""


class SqliteTransfer:
    """Reading all of a store, filling an empty one. See `ports/transfer.py`."""

    def __init__(
        self,
        path: Path,
        settings: SqliteSettings,
        logs: Logs,
        ledger: Ledger,
        writer: Writer,
        reader: Reader,
    ) -> None:
        self._path = path
        self._settings = settings
        self._logs = logs
        self._ledger = ledger
        self._write = writer.write
        self._read = reader.read

    async def records(self) -> AsyncIterator[Record]:
        """All that is kept, as of the moment of the first one, on a connection of its own."""
        await self._write(self._logs.settle_all, None)
        db = await _in_thread(files.connect_reader, self._path, self._settings)
        with closing(db):
            db.execute("BEGIN")
            for kind in _KINDS:
                rows = await _in_thread(db.execute, kind.query)
                while page := await _in_thread(rows.fetchmany, _PAGE):
                    for row in page:
                        yield kind.record(row)

    async def restore(self, records: Sequence[Record]) -> None:
        """Write a page in one transaction, leaving alone what is there."""
        await self._write(self._restore, records)

    def _restore(self, db: sqlite3.Connection, records: Sequence[Record]) -> None:
        restore(db, records)
        self._ledger.others_wrote(db)

    async def begin(self) -> None:
        """Mark it as being filled."""
        await self._write(_mark, True)

    async def finish(self) -> None:
        """Take the mark away."""
        await self._write(_mark, False)

    async def is_empty(self) -> bool:
        """Whether nothing was ever kept."""
        (kept,) = await self._read(lambda db: db.execute(_EVER_KEPT).fetchone())
        return not kept


def _mark(db: sqlite3.Connection, is_begun: bool) -> None:
    if is_begun:
        db.execute("REPLACE INTO property VALUES ('importing', '')")
    else:
        db.execute("DELETE FROM property WHERE name = 'importing'")


async def _in_thread(call: Callable[..., Any], *arguments: object) -> Any:
    """The result of a call that waits for the disk. Raises WebchatError(UNAVAILABLE)."""
    try:
        return await asyncio.to_thread(call, *arguments)
    except sqlite3.Error as error:
        raise not_answering() from error
