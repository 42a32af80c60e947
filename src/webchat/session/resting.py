"""Connections of which nothing is read for a while, because they go on sending what is refused."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from webchat.ports.clock import Clock
from webchat.session.deadlines import Deadlines

if TYPE_CHECKING:
    from webchat.session.connection import Connection


class Resting:
    """Each rests for `rest_s`, and then goes on."""

    __slots__ = ("_over", "_until")

    def __init__(self, clock: Clock, rest_s: float) -> None:
        self._until: Deadlines[Connection] = Deadlines(clock, rest_s, self._go_on)
        self._over: dict[Connection, asyncio.Event] = {}

    def __contains__(self, connection: Connection) -> bool:
        return connection in self._until

    def begin(self, connection: Connection) -> bool:
        """Let it rest, if it does not already; whether it begins to now."""
        if connection in self._until:
            return False
        self._until.add(connection)
        return True

    def end(self, connection: Connection) -> None:
        """It is over; who waits for its rest goes on."""
        if self._until.discard(connection):
            self._wake(connection)

    async def over(self, connection: Connection) -> None:
        """Return when it does not rest."""
        if connection in self._until:
            await self._over.setdefault(connection, asyncio.Event()).wait()

    def stop(self) -> None:
        """Nobody rests any longer."""
        self._until.stop()
        for connection in list(self._over):
            self._wake(connection)

    def _go_on(self, connection: Connection) -> None:
        self._wake(connection)
        connection.go_on()

    def _wake(self, connection: Connection) -> None:
        over = self._over.pop(connection, None)
        if over is not None:
            over.set()
