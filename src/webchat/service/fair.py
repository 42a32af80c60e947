"""Work that few can do at a time, shared out fairly: whoever asks for much waits for themselves."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Full(Exception):  # noqa: N818
    """So much waits that this would not be done in time."""


class Line:
    """`at_once` pieces of work are in hand, up to `most` wait, and one of each asker in turn is
    next."""

    def __init__(self, at_once: int, most: int) -> None:
        self._free = at_once
        self._most = most
        self._count = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def turn(self, asker: str) -> AsyncIterator[None]:
        """Wait until it is this asker's turn. Raises Full: too much waits, and nobody has more of
        it than this asker."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(asker)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, asker: str) -> None:
        if self._count >= self._most:
            self._make_room(asker)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(asker, deque()).append(turn)
        self._count += 1
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._let_go()
            elif turn.exception() is None:  # it had come already
                self._pass_on()
            raise

    def _make_room(self, asker: str) -> None:
        """Refuse the newest of whoever has most waiting, if nobody gives up."""
        self._let_go()
        if self._count < self._most:
            return
        greedy = max(self._waiting, key=lambda each: len(self._waiting[each]), default=asker)
        if len(self._waiting.get(greedy, ())) <= len(self._waiting.get(asker, ())) + 1:
            raise Full
        newest = self._waiting[greedy][-1]
        self._take_out(greedy, newest)
        newest.set_exception(Full())

    def _take_out(self, asker: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting[asker]
        turns.remove(turn)
        self._count -= 1
        if not turns:
            del self._waiting[asker]

    def _let_go(self) -> None:
        """Take out those who gave up, of whom some may not have got round to it."""
        for asker, turns in list(self._waiting.items()):
            for turn in [each for each in turns if each.cancelled()]:
                self._take_out(asker, turn)

    def _pass_on(self) -> None:
        self._let_go()
        if not self._waiting:
            self._free += 1
            return
        asker = next(iter(self._waiting))
        turns = self._waiting.pop(asker)
        turn = turns.popleft()
        self._count -= 1
        if turns:
            self._waiting[asker] = turns  # behind all others
        turn.set_result(None)
