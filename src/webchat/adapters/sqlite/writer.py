"""The one thread that writes: what was queued since its last commit becomes one transaction.

Knows nothing of what is written. No task and no future per write: `done` calls of a batch are
delivered to the event loop together. When nothing is queued it does what its memory has left over.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Final, Protocol, TypeVar

from webchat.adapters.sqlite.damage import FoldFailed, PartRefused, is_damage
from webchat.adapters.sqlite.settings import SqliteSettings
from webchat.errors import Code, MembersChanged, TooBusyError, WebchatError

A = TypeVar("A")
R = TypeVar("R")

Act = Callable[[sqlite3.Connection, A], R]
"""A write inside the batch's transaction. It may refuse (WebchatError, MembersChanged), but only
before it wrote anything: there is no savepoint around it."""


_DEFECTS: Final = (
    sqlite3.DataError, sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError,
)  # fmt: skip
"""Errors of SQLite that are the act's own, not the file's."""

_DAMAGED: Final = 8
"""So many writes of a batch may meet damaged pages, each time all the others are done anew; beyond,
the batch is committed in halves."""
_SAY_EVERY_S: Final = 60.0

_ALONE: Final = 3
"""After so many commits of one write each, whoever writes waits for its ack: nothing to gather."""

_log = logging.getLogger(__name__)

# A plain tuple: a message makes one, and a named one costs it several times as much.
_Write = tuple[Act[Any, Any], Any, Callable[[Any], None]]
"""act, argument, done."""


_Batch = list[_Write]


class Memory(Protocol):
    """What acts remember of the file from one transaction to the next; on the writer's thread."""

    def others_wrote(self, db: sqlite3.Connection) -> None:
        """Another process has written since the last transaction; within one, before `begin`."""

    def begin(self, db: sqlite3.Connection, arguments: Iterable[object]) -> None:
        """The first thing in a transaction of acts with these arguments."""

    def finish(self, db: sqlite3.Connection, *, is_idle: bool) -> None:
        """The last thing before the commit. `is_idle`: for a while there were no acts. Raises
        FoldFailed: all of it can be done once more."""

    def committed(self) -> None:
        """The transaction is durable; nobody has been told yet."""

    def rolled_back(self) -> None:
        """The transaction did nothing."""

    @property
    def is_at_rest(self) -> bool:
        """Whether `finish` has nothing to do when the writer is idle."""

    @property
    def is_learning(self) -> bool:
        """Whether `learn` has something to do."""

    def learn(self, db: sqlite3.Connection, writes: int) -> None:
        """Read a piece of the file, to remember it; after a transaction of so many writes, not
        within one. Raises nothing."""


class Writer:
    """Runs acts in order, in transactions, on `db`, which it owns from then on."""

    def __init__(self, db: sqlite3.Connection, settings: SqliteSettings, memory: Memory) -> None:
        self._db = db
        self._settings = settings
        self._memory = memory
        self._loop = asyncio.get_running_loop()
        self._turn: _Batch = []
        self._handed: SimpleQueue[_Batch | None] = SimpleQueue()
        self._waiting = 0
        self._closed = False
        self._data_version = 0
        self._began_s = 0.0
        self._alone = 0
        self._say_from_s = 0.0
        self.is_failing = False
        """The newest batch could not be committed."""
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._thread.start()

    def submit(self, act: Act[A, R], argument: A, done: Callable[[R | Exception], None]) -> None:
        """Queue `act(db, argument)`; `done` gets its result, or why not, on the loop's thread.

        In the order of `submit`, never from inside; durable when told. Beyond `max_waiting`, or
        closed: TooBusyError.
        """
        if self._closed or self._waiting >= self._settings.max_waiting:
            self._loop.call_soon(done, TooBusyError())
            return
        self._waiting += 1
        if not self._turn:
            self._loop.call_soon(self._hand_over)
        self._turn.append((act, argument, done))

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
        for (_, _, done), outcome in zip(batch, outcomes, strict=True):
            try:
                done(outcome)
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": "a store's `done` call failed", "exception": error}
                )

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            outcomes = self._commit(batch)
            try:  # noqa: SIM105  # A context manager is three calls more.
                self._loop.call_soon_threadsafe(self._deliver, batch, outcomes)
            except RuntimeError:
                pass  # The loop is closed already: the process is being torn down.
            if self._memory.is_learning:
                self._memory.learn(self._db, len(batch))
        self._come_to_rest()
        self._db.close()

    def _next_batch(self) -> _Batch | None:
        """All that waits, up to about `max_batch` writes; None: closed and nothing left."""
        self._gather()
        batch = self._first_of_batch()
        if batch is None:
            return None
        self._began_s = time.monotonic()
        while not self._handed.empty() and len(batch) < self._settings.max_batch:
            more = self._handed.get()  # at once: nobody else takes any
            if more is None:
                self._handed.put(None)
                break
            batch += more
        self._alone = self._alone + 1 if len(batch) == 1 else 0
        return batch

    def _gather(self) -> None:
        """Let commits begin `gather_ms` apart: what comes close together is committed together. Not
        if the last few were of a single write each. It comes first, so that the thread, if there is
        something then, wakes once."""
        early_s = self._began_s + self._settings.gather_ms / 1000 - time.monotonic()
        if early_s > 0 and self._alone < _ALONE:
            time.sleep(early_s)

    def _first_of_batch(self) -> _Batch | None:
        """What was handed over first; until then, work that is left over."""
        idle_s = self._settings.fold_interval_ms / 1000
        while not self._memory.is_at_rest or self._memory.is_learning:
            try:
                return self._handed.get(timeout=idle_s)
            except Empty:
                # Once begun, it goes on as long as nobody waits; a failure is tried again later.
                idle_s = 0 if self._rest() else self._settings.fold_interval_ms / 1000
        return self._handed.get()

    def _come_to_rest(self) -> None:
        """Do all that is left over, or leave it to the next who opens the file."""
        while not self._memory.is_at_rest and self._rest():
            pass

    def _rest(self) -> bool:
        """Do a piece of what is left over; False: it failed."""
        if self._memory.is_at_rest:
            self._memory.learn(self._db, 0)
            return True
        try:
            self._transact([], {}, is_idle=True)
        except FoldFailed as failure:
            self._fold_failed(failure)
            return True
        except Exception as error:
            self._cannot_write(error)
            return False
        self._can_write()
        return True

    def _commit(self, batch: _Batch) -> list[object]:
        """The outcome of each write: all of them durable or refused, or none of them done; that of
        each half, if damage is met too often, or by what is done for all of them together."""
        failed: dict[int, Exception] = {}
        while True:
            try:
                outcomes = self._transact(batch, failed)
            except _ActFailed as failure:
                # A defect in one act: the others are done without it.
                self._roll_back()
                failed[failure.index] = self._refusal(failure.cause)
            except _SomeFailed as failure:
                self._roll_back()
                if len(batch) == 1:
                    return [self._refusal(failure.cause)]
                half = len(batch) // 2
                return self._commit(batch[:half]) + self._commit(batch[half:])
            except PartRefused as failure:
                self._roll_back()
                self._say_refused(failure)
            except FoldFailed as failure:
                self._fold_failed(failure)
            except Exception as error:
                # Mostly SQLite's; the thread has to outlive any.
                self._cannot_write(error)
                return [_error(Code.UNAVAILABLE, "the store is not answering", error)] * len(batch)
            else:
                self._can_write()
                return outcomes

    def _transact(
        self, batch: _Batch, failed: dict[int, Exception], *, is_idle: bool = False
    ) -> list[object]:
        self._db.execute("BEGIN IMMEDIATE")
        self._notice_other_writers()
        try:
            self._memory.begin(self._db, [argument for _, argument, _ in batch])
        except sqlite3.Error as error:
            if is_damage(error):
                raise _SomeFailed(error) from error
            raise
        db = self._db
        outcomes: list[object] = []
        for index, (act, argument, _) in enumerate(batch):
            try:
                failure = failed.get(index) if failed else None
                outcomes.append(failure or act(db, argument))
            except (WebchatError, MembersChanged) as refusal:
                outcomes.append(refusal)
            except PartRefused:
                raise
            except Exception as error:
                is_own = isinstance(error, _DEFECTS) or not isinstance(error, sqlite3.Error)
                if not is_own:
                    if not is_damage(error):
                        raise
                    if len(failed) >= _DAMAGED:
                        raise _SomeFailed(error) from error
                raise _ActFailed(index, error) from error
        self._memory.finish(self._db, is_idle=is_idle)
        self._db.execute("COMMIT")
        self._memory.committed()
        return outcomes

    def _refusal(self, cause: Exception) -> WebchatError:
        """Of a write that failed by itself."""
        if not is_damage(cause):
            _say(logging.ERROR, "a write failed", cause)
            return _error(Code.INTERNAL, "a write failed", cause)
        self._say_refused(cause)
        return _error(Code.UNAVAILABLE, "the store is not answering", cause)

    def _say_refused(self, damage: Exception) -> None:
        """At most once a minute: a damaged page may be asked for again and again."""
        now_s = time.monotonic()
        if now_s >= self._say_from_s:
            self._say_from_s = now_s + _SAY_EVERY_S
            _say(logging.ERROR, f"a write was refused: {damage}")

    def _fold_failed(self, failure: FoldFailed) -> None:
        """No write is refused for it: the journal goes on, and grows."""
        self._roll_back()
        _say(logging.ERROR, f"the journal cannot be folded: {failure}")

    def _notice_other_writers(self) -> None:
        (data_version,) = self._db.execute("PRAGMA data_version").fetchone()
        if data_version != self._data_version:
            # In this order: if that fails, the next transaction does it.
            self._memory.others_wrote(self._db)
            self._data_version = data_version

    def _cannot_write(self, error: Exception) -> None:
        """The transaction failed. Said once, until one does not."""
        self._roll_back()
        if not self.is_failing:
            self.is_failing = True
            defect = None if isinstance(error, sqlite3.Error) else error
            _say(logging.ERROR, f"the store cannot be written: {error}", defect)

    def _can_write(self) -> None:
        if self.is_failing:
            self.is_failing = False
            _say(logging.INFO, "the store can be written again")

    def _roll_back(self) -> None:
        self._memory.rolled_back()
        if self._db.in_transaction:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")


class _ActFailed(Exception):  # noqa: N818
    """What is the matter with the act at `index` of the batch alone, and no refusal."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(index)
        self.index = index
        self.cause = cause


class _SomeFailed(Exception):  # noqa: N818
    """Some of the batch met a damaged page; nobody knows which, or they are many."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def _say(level: int, message: str, defect: Exception | None = None) -> None:
    """Log it. Whatever becomes of that, the thread goes on."""
    with suppress(Exception):
        _log.log(level, "%s", message, exc_info=defect)


def _error(code: Code, message: str, cause: Exception | None = None) -> WebchatError:
    error = WebchatError(code, message)
    error.__cause__ = cause
    return error
