"""All that a PostgreSQL store keeps, as records: read as of one moment, written page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any, Final, NamedTuple

import msgspec

from webchat.adapters.postgresql.accounts import PROFILE_COLUMNS, profile_of
from webchat.adapters.postgresql.connections import Connection, Connections, Servers
from webchat.adapters.postgresql.failures import refusal
from webchat.adapters.postgresql.restoring import RESTORES
from webchat.adapters.postgresql.values import GROUP_COLUMNS, entry_of, group_of
from webchat.errors import WebchatError
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


class _Kind(NamedTuple):
    """A query that gives all rows in order, and what a row is as a record."""

    query: str
    record: Callable[[Row], Record]


_PAGE: Final = 500


def _entry(row: Row) -> Record:
    conv, members_seq, *columns = row
    return EntryRecord(entry_of(conv, columns), members_seq)


def _reaction(row: Row) -> Record:
    conv, seq, uid, by, body = row
    return ReactionRecord(conv, seq, uid, by, body.decode())


def _account(row: Row) -> Record:
    *profile, password_hash, saved_at = row
    return AccountRecord(profile_of(profile), password_hash, saved_at)


def _held(row: Row) -> Record:
    conv, kind, uid, msg_id, envelope, at = row
    return HeldRecord(conv, Draft(kind, uid, msg_id.decode(), envelope), at)


_KINDS: Final = (
    _Kind(
        """SELECT log.name, entry.members_seq, seq, entry.n, entry.at, kind, sender, msg_id,
        envelope FROM entry JOIN log ON log.id = entry.log ORDER BY entry.log, seq""",
        _entry,
    ),
    _Kind(
        """SELECT log.name, seq, uid, cause, body FROM reaction JOIN log ON log.id = log
        ORDER BY log, seq, uid""",
        _reaction,
    ),
    _Kind(
        """SELECT log.name, uid, since, until, role FROM member JOIN log ON log.id = log
        ORDER BY log, uid, since""",
        lambda row: MemberRecord(Membership(*row)),
    ),
    _Kind(
        f"SELECT {GROUP_COLUMNS} FROM chat_group JOIN log ON log.id = log ORDER BY log",  # noqa: S608
        lambda row: GroupRecord(group_of(row)),
    ),
    _Kind(
        """SELECT log.name, uid, delivered, displayed, position.n
        FROM position JOIN log ON log.id = log ORDER BY log, uid""",
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
_BEGUN: Final = """
    INSERT INTO property VALUES ('importing', '') ON CONFLICT (name) DO NOTHING"""
_DONE: Final = "DELETE FROM property WHERE name IN ('importing', 'imported')"
# Receipts and held messages have no key to be known by: a page is known by all that is in it.
_IS_ANOTHER: Final = """
    INSERT INTO property VALUES ('imported', $1) ON CONFLICT (name)
    DO UPDATE SET value = excluded.value WHERE property.value <> excluded.value RETURNING 1"""
_EVER_KEPT: Final = """
    SELECT EXISTS (SELECT 1 FROM log) OR EXISTS (SELECT 1 FROM given_uid)
    OR EXISTS (SELECT 1 FROM held_message) OR EXISTS (SELECT 1 FROM kept_receipt)
    OR EXISTS (SELECT 1 FROM login) OR EXISTS (SELECT 1 FROM invite_link)"""


class PostgresTransfer:
    """Reading all of a store, filling an empty one. See `ports/transfer.py`."""

    def __init__(self, servers: Servers, connections: Connections) -> None:
        self._servers = servers
        self._connections = connections

    async def records(self) -> AsyncIterator[Record]:
        """All that is kept, as of the moment of the first one, on a connection of its own."""
        async with self._snapshot() as connection:
            for kind in _KINDS:
                cursor = await connection.cursor(kind.query)
                while rows := await cursor.fetch(_PAGE):
                    for row in rows:
                        yield kind.record(row)

    async def restore(self, records: Sequence[Record]) -> None:
        """Write a page in one transaction, unless it is the one that was written last."""
        digest = blake2b(msgspec.json.encode(records)).hexdigest()

        async def run(connection: Connection) -> None:
            if not await connection.fetch(_IS_ANOTHER, digest):
                return
            for kind, write in RESTORES.items():
                if page := [each for each in records if isinstance(each, kind)]:
                    await write(connection, page)

        await self._connections.transact(run)

    async def begin(self) -> None:
        """Mark it as being filled."""
        await self._connections.execute(_BEGUN)

    async def finish(self) -> None:
        """Take the mark away."""
        await self._connections.execute(_DONE)

    async def is_empty(self) -> bool:
        """Whether nothing was ever kept."""
        rows = await self._connections.fetch(_EVER_KEPT)
        return not rows[0][0]

    @asynccontextmanager
    async def _snapshot(self) -> AsyncIterator[Connection]:
        """A connection that sees one moment, for as long as its reader takes."""
        connection = None
        try:
            connection = await self._servers.connect()
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                await connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
                await connection.execute("SET LOCAL statement_timeout = 0")
                # All rows are read, in the order of a key.
                await connection.execute("SET LOCAL enable_seqscan = on")
                yield connection
        except (GeneratorExit, WebchatError):
            raise
        except Exception as error:
            raise refusal(error) from error
        finally:
            if connection is not None:
                connection.terminate()
