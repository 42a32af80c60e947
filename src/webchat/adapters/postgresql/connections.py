"""Connections to one database: few, kept, given to one act at a time, made again when lost.

Knows nothing of what is asked on them. A pool that resets each connection after use would cost
every read a second round trip; here nothing is set that would have to be reset.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import asyncpg

from webchat.adapters.postgresql.address import each_server, server_asked_for
from webchat.adapters.postgresql.failures import NOT_ANSWERING, is_broken_off, is_lost, refusal
from webchat.adapters.postgresql.settings import PostgresSettings
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.ports.clock import Clock

R = TypeVar("R")
Connection = Any
"""An asyncpg.Connection; asyncpg has no types."""

SCHEMA: Final = "webchat"


_NOT_SERVING: Final = (
    OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError,
    asyncpg.TargetServerAttributeNotMatched,
)  # fmt: skip
"""What a server fails with that may have left the service to another."""


class Servers:
    """Those that `url` names, of which one serves; the one that did last is asked first."""

    def __init__(self, url: str, settings: PostgresSettings) -> None:
        self._url = url
        self._settings = settings
        self._first = 0

    async def connect(self) -> Connection:
        """A connection that commits when told, durably, and reads what was committed last.

        A server that says nothing takes its share of `connect_timeout_ms`, and no more. Raises what
        asyncpg raises.
        """
        urls = each_server(self._url)
        failures: list[Exception] = []
        for place in [*range(self._first, len(urls)), *range(self._first)]:
            try:
                connection = await _connect(urls[place], self._settings, len(urls))
            except _NOT_SERVING as failure:
                failures.append(failure)
            else:
                self._first = place
                return connection
        # That one is a standby says nothing of why the primary is not there.
        raise min(failures, key=lambda it: isinstance(it, asyncpg.TargetServerAttributeNotMatched))


async def _connect(url: str, settings: PostgresSettings, servers: int) -> Connection:
    return await asyncpg.connect(
        url,
        target_session_attrs=server_asked_for(url),
        timeout=settings.connect_timeout_ms / 1000 / servers,
        server_settings={
            "application_name": "webchat",
            "search_path": SCHEMA,
            "synchronous_commit": "on",
            "statement_timeout": str(settings.statement_timeout_ms),
            "idle_in_transaction_session_timeout": str(settings.idle_transaction_timeout_ms),
            # Firewalls on the way forget connections that say nothing.
            "tcp_keepalives_idle": str(settings.keepalive_idle_s),
            "tcp_keepalives_interval": str(settings.keepalive_interval_s),
            # Every question is a few looks into an index. These keep the planner from planning
            # each anew, and from reading tables whole that were small when it last counted: to
            # look at a row is what costs.
            "plan_cache_mode": "force_generic_plan",
            "cpu_tuple_cost": "1",
            "enable_seqscan": "off",
            "jit": "off",
        },
    )


class Connections:
    """Up to `size` connections to `servers`. While none can be reached, acts fail at once."""

    def __init__(
        self, servers: Servers, settings: PostgresSettings, clock: Clock, size: int
    ) -> None:
        self._servers = servers
        self._settings = settings
        self._clock = clock
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._pause_ms = 0
        self._try_again_at_s = 0.0
        self._failure: Exception | None = None

    async def run(self, act: Callable[[Connection], Awaitable[R]]) -> R:
        """The result of `act` on a connection of its own, within `statement_timeout_ms`.

        Raises what `act` refuses with; UNAVAILABLE, where it is not known what was done; and what
        is a defect, as it came. Tries again what the database broke off.
        """
        for attempt in range(1, self._settings.max_attempts + 1):
            try:
                async with asyncio.timeout(self._settings.statement_timeout_ms / 1000), self._free:
                    return await self._run(act)
            except Exception as error:
                if is_broken_off(error) and attempt < self._settings.max_attempts:
                    continue
                if is_lost(error) or is_broken_off(error):
                    raise refusal(error) from error
                raise
        raise AssertionError("unreachable")

    async def ask(self, act: Callable[[Connection], Awaitable[R]]) -> R:
        """As `run`, but what is a defect is a WebchatError, too."""
        try:
            return await self.run(act)
        except (WebchatError, MembersChanged):
            raise
        except Exception as error:
            raise refusal(error) from error

    async def fetch(self, query: str, *values: object) -> list[Any]:
        """The rows of one query, by `ask`."""
        return await self.ask(lambda connection: connection.fetch(query, *values))

    async def execute(self, query: str, *values: object) -> int:
        """How many rows one statement wrote, durably, by `ask`."""
        status = await self.ask(lambda connection: _execute(connection, query, values))
        count = status.rpartition(" ")[2]
        return int(count) if count.isdigit() else 0

    async def transact(self, act: Callable[[Connection], Awaitable[R]]) -> R:
        """The result of `act` in a transaction, by `ask`."""
        return await self.ask(lambda connection: in_transaction(connection, act))

    async def close(self) -> None:
        """Let go of the idle connections; none may be in use."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await _close(connection, self._settings.connect_timeout_ms / 1000)

    async def _run(self, act: Callable[[Connection], Awaitable[R]]) -> R:
        connection = await self._take()
        try:
            result = await act(connection)
        except BaseException as error:
            if _is_usable(connection, error):
                self._idle.append(connection)
            else:
                connection.terminate()
            raise
        self._idle.append(connection)
        return result

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        if self._clock.monotonic_s() < self._try_again_at_s:
            raise WebchatError(Code.UNAVAILABLE, NOT_ANSWERING) from self._failure
        try:
            connection = await self._servers.connect()
        except Exception as error:
            self._put_off(error)
            raise
        self._pause_ms = 0
        self._failure = None
        return connection

    def _put_off(self, error: Exception) -> None:
        """Wait before the next attempt, longer each time; until then acts fail with what this one
        failed with."""
        self._failure = error
        least, most = self._settings.reconnect_min_ms, self._settings.reconnect_max_ms
        self._pause_ms = min(max(2 * self._pause_ms, least), most)
        self._try_again_at_s = self._clock.monotonic_s() + self._pause_ms / 1000


async def in_transaction(connection: Connection, act: Callable[[Connection], Awaitable[R]]) -> R:
    """The result of `act` in a transaction on `connection`; it is undone if `act` raises.

    If it is cancelled the connection is left as it is, to be ended: to undo it would be to wait
    once more for a database that may not answer.
    """
    transaction = connection.transaction()
    await transaction.start()
    try:
        result = await act(connection)
    except Exception:
        await transaction.rollback()
        raise
    await transaction.commit()
    return result


async def _execute(connection: Connection, query: str, values: tuple[object, ...]) -> str:
    status: str = await connection.execute(query, *values)
    return status


def _is_usable(connection: Connection, error: BaseException) -> bool:
    refused = (asyncpg.PostgresError, asyncpg.DataError, WebchatError, MembersChanged)
    return (
        isinstance(error, refused)
        and not is_lost(error)
        and not connection.is_closed()
        and not connection.is_in_transaction()
    )


async def _close(connection: Connection, timeout_s: float) -> None:
    try:
        await connection.close(timeout=timeout_s)
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresError):
        connection.terminate()
