"""Reads: by threads, each with a connection of its own, so that none waits behind a commit; and
brief ones by the event loop's thread itself, since there and back between threads costs more."""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import Any, Final, Protocol, TypeVar

from webchat.adapters.sqlite import journal
from webchat.adapters.sqlite.damage import is_damage
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.adapters.sqlite.writer import Writer
from webchat.errors import Code, WebchatError

R = TypeVar("R")
_Asked = tuple[Callable[[sqlite3.Connection], Any], "asyncio.Future[Any]"]

_SAY_EVERY_S: Final = 60.0
_RESTS: Final = 100
"""After a slow brief read the loop makes none for so many times as long: a disk that has to seek
takes a hundredth of its time at most."""
MAX_INTEGER: Final = 2**63 - 1
LAST_CHARACTER: Final = "\U0010ffff"
"""After a prefix: where the texts that begin with it end."""


class Reader:
    """A read sees everything that was committed before it began.

    `own`: the connection that the loop makes brief reads with. The others are the threads', each of
    which takes one read after the other. To wake the loop costs as much as a short query, so
    answers that come while it has not taken those before wake it once. The threads are given at
    most `reads_at_once`: of more the answers would fill a whole turn of the loop, and while they
    have none they leave the interpreter to it and to the writer.
    """

    def __init__(
        self,
        own: sqlite3.Connection,
        connections: list[sqlite3.Connection],
        settings: SqliteSettings,
    ) -> None:
        self._own = own
        self._connections = connections
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._room = settings.reads_at_once
        self._briefs = 0
        self._brief_from_s = 0.0
        self._waiting: deque[_Asked] = deque()
        self._asked: SimpleQueue[_Asked | None] = SimpleQueue()
        self._answered: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        self._is_telling = False
        self._is_closed = False
        self._say_from_s = 0.0
        self._closing = threading.Lock()  # No read is asked for behind the threads' end.
        self._threads = [
            threading.Thread(target=self._serve, args=(each,), name="sqlite-reader", daemon=True)
            for each in connections
        ]
        for thread in self._threads:
            thread.start()

    async def read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`, run on a thread. Raises WebchatError(UNAVAILABLE)."""
        done: asyncio.Future[R] = self._loop.create_future()
        with self._closing:
            if self._is_closed:
                raise not_answering()
            self._waiting.append((query, done))
            self._hand_over()
        try:
            return await done
        except sqlite3.Error as error:
            self._say(error)
            raise not_answering() from error

    async def brief(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`, which touches a few rows. Raises WebchatError(UNAVAILABLE)."""
        began_s = time.monotonic()
        if self._briefs >= self._settings.brief_reads or began_s < self._brief_from_s:
            return await self.read(query)
        if not self._briefs:
            self._loop.call_soon(self._next_turn)
        self._briefs += 1
        with self._closing:
            if self._is_closed:
                raise not_answering()
            try:
                return query(self._own)
            except sqlite3.Error:
                pass  # It may be that the file is locked: the threads wait for that.
            finally:
                took_s = time.monotonic() - began_s
                if took_s >= self._settings.slow_read_ms / 1000:
                    self._brief_from_s = began_s + _RESTS * took_s
        return await self.read(query)

    def _next_turn(self) -> None:
        self._briefs = 0

    def _say(self, error: sqlite3.Error) -> None:
        """At most once a minute: a damaged page may be asked for again and again."""
        now_s = time.monotonic()
        if now_s >= self._say_from_s:
            self._say_from_s = now_s + _SAY_EVERY_S
            logging.getLogger(__name__).error("the store cannot be read: %s", error)

    def close(self) -> None:
        """Wait for the reads that were asked for, then let go of the connections."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            self._room += len(self._waiting)
            self._hand_over()
            for _ in self._threads:
                self._asked.put(None)
        for thread in self._threads:
            thread.join()
        for connection in (self._own, *self._connections):
            connection.close()

    def _hand_over(self) -> None:
        """Give the threads what there is room for; with `_closing` held."""
        while self._waiting and self._room:
            self._room -= 1
            self._asked.put(self._waiting.popleft())

    def _serve(self, connection: sqlite3.Connection) -> None:
        """What a thread does until it is told to end."""
        while (asked := self._asked.get()) is not None:
            query, done = asked
            try:
                self._answered.append((done, query(connection), None))
            except BaseException as error:
                self._answered.append((done, None, error))
            if not self._is_telling:
                self._is_telling = True
                try:  # noqa: SIM105  # A context manager is three calls more.
                    self._loop.call_soon_threadsafe(self._tell)
                except RuntimeError:
                    pass  # The loop has ended.

    def _tell(self) -> None:
        # First: what a thread adds from here on without a call of its own is taken below.
        self._is_telling = False
        while self._answered:
            done, result, error = self._answered.popleft()
            self._room += 1
            if done.done():
                continue
            if error is None:
                done.set_result(result)
            else:
                done.set_exception(error)
        if self._waiting:
            with self._closing:
                self._hand_over()


class Reading(Protocol):
    """Whatever answers queries: a Reader, or one that does something first."""

    async def brief(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`, which touches a few rows. Raises WebchatError(UNAVAILABLE)."""

    async def read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`. Raises WebchatError(UNAVAILABLE)."""


async def first_row(reader: Reading, query: str, parameters: tuple[object, ...]) -> Any:
    """The first row of a query that touches few; None: there is none. Raises
    WebchatError(UNAVAILABLE)."""
    return await reader.brief(lambda db: db.execute(query, parameters).fetchone())


async def around_damage(
    reader: Reading,
    query: Callable[[sqlite3.Connection], R],
    less: Callable[[sqlite3.Connection], R],
) -> R:
    """The result of `query`, or where that meets a damaged page, of `less`, which needs fewer.
    Raises WebchatError(UNAVAILABLE)."""
    try:
        return await reader.read(query)
    except WebchatError as error:
        if not is_damage(error.__cause__):
            raise
    return await reader.read(less)


class SettledReader:
    """Reads of logs and positions beside a process that serves the file.

    Before each, what that process has put into the journal goes into the tables.
    """

    def __init__(self, reader: Reader, writer: Writer) -> None:
        self._reader = reader
        self._writer = writer

    async def brief(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`. Raises WebchatError(UNAVAILABLE)."""
        return await self.read(query)

    async def read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        """The result of `query`, run on a thread. Raises WebchatError(UNAVAILABLE)."""
        if not await self._reader.read(journal.is_empty):
            # Whatever this writer does begins with it.
            await self._writer.write(_nothing, None)
        return await self._reader.read(query)


def not_answering() -> WebchatError:
    """What a failed read is told as."""
    return WebchatError(Code.UNAVAILABLE, "the store is not answering")


def _nothing(db: sqlite3.Connection, _: None) -> None:
    pass


def bounded(number: int) -> int:
    """`number` as SQLite can hold it; any `Seq` or count beyond means the same as the largest."""
    return max(-1, min(number, MAX_INTEGER))


def as_list(values: Iterable[str | int]) -> str:
    """A list as one parameter of a query: `IN (SELECT value FROM json_each(?))`."""
    return json.dumps(list(values))
