"""Threads for reads, each with a connection of its own, so that no read waits behind a commit."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import Final, Protocol, TypeVar

from webchat.adapters.sqlite import journal
from webchat.adapters.sqlite.writer import Writer
from webchat.errors import Code, WebchatError

R = TypeVar("R")

MAX_INTEGER: Final = 2**63 - 1
LAST_CHARACTER: Final = "\U0010ffff"
"""After a prefix: where the texts that begin with it end."""


class Reader:
    """A read sees everything that was committed before it began."""

    def __init__(self, connections: list[sqlite3.Connection]) -> None:
        self._connections = connections
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        for connection in connections:
            self._idle.put(connection)
        self._threads = ThreadPoolExecutor(len(connections), "sqlite-reader")

    async def read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`, run on a thread. Raises WebchatError(UNAVAILABLE)."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, query)
        except (sqlite3.Error, RuntimeError) as error:
            # RuntimeError: the threads were shut down.
            raise WebchatError(Code.UNAVAILABLE, "the store is not answering") from error

    def close(self) -> None:
        """Wait for the reads that run, then let go of the connections."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()

    def _run(self, query: Callable[[sqlite3.Connection], R]) -> R:
        # There are as many connections as threads, so one is idle.
        connection = self._idle.get()
        try:
            return query(connection)
        finally:
            self._idle.put(connection)


class Reading(Protocol):
    """Whatever answers queries: a Reader, or one that does something first."""

    async def read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`. Raises WebchatError(UNAVAILABLE)."""


class SettledReader:
    """Reads of logs and positions beside a process that serves the file.

    Before each, what that process has put into the journal goes into the tables.
    """

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`, run on a thread. Raises WebchatError(UNAVAILABLE)."""
        if not await self._reader.read(journal.is_empty):
            # Whatever this writer does begins with it.
            await self._writer.write(_nothing, None)
        return await self._reader.read(query)


def _nothing(db: sqlite3.Connection, _: None) -> None:
    pass


def bounded(number: int) -> int:
    """`number` as SQLite can hold it; any `Seq` or count beyond means the same as the largest."""
    return max(-1, min(number, MAX_INTEGER))


def as_list(values: Iterable[str | int]) -> str:
    """A list as one parameter of a query: `IN (SELECT value FROM json_each(?))`."""
    return json.dumps(list(values))
