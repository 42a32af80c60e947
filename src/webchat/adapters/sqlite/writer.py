"""The one thread that writes: what was queued since its last commit becomes one transaction.

Knows nothing of what is written. No task and no future per write: `done` calls of a batch are
delivered to the event loop together.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, NamedTuple, TypeVar

from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.errors import Code, MembersChanged, WebchatError

A = TypeVar("A")
R = TypeVar("R")

Act = Callable[[sqlite3.Connection, A], R]
"""A write inside the batch's transaction. It may refuse (WebchatError, MembersChanged), but only
before it wrote anything: there is no savepoint around it."""


_DEFECTS: Final = (
    sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
)  # fmt: skip
"""Errors of SQLite that are the act's own, not the file's."""


class _Write(NamedTuple):
    act: Act[Any, Any]
    argument: Any
    done: Callable[[Any], None]


_Batch = list[_Write]


class Writer:
    """Runs acts in order, in transactions, on `db`, which it owns from then on.

    On the writer's thread `finish` is called in each transaction, last before its commit, and
    `forget` when what acts remember of the file may no longer hold: a batch was rolled back, or
    another process wrote.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        settings: SqliteSettings,
        finish: Callable[[sqlite3.Connection], None],
        forget: Callable[[], None],
    ) -> None:
        self._db = db
        self._settings = settings
        self._finish = finish
        self._forget = forget
        self._loop = asyncio.get_running_loop()
        self._turn: _Batch = []
        self._handed: SimpleQueue[_Batch | None] = SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._data_version = 0
        self.is_failing = False
        """The newest batch could not be committed."""
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, act: Act[A, R], argument: A, done: Callable[[R | Exception], None]) -> None:
        """Queue `act(db, argument)`; `done` gets its result, or why not, on the loop's thread.

        In the order of `submit`, never from inside; durable when told. Beyond `max_waiting`, or
        closed: WebchatError(UNAVAILABLE).
        """
        if self._closed or self._waiting >= self._settings.max_waiting:
            self._loop.call_soon(
                done, _error(Code.UNAVAILABLE, "the store is too busy, or closing")
            )
            return
        self._waiting += 1
        if not self._turn:
            self._loop.call_soon(self._hand_over)
        self._turn.append(_Write(act, argument, done))

    async def write(self, act: Act[A, R], argument: A) -> R:
        """The result of `act(db, argument)`, once durable. Raises what it refuses with."""
        future: asyncio.Future[R] = self._loop.create_future()

        def done(outcome: R | Exception) -> None:
            if future.done():
                return
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        self.submit(act, argument, done)
        return await future

    async def close(self) -> None:
        """Finish what is queued, then let go of the connection."""
        self._closed = True
        self._hand_over()
        self._handed.put(None)
        await self._loop.run_in_executor(None, self._thread.join)

    def _hand_over(self) -> None:
        """Give the writer all of a loop turn at once: it wakes once, and commits once."""
        if self._turn:
            batch, self._turn = self._turn, []
            self._handed.put(batch)

    def _deliver(self, batch: _Batch, outcomes: list[object]) -> None:
        self._waiting -= len(batch)
        for write, outcome in zip(batch, outcomes, strict=True):
            try:
                write.done(outcome)
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": "a store's `done` call failed", "exception": error}
                )

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            outcomes = self._commit(batch)
            # The loop may be closed already when the process is being torn down.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver, batch, outcomes)
        self._db.close()

    def _next_batch(self) -> _Batch | None:
        """All that waits, up to about `max_batch` writes; None: closed and nothing left."""
        batch = self._handed.get()
        if batch is None:
            return None
        if self._settings.gather_ms:
            time.sleep(self._settings.gather_ms / 1000)
        with suppress(Empty):
            while len(batch) < self._settings.max_batch:
                more = self._handed.get_nowait()
                if more is None:
                    self._handed.put(None)
                    break
                batch += more
        return batch

    def _commit(self, batch: _Batch) -> list[object]:
        """The outcome of each write: all of them durable or refused, or none of them done."""
        failed: dict[int, Exception] = {}
        while True:
            try:
                outcomes = self._transact(batch, failed)
            except _ActFailed as failure:
                # A defect in one act: the others are done without it.
                self._roll_back(failure.cause)
                failed[failure.index] = _error(Code.INTERNAL, "a write failed", failure.cause)
            except sqlite3.Error as error:
                self._roll_back(error)
                self.is_failing = True
                return [_error(Code.UNAVAILABLE, "the store is not answering", error)] * len(batch)
            else:
                self.is_failing = False
                return outcomes

    def _transact(self, batch: _Batch, failed: dict[int, Exception]) -> list[object]:
        self._db.execute("BEGIN IMMEDIATE")
        self._notice_other_writers()
        outcomes: list[object] = []
        for index, (act, argument, _) in enumerate(batch):
            try:
                outcomes.append(failed.get(index) or act(self._db, argument))
            except (WebchatError, MembersChanged) as refusal:
                outcomes.append(refusal)
            except Exception as error:
                if isinstance(error, sqlite3.Error) and not isinstance(error, _DEFECTS):
                    raise
                raise _ActFailed(index, error) from error
        self._finish(self._db)
        self._db.execute("COMMIT")
        return outcomes

    def _notice_other_writers(self) -> None:
        (data_version,) = self._db.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version:
            self._data_version = data_version
            self._forget()

    def _roll_back(self, error: Exception) -> None:
        logging.getLogger(__name__).error("a batch was rolled back", exc_info=error)
        self._forget()
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")


class _ActFailed(Exception):  # noqa: N818
    """Something other than SQLite or a refusal came out of the act at `index` of the batch."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(index)
        self.index = index
        self.cause = cause


def _error(code: Code, message: str, cause: Exception | None = None) -> WebchatError:
    error = WebchatError(code, message)
    error.__cause__ = cause
    return error
