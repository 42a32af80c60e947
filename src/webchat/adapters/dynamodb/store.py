"""A store in one table of DynamoDB, or of an engine that speaks its API; any number of nodes."""

from __future__ import annotations

import logging
from typing import Final

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.accounts import DynamoAccounts
from webchat.adapters.dynamodb.answering import Answering
from webchat.adapters.dynamodb.client import DynamoTable, NoSuchTableError
from webchat.adapters.dynamodb.directory import PublicGroups
from webchat.adapters.dynamodb.followers import Followers
from webchat.adapters.dynamodb.held import DynamoHeld
from webchat.adapters.dynamodb.invitations import DynamoInvitations
from webchat.adapters.dynamodb.kept import DynamoKeptReceipts
from webchat.adapters.dynamodb.links import DynamoInviteLinks
from webchat.adapters.dynamodb.log import DynamoLog
from webchat.adapters.dynamodb.logins import DynamoLogins
from webchat.adapters.dynamodb.marks import MarkSweep
from webchat.adapters.dynamodb.members import DynamoMembers
from webchat.adapters.dynamodb.nodes import DynamoNodes
from webchat.adapters.dynamodb.positions import DynamoPositions
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.restoring import Restoring
from webchat.adapters.dynamodb.rows import RowCache
from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import ABSENT, Failed, Item, Key, Table
from webchat.adapters.dynamodb.transfer import DynamoTransfer
from webchat.adapters.dynamodb.writer import LogWriter
from webchat.errors import WebchatError
from webchat.ports.accounts import Accounts, Logins
from webchat.ports.clock import Clock
from webchat.ports.following import Following, FollowingInTurn
from webchat.ports.held import Held
from webchat.ports.invitations import Invitations
from webchat.ports.kept import KeptReceipts
from webchat.ports.links import InviteLinks
from webchat.ports.log import Log
from webchat.ports.members import Members
from webchat.ports.nodes import Nodes
from webchat.ports.positions import Positions
from webchat.ports.store import UNFINISHED_IMPORT, Mode, StoreRefused, made_in_other_mode
from webchat.ports.transfer import Transfer
from webchat.urls import shown

VERSION: Final = 1
"""A table of the next one is served, too: what that has added stays as it is."""
_SCHEMA: Final = Key(keys.META, "schema")
_PROBE: Final[Item] = {"pk": keys.META, "sk": "probe"}
_log = logging.getLogger(__name__)


class DynamoPorts:
    """All ports on a `Table`, over the network or not; nothing is asked of it before it is used."""

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

    def __init__(self, table: Table, settings: DynamoSettings, clock: Clock) -> None:
        self._table = steady = SteadyTable(table, settings, clock)
        reader = LogReader(steady)
        groups = PublicGroups(steady)
        rows = RowCache(settings.max_positions)
        self._writer = writer = LogWriter(steady, reader, rows, settings, clock)
        self._followers = followers = Followers(
            steady, reader, groups, writer.append_inner, settings.head_bytes
        )
        accounts = DynamoAccounts(steady, clock)
        parallel = settings.parallel
        self._positions = DynamoPositions(steady, reader, writer, accounts, rows, parallel)
        writer.answer_by(Answering(writer, followers, reader, self._positions))
        self._marks = MarkSweep(steady, writer.finish_marks, settings, clock)
        self.log = DynamoLog(steady, reader, writer)
        self.members = DynamoMembers(steady, reader, followers, groups)
        self.following = FollowingInTurn(self.log, self.members)
        self.positions = self._positions
        self.accounts = accounts
        logins = DynamoLogins(steady, clock)
        self.logins = logins
        self.kept = DynamoKeptReceipts(steady)
        self.held = DynamoHeld(steady)
        self.invitations = DynamoInvitations(steady, reader, followers.finish_rows)
        self.links = DynamoInviteLinks(steady)
        self.nodes = DynamoNodes(steady)
        restoring = Restoring(steady, reader, settings, accounts, logins)
        self.transfer = DynamoTransfer(steady, reader, restoring, writer.finish_marks)

    async def take_mode(self, mode: Mode, name: str) -> None:
        """Keep the mode of a new store. Raises StoreRefused: another mode, or another schema."""
        fresh: Item = {**_SCHEMA._asdict(), "ver": VERSION, "mode": mode}
        kept = fresh if await self._table.put_if(fresh, ABSENT) else await self._table.get(_SCHEMA)
        _check_version(name, int(kept["ver"]) if kept else 0)
        if kept is not None and kept["mode"] != mode:
            raise made_in_other_mode(name, str(kept["mode"]), mode, "another table")
        if await self._table.get(keys.IMPORTING) is not None:
            raise StoreRefused(
                f"{name} {UNFINISHED_IMPORT}: delete this table and import into a new one"
            )

    def start(self) -> None:
        """Begin to finish what dead nodes left."""
        self._marks.start()

    async def finish_left_behind(self) -> None:
        """Look once for marks, and finish those seen for long enough. Raises UNAVAILABLE."""
        await self._marks.sweep()

    async def trouble(self) -> str:
        """Why reads do not answer; or writes, if the last append failed; "": they do."""
        try:
            kept = await self._table.get(_SCHEMA)
            if self._writer.is_failing:
                await self._table.put(_PROBE)
        except WebchatError as error:
            return error.why
        return "" if kept else "the table was emptied"

    async def stop(self) -> None:
        """Finish what is queued."""
        await self._marks.stop()
        await self._positions.close()
        await self._writer.close()
        await self._followers.close()


class DynamoStore(DynamoPorts):
    """The ports on a table over the network; usable between `open` and `close`."""

    def __init__(self, settings: DynamoSettings, clock: Clock) -> None:
        self._client = DynamoTable(settings)
        self._settings = settings
        super().__init__(self._client, settings, clock)

    async def init(self) -> None:
        """Make the table with all it needs, unless it is there. Raises StoreRefused."""
        try:
            await self._client.open()
            try:
                await self._client.create()
            finally:
                await self._client.close()
        except Failed as failure:
            raise self._refused(failure) from failure

    async def open(self, mode: Mode) -> None:
        """Be ready. Raises StoreRefused: no table, no access, another mode or schema."""
        try:
            await self._client.open()
            try:
                await self._check_table()
                await self.take_mode(mode, self._name)
            except BaseException:
                await self._client.close()
                raise
        except Failed as failure:
            raise self._refused(failure) from failure
        except WebchatError as error:
            raise StoreRefused(f"{self._name}: {error.message} ({error.__cause__})") from error
        self.start()

    async def close(self) -> None:
        """Finish what is queued, then let go of the connections."""
        await self.stop()
        await self._client.close()

    @property
    def client(self) -> DynamoTable:
        """The table itself, so that units can be counted."""
        return self._client

    @property
    def _name(self) -> str:
        settings = self._settings
        where = f" at {shown(settings.endpoint)}" if settings.endpoint else ""
        return f"the DynamoDB table {settings.table} in {settings.region}{where}"

    async def _check_table(self) -> None:
        table = await self._client.describe()
        if table["TableStatus"] not in ("ACTIVE", "UPDATING"):
            raise StoreRefused(f"{self._name} is {table['TableStatus'].lower()}: try again later")
        attributes = [each["AttributeName"] for each in table["KeySchema"]]
        indexes = [each["IndexName"] for each in table.get("GlobalSecondaryIndexes", ())]
        if attributes != ["pk", "sk"] or "marks" not in indexes:
            raise StoreRefused(f"{self._name} is not one of webchat's: name another table")

    def _refused(self, failure: Failed) -> StoreRefused:
        if isinstance(failure, NoSuchTableError):
            init = f"webchat store init --store {self._url}"
            return StoreRefused(f"{self._name} does not exist: run {init}")
        if failure.may_help:
            return StoreRefused(f"{self._name} cannot be reached: {failure}")
        return StoreRefused(f"{self._name} refuses: {failure}")

    @property
    def _url(self) -> str:
        settings = self._settings
        endpoint = f"?endpoint={shown(settings.endpoint)}" if settings.endpoint else ""
        return f"dynamodb://{settings.region}/{settings.table}{endpoint}"


def _check_version(name: str, version: int) -> None:
    if version > VERSION + 1:
        raise StoreRefused(
            f"{name} was made by a newer webchat (schema {version}): update this one"
        )
    if version > VERSION:
        _log.warning("%s is ready for the next version of webchat, which is to serve it", name)
    if version < VERSION:
        raise StoreRefused(f"{name} has the schema {version}, older than this webchat can read")
