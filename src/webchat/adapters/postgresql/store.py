"""A store in a PostgreSQL database, which any number of nodes share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from webchat.adapters.postgresql import schema
from webchat.adapters.postgresql.accounts import PostgresAccounts
from webchat.adapters.postgresql.address import masked, refusing
from webchat.adapters.postgresql.appends import Appends
from webchat.adapters.postgresql.connections import Connection, Connections, Servers
from webchat.adapters.postgresql.conversations import PostgresLog, PostgresMembers
from webchat.adapters.postgresql.following import PostgresFollowing
from webchat.adapters.postgresql.held import PostgresHeld
from webchat.adapters.postgresql.invitations import PostgresInvitations
from webchat.adapters.postgresql.kept import PostgresKeptReceipts
from webchat.adapters.postgresql.links import PostgresInviteLinks
from webchat.adapters.postgresql.logins import PostgresLogins
from webchat.adapters.postgresql.nodes import PostgresNodes
from webchat.adapters.postgresql.positions import PostgresPositions
from webchat.adapters.postgresql.settings import PostgresSettings
from webchat.adapters.postgresql.transfer import PostgresTransfer
from webchat.adapters.postgresql.writer import Writer
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
from webchat.ports.store import Mode
from webchat.ports.transfer import Transfer

_PROBE = "UPDATE property SET value = value WHERE name = 'mode'"


class PostgresStore:
    """All ports on the database at `url`; usable between `open` and `close`.

    `url`: postgresql://USER[:PASSWORD]@HOST[:PORT]/DATABASE, with further hosts behind commas, and
    with libpq's `sslmode` and the like; a password may come from PGPASSWORD or a passfile, too.
    Durable: a commit is synced to the disk (`synchronous_commit`) before anybody is told.
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

    def __init__(self, url: str, settings: PostgresSettings, clock: Clock) -> None:
        self._url = url
        self._settings = settings
        self._clock = clock
        self._servers = Servers(url, settings)

    async def init(self) -> None:
        """Make the tables, or bring older ones up to date. Raises StoreRefused."""
        async with self._connected() as connection:
            await schema.migrate(connection, masked(self._url))

    async def open(self, mode: Mode) -> None:
        """Connect. Raises StoreRefused: out of reach, not made ready by `init`, another mode."""
        async with self._connected() as connection:
            shown = masked(self._url)
            schema.check_version(await schema.version(connection), shown)
            await schema.settle_mode(connection, mode, shown)
        settings = self._settings
        self._for_writes = self._connections(1)
        self._for_others = others = self._connections(settings.read_connections)
        self._appends = Appends(self._for_writes, self._clock, settings.max_known_logs)
        self._writer = writer = Writer(
            self._appends.commit, max_batch=settings.max_batch, max_waiting=settings.max_waiting
        )
        self.log = PostgresLog(writer, others)
        self.members = PostgresMembers(others)
        self.following = PostgresFollowing(others)
        self.positions = PostgresPositions(writer, others)
        self.accounts = PostgresAccounts(others)
        self.logins = PostgresLogins(others, self._clock)
        self.kept = PostgresKeptReceipts(others)
        self.held = PostgresHeld(others)
        self.invitations = PostgresInvitations(others)
        self.links = PostgresInviteLinks(others)
        self.nodes = PostgresNodes(others)
        self.transfer = PostgresTransfer(self._servers, others)

    async def trouble(self) -> str:
        """Why reads do not answer; or writes, if the last one failed."""
        try:
            await self._for_others.fetch("SELECT value FROM property WHERE name = 'mode'")
            if self._appends.is_failing:
                await self._for_others.execute(_PROBE)
        except WebchatError as error:
            return error.why
        return ""

    async def close(self) -> None:
        """Finish what is queued, then let go of the connections."""
        await self._writer.close()
        await self._for_writes.close()
        await self._for_others.close()

    def _connections(self, size: int) -> Connections:
        return Connections(self._servers, self._settings, self._clock, size)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Connection]:
        """A connection for a moment. Raises StoreRefused, whatever goes wrong on it."""
        with refusing(self._url):
            connection = await self._servers.connect()
            try:
                yield connection
            finally:
                connection.terminate()
