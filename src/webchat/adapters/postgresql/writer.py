"""The one task that writes appends and moves: what was queued since its last commit goes together.

Knows nothing of what is written. No task and no future per write: `done` calls of a commit are
made together, in one turn of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from webchat.errors import TooBusyError

Done = Callable[[Any], None]


class Asked(NamedTuple):
    """A write that waits: what, and whom to tell."""

    argument: Any
    done: Done


Deliver = Callable[[Sequence[Asked], Sequence[object]], None]
"""Tells the outcomes of some writes, in order: durable, or why not."""
Commit = Callable[[Sequence[Asked], Deliver], Awaitable[Sequence[Asked]]]
"""Makes writes durable and delivers each outcome once; raises nothing. Returns those, in order,
that are to come again, before what was queued since."""


class Writer:
    """Gives `commit` what was queued, in order, up to `max_batch` at once, one call at a time."""

    def __init__(self, commit: Commit, *, max_batch: int, max_waiting: int) -> None:
        self._commit = commit
        self._max_batch = max_batch
        self._max_waiting = max_waiting
        self._loop = asyncio.get_running_loop()
        self._queue: list[Asked] = []
        self._waiting = 0
        self._closed = False
        self._woken = asyncio.Event()
        self._task = self._loop.create_task(self._run())

    def submit(self, argument: object, done: Done) -> None:
        """Queue `argument`; `done` gets its outcome, never from inside.

        Beyond `max_waiting`, or closed: TooBusyError.
        """
        if self._closed or self._waiting >= self._max_waiting:
            self._loop.call_soon(done, TooBusyError())
            return
        self._waiting += 1
        if not self._queue:
            self._woken.set()
        self._queue.append(Asked(argument, done))

    async def close(self) -> None:
        """Finish what is queued."""
        self._closed = True
        self._woken.set()
        await self._task

    async def _run(self) -> None:
        while self._queue or not self._closed:
            if not self._queue:
                self._woken.clear()
                await self._woken.wait()
                continue
            batch, self._queue = self._queue[: self._max_batch], self._queue[self._max_batch :]
            if left := await self._commit(batch, self._deliver):
                self._queue = [*left, *self._queue]

    def _deliver(self, done: Sequence[Asked], outcomes: Sequence[object]) -> None:
        self._waiting -= len(done)
        for asked, outcome in zip(done, outcomes, strict=True):
            try:
                asked.done(outcome)
            except Exception as error:
                self._loop.call_exception_handler(
                    {"message": "a store's `done` call failed", "exception": error}
                )
